"""Runs one program of the benchmark, natively or with a library preloaded, and measures it from outside at its marks."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "tests", "apps"))
import memory
import stepped

LONGEST_RUN = 600  # seconds

# A preloaded library that does nothing: what LD_PRELOAD costs at all.
EMPTY = os.environ.get("COWSHIM_EMPTY", os.path.join(stepped.BUILD, "bench", ".libs", "empty.so"))

# What the process was at a mark: bytes by the honest figure of memory.py, descriptors, mappings.
Mark = namedtuple("Mark", "name memory files mappings")
# result: the program's own figures, and wall and cpu in milliseconds. stores: the kinds of stores seen, "huge", "memfd".
Run = namedtuple("Run", "result marks stores")


class Failed(Exception):
    """The program ended badly, or did not say what it should."""


def run(command, side):
    """side: "native", "shim", or "empty" for the library that does nothing."""
    environment = stepped.environment(side == "shim")
    if side == "empty":
        environment["LD_PRELOAD"] = EMPTY
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        program = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=errors)
        watchdog = threading.Timer(LONGEST_RUN, program.kill)
        watchdog.start()
        try:
            marks, stores, last = _follow(program)
            _, status, usage = os.wait4(program.pid, 0)
            program.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watchdog.cancel()
            program.kill()
        wall = time.perf_counter() - start
        errors.seek(0)
        said = errors.read()
    if program.returncode != 0 or "ERROR: ld.so" in said:
        raise Failed(f"{' '.join(command)}: exit status {program.returncode}: {said.strip()[-500:]}")
    result = {"wall": wall * 1e3, "cpu": (usage.ru_utime + usage.ru_stime) * 1e3}
    if last.startswith("{"):
        result.update(json.loads(last))
    return Run(result, marks, stores)


def _follow(program):
    marks, stores, last = [], set(), ""
    for line in program.stdout:
        match = stepped.STEP.fullmatch(line)
        if not match:
            last = line
            continue
        marks.append(_measure(match[2], program.pid))
        stores |= _kinds_of_stores(program.pid)
        program.stdin.write("\n")
        program.stdin.flush()
    return marks, stores, last


def _measure(name, pid):
    with open(f"/proc/{pid}/maps", "rb") as maps:
        mappings = sum(1 for _ in maps)
    return Mark(name, memory.total(pid), len(os.listdir(f"/proc/{pid}/fd")), mappings)


def _kinds_of_stores(pid):
    kinds = set()
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        target = os.readlink(os.path.join(folder, name))
        if target.startswith("/memfd:cowshim"):
            kinds.add("memfd")
        elif re.fullmatch(r"/#\d+ \(deleted\)", target):
            kinds.add("huge")
    return kinds
