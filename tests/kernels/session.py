"""The article's session (tests/apps/article*.py) as one process, with threads, in arrays of a size that the guest has memory for.

    session.py PLANES THREADS[,THREADS...] shared|plain|any

PLANES: the last dimension of the array, 8 MiB each. The session runs once for each number of THREADS, which rises: all but one sleep.
Prints TAP: the session has the values that it has everywhere, and, where the copy is to be shared, it takes hardly any memory (what was
rewritten last time may be copied); and what each line takes, as remarks.
"""

import ast
import os
import sys
import threading
import time
import zlib

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
APPS = os.path.join(TESTS, "apps")
sys.path[:0] = [os.path.join(TESTS, "support"), APPS]
import memory
from tap import Tap

MIB = 1 << 20


def crc(rows):
    """What zlib says of an array whose rows, of 1024 doubles a plane, are all of one value each, in order."""
    import numpy
    value = 0
    for number, count in rows:
        block = numpy.full(planes * 1024, float(number))
        for _ in range(count):
            value = zlib.crc32(block, value)
    return value


def lines():
    """The statements, as text and as code that shows its values as a session does."""
    for name in ("article.py", "article_more.py"):
        with open(os.path.join(APPS, name)) as file:
            source = file.read().replace("1024, 50)", f"1024, {planes})")
        for node in ast.parse(source).body:
            yield ast.unparse(node), compile(ast.Interactive([node]), name, "single")


def taken():
    """What the process has. Not by memory.total(): smaps of Linux 6.1 has no huge page that NUMA balancing has marked."""
    with open("/proc/self/status") as status:
        private = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in status if line.endswith(" kB\n")}
    return private["RssAnon"] + private["VmSwap"] + memory.measure(os.getpid()).stores


def run(name):
    """One session, with what its lines print and by how much each makes the process grow."""
    shown, grown, session = [], {}, {}
    sys.displayhook = lambda value: shown.append(value) if value is not None else None
    for text, code in lines():
        before, began = taken(), time.perf_counter()
        exec(code, session)
        took = time.perf_counter() - began
        grown[text] = taken() - before
        tap.note(f"{took * 1000:8.1f} ms {grown[text] / MIB:+8.1f} MiB  {text}")
    wanted = [1.0, 1.0, 1.0, (True, True), (crc([(1, 500), (7, 10), (1, 514)]), crc([(1, 1), (30, 99), (1, 924)]))]
    tap.check(shown == wanted, f"{name}: its values", f"{shown}, not {wanted}")
    return grown


planes, numbers, sharing = int(sys.argv[1]), sys.argv[2], sys.argv[3]
size = planes * 8 * MIB
tap = Tap()
for number in map(int, numbers.split(",")):
    while threading.active_count() < number:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    name = f"session of {size // MIB} MiB, {number} thread{'s' * (number > 1)}"
    copied = run(name)["array2 = array1.copy()"]
    if sharing == "shared":
        tap.check(copied < size // 4, f"{name}: the copy takes hardly any memory", f"it takes {copied / MIB:.1f} MiB")
tap.end()
sys.stdout.flush()
os._exit(1 if tap.failed else 0)
