"""Runs a program step by step, without or with the shim, and measures it from outside after every step.

A stepped program prints, when a step is done, the line

    step SECONDS NAME

(SECONDS: how long the step took, by its own clock) and then reads one line of its stdin before it goes on. While it
waits it stands still, and we read its memory. Everything else that it prints is its result. The same program run by
hand with </dev/null does not wait.
"""

import os
import re
import subprocess
import tempfile
import threading
from collections import namedtuple

import memory

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("COWSHIM_BUILD", os.path.join(ROOT, "build"))
LIBRARY = os.environ.get("COWSHIM_LIB", os.path.join(BUILD, "src", ".libs", "libcowshim.so"))

LONGEST_RUN = 600  # seconds; none takes a tenth of it where nothing else runs

STEP = re.compile(r"step (\d+\.\d+) (.*)\n")

Step = namedtuple("Step", "name seconds memory")  # memory in bytes, by the honest figure of memory.py
Run = namedtuple("Run", "steps output errors status with_shim")


def run(command, shim):
    """Runs a stepped program to its end. The output has the names of the steps, but not their times."""
    with tempfile.TemporaryFile("w+") as errors:
        program = subprocess.Popen(command, env=environment(shim), text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=errors)
        watchdog = threading.Timer(LONGEST_RUN, program.kill)
        watchdog.start()
        try:
            steps, output, with_shim = _follow(program)
            status = program.wait()
        finally:
            late = not watchdog.is_alive()
            watchdog.cancel()
            program.kill()
        errors.seek(0)
        said = errors.read() + (f"killed after {LONGEST_RUN} s\n" if late else "")
        return Run(steps, output, said, status, with_shim)


def environment(shim):
    """Ours, so that COWSHIM_* settings of the caller reach the program; natively none of them, and no preload."""
    env = dict(os.environ, LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")
    env["PYTHONPATH"] = ":".join(filter(None, [os.path.join(ROOT, "python"), env.get("PYTHONPATH")]))
    if shim:
        env["LD_PRELOAD"] = " ".join(filter(None, [LIBRARY, env.get("LD_PRELOAD")]))
        return env
    return {name: value for name, value in env.items()
            if name != "LD_PRELOAD" and not name.startswith("COWSHIM_")}


def _follow(program):
    steps, output, with_shim = [], [], False
    for line in program.stdout:
        match = STEP.fullmatch(line)
        if not match:
            output.append(line)
            continue
        output.append(f"step {match[2]}\n")
        steps.append(Step(match[2], float(match[1]), memory.total(program.pid)))
        with_shim = with_shim or _has_loaded(program.pid, LIBRARY)
        _let_go_on(program)
    return steps, "".join(output), with_shim


def _let_go_on(program):
    try:
        program.stdin.write("\n")
        program.stdin.flush()
    except BrokenPipeError:
        pass  # it died: its exit status tells


def _has_loaded(pid, library):
    with open(f"/proc/{pid}/maps") as maps:
        return os.path.basename(library) in maps.read()
