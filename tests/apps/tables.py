"""The tables of tools/demo: what each step of a program costs, natively and under the shim."""

import sys

import apps
import stepped
from memory import MIB

SHOWN = [
    ("article", "The article's session: Python, NumPy, two arrays of 400 MiB", ["article.py"]),
    ("r", "R: a vector of 381 MiB, and its copy", []),
    ("vector", "C++: a std::vector of 400 MiB, and its copy", []),
]


def main():
    for name, title, files in SHOWN:
        app = next(app for app in apps.ALL if app.name == name)
        print(f"\n{title}")
        try:
            command = apps.command_of(app, files)
        except apps.Skip as missing:
            print(f"  not shown: {missing}")
            continue
        stepped.run(command, shim=False)  # fetches memory from the host of a virtual machine, which is slow
        show(stepped.run(command, shim=False), stepped.run(command, shim=True))
    print("\nMemory: private pages and stores of the process, each page once (tests/apps/memory.py).")


def show(native, shimmed):
    for run, name in (native, "natively"), (shimmed, "under the shim"):
        if run.status != 0:
            sys.exit(f"demo: failed {name}, exit status {run.status}\n{run.errors}")
    if not shimmed.with_shim:
        sys.exit(f"demo: {stepped.LIBRARY} was not loaded\n{shimmed.errors}")
    if native.output != shimmed.output:
        sys.exit("demo: the output is not the same natively and under the shim")
    width = max(len(step.name) for step in native.steps)
    print(f"  {'':{width}}  {'memory, MiB':>20}   {'time, ms':>20}")
    print(f"  {'step':{width}}  {'native':>9}  {'with shim':>9}   {'native':>9}  {'with shim':>9}")
    for one, other in zip(native.steps, shimmed.steps):
        print(f"  {one.name:{width}}  {one.memory / MIB:9.1f}  {other.memory / MIB:9.1f}   "
              f"{one.seconds * 1e3:9.2f}  {other.seconds * 1e3:9.2f}")


main()
