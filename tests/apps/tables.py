"""The tables of tools/demo: what each step of a program costs, natively and under the shim."""

import sys

import apps
import compared
import host
import limited

PAIRS = 3

SHOWN = [
    ("article", "The article's session: Python, NumPy, two arrays of 400 MiB", ["article.py"]),
    ("r", "R: a vector of 381 MiB, and its copy", []),
    ("vector", "C++: a std::vector of 400 MiB, and its copy", []),
]


def main():
    limited.show()
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
        compared.show([run(command, number) for number in range(PAIRS + 1)][1:])  # the first one fetches memory from the host


def run(command, number):
    if sys.stdout.isatty():
        print(f"  run {number + 1} of {PAIRS + 1}, without and with the shim ...", end="", flush=True)
    result = compared.pair(command)
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    return result


main()
