"""Pairs of runs of a stepped program (stepped.py), natively and under the shim, as a table for people."""

import statistics
import sys

import stepped
from memory import MIB

MEASURED = "Memory: private pages and stores of the process, each page once (memory.py)."


def pair(command):
    """The two runs of a stepped program, which must print the same."""
    native, shimmed = stepped.run(command, shim=False), stepped.run(command, shim=True)
    for run, name in (native, "natively"), (shimmed, "under the shim"):
        if run.status != 0:
            sys.exit(f"failed {name}, exit status {run.status}\n{run.errors}")
    if not shimmed.with_shim:
        sys.exit(f"{stepped.LIBRARY} was not loaded\n{shimmed.errors}")
    if native.output != shimmed.output:
        sys.exit("the output is not the same natively and under the shim")
    return native, shimmed


def median_steps(runs):
    """Name, memory and time of each step: the memory of the last run, the median of the times."""
    for number, step in enumerate(runs[-1].steps):
        yield step.name, step.memory, statistics.median(run.steps[number].seconds for run in runs)


def show(pairs):
    """A table of them: a row for each step."""
    natives, shimmeds = zip(*pairs)
    native, shimmed = list(median_steps(natives)), list(median_steps(shimmeds))
    width = max(len(name) for name, _, _ in native)
    print(f"  {'':{width}}  {'memory, MiB':>20}   {'time, ms':>20}")
    print(f"  {'step':{width}}  {'native':>9}  {'with shim':>9}   {'native':>9}  {'with shim':>9}")
    for (name, memory, seconds), (_, shim_memory, shim_seconds) in zip(native, shimmed):
        print(f"  {name:{width}}  {memory / MIB:9.1f}  {shim_memory / MIB:9.1f}   "
              f"{seconds * 1e3:9.2f}  {shim_seconds * 1e3:9.2f}")
