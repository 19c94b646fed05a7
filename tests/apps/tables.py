"""The tables of tools/demo: what each step of a program costs, natively and under the shim."""

import apps
import compared
import host

PAIRS = 3

SHOWN = [
    ("article", "The article's session: Python, NumPy, two arrays of 400 MiB", ["article.py"]),
    ("r", "R: a vector of 381 MiB, and its copy", []),
    ("vector", "C++: a std::vector of 400 MiB, and its copy", []),
]


def main():
    with host.memory_stays() as note:
        show_all()
    print(f"\n{compared.MEASURED}")
    print(f"Time: medians of {PAIRS} runs each, native and with the shim in turn. {note or ''}")


def show_all():
    for name, title, files in SHOWN:
        app = next(app for app in apps.ALL if app.name == name)
        print(f"\n{title}")
        try:
            command = apps.command_of(app, files)
        except apps.Skip as missing:
            print(f"  not shown: {missing}")
            continue
        compared.show([compared.pair(command) for _ in range(PAIRS + 1)][1:])  # the first one fetches memory from the host


main()
