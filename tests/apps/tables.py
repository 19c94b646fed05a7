"""The tables of tools/demo: what each step of a program costs, natively and under the shim."""

import statistics
import sys

import apps
import host
import stepped
from memory import MIB

PAIRS = 3

SHOWN = [
    ("article", "The article's session: Python, NumPy, two arrays of 400 MiB", ["article.py"]),
    ("r", "R: a vector of 381 MiB, and its copy", []),
    ("vector", "C++: a std::vector of 400 MiB, and its copy", []),
]


def main():
    with host.memory_stays() as note:
        show_all()
    print("\nMemory: private pages and stores of the process, each page once (tests/apps/memory.py).")
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
        pairs = [pair(command) for _ in range(PAIRS + 1)][1:]  # the first one fetches memory from the host
        show([native for native, _ in pairs], [shimmed for _, shimmed in pairs])


def pair(command):
    native, shimmed = stepped.run(command, shim=False), stepped.run(command, shim=True)
    for run, name in (native, "natively"), (shimmed, "under the shim"):
        if run.status != 0:
            sys.exit(f"demo: failed {name}, exit status {run.status}\n{run.errors}")
    if not shimmed.with_shim:
        sys.exit(f"demo: {stepped.LIBRARY} was not loaded\n{shimmed.errors}")
    if native.output != shimmed.output:
        sys.exit("demo: the output is not the same natively and under the shim")
    return native, shimmed


def median_steps(runs):
    """Name, memory and time of each step: the memory of the last run, the median of the times."""
    for number, step in enumerate(runs[-1].steps):
        yield step.name, step.memory, statistics.median(run.steps[number].seconds for run in runs)


def show(natives, shimmeds):
    native, shimmed = list(median_steps(natives)), list(median_steps(shimmeds))
    width = max(len(name) for name, _, _ in native)
    print(f"  {'':{width}}  {'memory, MiB':>20}   {'time, ms':>20}")
    print(f"  {'step':{width}}  {'native':>9}  {'with shim':>9}   {'native':>9}  {'with shim':>9}")
    for (name, memory, seconds), (_, shim_memory, shim_seconds) in zip(native, shimmed):
        print(f"  {name:{width}}  {memory / MIB:9.1f}  {shim_memory / MIB:9.1f}   "
              f"{seconds * 1e3:9.2f}  {shim_seconds * 1e3:9.2f}")


main()
