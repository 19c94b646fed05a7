"""The Python half of the stepped protocol (stepped.py): say that a step is done, wait to be measured, go on."""

import sys
import time


def done(name, seconds=None):
    """Ends a step: its time is what passed since the step before, or `seconds`."""
    if seconds is None:
        seconds = time.perf_counter() - _clock[0]
    print(f"step {seconds:.6f} {name}", flush=True)
    sys.stdin.readline()
    _clock[0] = time.perf_counter()


_clock = [time.perf_counter()]
