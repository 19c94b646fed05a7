"""The picture of tools/demo: ten kept copies of an array of 153 MiB under a limit of 600 MiB, natively and under the shim.

The limit is a memory control group, which counts what is really used: as root one of our own, else a scope of the user's systemd.
An `ulimit` cannot show it: the kernel counts a copy whole there, though it costs nothing.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

import stepped

LIMIT = 600 << 20
PROGRAM = """
import numpy
array = numpy.ones(20_000_000)
kept = []
for number in range(10):
    kept.append(array.copy())
    kept[-1][number * 1000] = 5
    print(len(kept), flush=True)
print(sum(copy.sum() for copy in kept))
"""
RIGHT = "200000040.0"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


@contextlib.contextmanager
def own_group():
    """A function that puts a process into a limited group of ours, or None where we may not make one."""
    version1 = "/sys/fs/cgroup/memory"
    old = os.path.isdir(version1)
    try:
        folder = tempfile.mkdtemp(prefix="cowshim-demo-", dir=version1 if old else "/sys/fs/cgroup")
    except OSError:
        yield None
        return
    try:
        write(folder + ("/memory.limit_in_bytes" if old else "/memory.max"), LIMIT)
        with contextlib.suppress(OSError):  # where swap is not counted there is none, or it is as slow as being killed
            write(folder + ("/memory.memsw.limit_in_bytes" if old else "/memory.swap.max"), LIMIT if old else 0)
        yield lambda: write(folder + "/cgroup.procs", os.getpid())
    except OSError:
        yield None
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def run(shim, enter, before=()):
    """How many copies it made, whether it ended well, and how."""
    done = subprocess.run([*before, PYTHON, "-B", "-c", PROGRAM], env=stepped.environment(shim), text=True, preexec_fn=enter,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = done.stdout.split()
    copies = max([int(line) for line in lines if line.isdigit()], default=0)
    good = done.returncode == 0 and lines[-1] == RIGHT
    # systemd-run tells the signal as a shell does.
    killed = done.returncode in (-9, 137)
    return copies, good, "ended, and its sum is right" if good else f"killed after {copies} copies (out of memory)" if killed else done


def compare(enter, before=()):
    results = []
    for name, shim in (("native", False), ("with cowshim", True)):
        print(f"  {name:14}", end="", flush=True)
        results.append(run(shim, enter, before))
        print(f"{results[-1][0]:2} of 10 copies: {results[-1][2]}", flush=True)
    return results


def show():
    """Prints the picture. True: natively it was killed, with the shim it ended; None: no limit could be set."""
    print("\nUnder a limit of 600 MiB: ten kept copies of an array of 153 MiB, an element changed in each", flush=True)
    with own_group() as enter:
        if enter is not None:
            results = compare(enter)
            return not results[0][1] and results[1][1]
    scope = ["systemd-run", "--user", "--scope", "-q", "-p", f"MemoryMax={LIMIT}", "-p", "MemorySwapMax=0"]
    if shutil.which(scope[0]) and subprocess.run([*scope, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        results = compare(None, scope)
        return not results[0][1] and results[1][1]
    print("  not shown: it needs a memory control group, which root or `systemd-run --user` can make")
    return None


if __name__ == "__main__":
    sys.exit({True: 0, None: 77}.get(show(), 1))
