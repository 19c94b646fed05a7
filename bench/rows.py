"""The rows of the benchmark: what is run, what is measured, and the bar (issue 4).

A row is one program, run natively and under the shim in turn. Each of its checks takes one figure out of a run and
compares the medians:

    ratio       shim / native <= bar
    more        shim - native <= bar
    limit       shim <= bar, whatever native is
    shown       no bar: printed to see how it grows
"""

import os
import shlex
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
GIB = 1 << 30
PAGE = 4096


@dataclass
class Check:
    title: str
    figure: object  # Run -> number
    unit: str
    kind: str = "shown"
    bar: object = None  # a number, or one for each tier: {"huge": 1, "memfd": 2}
    reason: object = ""  # printed if it falls short: text, or one for each tier


@dataclass
class Row:
    name: str
    shim: list
    checks: list
    native: list = field(default_factory=list)  # the same as shim's, if empty; None: not run natively
    repeat: int = 5
    warm: int = 1   # runs at first that are not counted
    needs: int = 2 * GIB
    group: str = "must"
    empty: bool = False  # run also with an empty library preloaded

    def __post_init__(self):
        if self.native == []:
            self.native = self.shim


FIRST_TRY = ("A place that copies is tried once, and here the try is lost: each page is then written by a fault of its own (2.5 us on one "
             "machine, 13 us on a guest of PVM) where a plain copy into huge pages takes less than 0.8 us a page; moving the source "
             "into the store comes on top. All later copies are plain, and cost what they cost natively.")
LOOK = ("Nearly all of it is one PAGEMAP_SCAN of the source. To tell private pages from shared ones the kernel reads the struct page of "
        "each page that is mapped, a cache miss of some 80 ns in pages that came one by one; a question that the page table alone "
        "answers takes 0.4 ms for the same 65,536. No other way was found that cannot miss a page: fault counters are blind to "
        "writes from outside (ptrace, process_vm_writev).")
SCATTERED = ("Every 100th page is one's own, and to know that it differs its counterpart in the copy must be read, for the first time: one "
             "read of the store each, or a page fault for every 2 MiB of huge pages. COWSHIM_DIFF_NO_READ leaves that out.")
HEADER = ("One page of each copy is its own, the one that the program changed; what comes on top are our records: 192 bytes for the block, "
          "96 for what it shows, 64 in the exported page, and the mutex alone is 40 of them.")

APART = ("As many faults as by hand, but the pages of the store lie apart: a seal takes them from what the source before it gave back. A "
         "program by hand that fills its memfd piece by piece from memory that it drops is as slow (a guest of PVM: 155 to 191 ms, else 130 to 143).")
PRELOADED = "About half of it is what an empty preloaded library costs as well; the rest is some 16 page faults more of our own."
PAIR = "1 MiB: 0.2 us a pair for the registry. Larger sizes: a fresh mapping each time, 2 MiB longer so that it can be aligned; not separated further."


def result(name):
    return lambda run: run.result[name]


def peak(run):
    return max(mark.memory for mark in run.marks) / MIB


def at(name, unit=MIB):
    """Memory at a mark, without what the program had at its mark `start`, in units of so many bytes."""
    def figure(run):
        start = next((mark.memory for mark in run.marks if mark.name == "start"), 0)
        return ([mark.memory for mark in run.marks if mark.name == name][-1] - start) / unit
    return figure


def most(what):
    return lambda run: max(getattr(mark, what) for mark in run.marks)


def mapping_budget(_=None):
    with open("/proc/sys/vm/max_map_count") as text:
        return int(text.read()) // 2


def all_rows(program, scratch, quick):
    """program: the built workloads; scratch: a folder for the build job; quick: small arrays, to see that all works."""
    array = (32 if quick else 256) * MIB

    def workload(name, **options):
        options.setdefault("size", array)
        return [program, name] + [f"{key}={value}" for key, value in options.items()]

    def numpy(name, mebibytes, count):
        return ["/usr/bin/python3", "-B", os.path.join(HERE, "numpy_rows.py"), name, str(mebibytes), str(count)]

    def shell(text):
        return ["/bin/sh", "-c", text]

    def ratio(title, name, bar, unit="ms", reason=""):
        return Check(title, result(name), unit, "ratio", bar, reason)

    rows = []

    def add(name, shim, *checks, **more):
        rows.append(Row(name, shim, list(checks), **more))

    for size, label in ((array, "256m"),) + (() if quick else ((4 * GIB, "4g"),)):
        slow = dict(repeat=3, warm=0, needs=9 * GIB) if size > GIB else {}
        add(f"unchanged-{label}", workload("unchanged", size=size, copies=5),
            ratio(f"copy of an unchanged, read block, {size // MIB} MiB", "copy", {"huge": 1 / 1000, "memfd": 1 / 50},
                  reason={"memfd": LOOK}),
            native=workload("unchanged", size=size, copies=1 if size > GIB else 3), **slow)
    add("first-4k", workload("first"), ratio("first copy, source in 4 KiB pages", "copy", {"huge": 0.5, "memfd": 1.2}))
    add("first-huge", workload("first", huge=1), ratio("first copy, source in huge pages", "copy", {"huge": 1.0, "memfd": 3}))
    add("copies-8", workload("copies"),
        Check("8 copies, 10 % of each changed: memory", at("end", array), "arrays", "limit", 1.02 * 1.8),
        Check("  time of the copies and the changes", lambda run: run.result["copy"] + run.result["change"], "ms"),
        needs=4 * GIB)
    for do, title in ("read", "first reading of a copy"), ("write", "one byte of each page of a copy written"):
        add(f"view-{do}", workload("views", do=do), ratio(f"{title}; native: by hand", "use", 1.1,
                  reason={"memfd": APART} if do == "read" else ""),
            native=workload("views", do=do, by="hand"))
    add("generations", workload("generations", count=200),
        ratio("200 generations, 1 % in one piece, 2 kept: time of one (native: of 40)", "generation", 0.1),
        Check("  memory at the end", at("end", array), "arrays", "limit", 1.1),
        native=workload("generations", count=40), repeat=3, warm=0)
    add("generations-kept", workload("generations", count=200, keep=201),
        Check("200 generations kept alive, 1 % each: memory", at("end", array), "arrays", "limit", 1.1 * 3.0),
        Check("  time of one (native: 20 of them)", result("generation"), "ms"),
        native=workload("generations", count=20, keep=21), repeat=3, warm=0, needs=7 * GIB)
    add("generations-scattered", workload("generations", count=200, scattered=1, changed=1000),
        ratio("1,000 scattered pages, 200 generations, 2 kept: time of one (native: of 40)", "generation", 0.5),
        Check("  memory at the end", at("end", array), "arrays", "limit", 1.5),
        Check("  mappings", most("mappings"), "", "limit", mapping_budget()),
        native=workload("generations", count=40, scattered=1, changed=1000), repeat=3, warm=0)
    add("rewrite-copy", workload("rewrite-copy"), ratio("copy, rewrite the copy, drop it, 30 times", "all", 1.10),
        Check("  peak memory", peak, "MiB", "ratio", 1.05), repeat=3)
    add("rewrite-copy-huge", workload("rewrite-copy", huge=1), ratio("  the same with huge pages, as NumPy asks for", "all", 1.10, reason=FIRST_TRY),
        Check("  peak memory", peak, "MiB", "ratio", 1.05), repeat=3)
    add("rewrite-chain", workload("rewrite-chain"), ratio("b = copy(a), drop a, rewrite b, 30 times", "all", 1.10),
        Check("  peak memory", peak, "MiB", "ratio", 1.05), repeat=3)
    add("rewrite-chain-huge", workload("rewrite-chain", huge=1), ratio("  the same with huge pages", "all", 1.10, reason=FIRST_TRY),
        Check("  peak memory", peak, "MiB", "ratio", 1.05), repeat=3)
    add("rewrite-both", workload("rewrite-both"),
        Check("copy, rewrite both, keep both: memory after the next event", at("end"), "MiB", "ratio", 1.05),
        Check("  time", result("all"), "ms"))
    for scattered, how in (0, "in one piece"), (1, "scattered"):
        size = array if quick else 4 * GIB
        add(f"diff-{'scattered' if scattered else 'piece'}", workload("diff", size=size, scattered=scattered),
            Check(f"cowshim_diff of {size // MIB} MiB, 1 % changed {how}, against memcmp in the same run",
                  lambda run: run.result["diff"] / run.result["memcmp"], "", "limit", {"huge": 1 / 50, "memfd": 1 / 15},
                  SCATTERED if scattered else ""),
            Check("  time", result("diff"), "ms"), Check("  time when every page of both was read since", result("diff_read"), "ms"),
            Check("  memcmp, every page read before", result("memcmp"), "ms"),
            native=None, repeat=3, warm=0, needs=6 * GIB)
    add("ring", workload("ring", size=array if quick else GIB),
        Check("ring of 10 checkpoints, 1 % changed between: memory", at("end", array if quick else GIB), "arrays", "limit", 1.02 * 1.1),
        Check("  time of a checkpoint, file included", result("checkpoint"), "ms"),
        Check("  written for one", result("written_mib"), "MiB"),
        native=None, repeat=3, warm=0, needs=4 * GIB)
    for name in "sort", "median":
        add(f"numpy-{name}", numpy(name, 4 if quick else 64, 20), ratio(f"np.{name}(a) of 64 MiB, 20 times", "all", 1.10, reason=FIRST_TRY),
            repeat=3)
    add("many", workload("many", size=MIB, copies=2000 if quick else 20000),
        Check("20,000 copies of 1 MiB, a page changed in each: memory", at("end", PAGE), "pages", "limit",
              (2000 if quick else 20000) * 1.05 + MIB // PAGE,
              HEADER),
        Check("  pages of each copy (one changed by the program, our records)",
              lambda run: (at("end", PAGE)(run) - MIB // PAGE) / run.result["copies"], "pages"),
        Check("  descriptors", most("files"), "", "limit", 99),
        Check("  mappings", most("mappings"), "", "limit", 65530),
        ratio("  time of one (native: of 4,000)", "copy_us", 1.0, "us"),
        Check("  time to drop one", result("drop_us"), "us"),
        native=workload("many", size=MIB, copies=400 if quick else 4000), repeat=3, needs=6 * GIB)
    for fill in "loop", "memset":
        add(f"allocate-{fill}", workload("allocate", fill=fill, count=64 if quick else 1024),
            *[ratio(f"malloc, fill by {fill}, free: {size} MiB", f"{size} MiB", 1.02, reason=PAIR) for size in (1, 2, 4, 8, 16, 32, 64)])
    add("numpy-temporaries", numpy("expressions", 8, 20 if quick else 150),
        ratio("NumPy expressions with temporaries of 8 MiB", "all", 1.02), repeat=7)
    add("memcpy", workload("memcpy"),
        *[Check(f"memcpy of {size} bytes", result(f"{size} B"), "ns", "more", 0.5) for size in (1, 8, 16, 64, 256, 1024, 4096)])
    add("malloc", workload("malloc"),
        *[Check(f"malloc and free of {size} bytes", result(f"{size} B"), "ns", "more", 2) for size in (16, 64, 256, 1024)])
    count = 5 if quick else 40
    add("python-pass", shell(f"i=0; while [ $i -lt {count} ]; do /usr/bin/python3 -c pass; i=$((i+1)); done"),
        ratio(f"python3 -c pass, {count} times: wall", "wall", 1.02, reason=PRELOADED), ratio("  CPU time", "cpu", 1.02), repeat=11, empty=True)
    add("build-job", shell(f"cd {shlex.quote(scratch)} && for f in *.c; do cc -O1 -c $f -o out.o || exit 1; done"),
        ratio("compile 50 C files: wall", "wall", 1.02), ratio("  CPU time", "cpu", 1.02), repeat=5, empty=True)

    def grow(name, shim, *checks, **more):
        add(name, shim, *checks, group="growth", **more)

    for size in (16, 64, 256) if quick else (16, 64, 256, 1024, 8192):
        grow(f"grow-size-{size}m", workload("unchanged", size=size * MIB, copies=1),
             Check(f"copy of an unchanged, read block, {size} MiB", result("copy"), "ms"),
             **(dict(repeat=1, warm=0, needs=17 * GIB) if size > 1024 else dict(repeat=3)))
    for copies in (1, 10, 100) if quick else (1, 10, 100, 1000, 20000):
        grow(f"grow-copies-{copies}", workload("many", size=MIB, copies=copies),
             Check(f"live copies of 1 MiB: {copies}, time of one", result("copy_us"), "us"),
             Check("  memory", at("end"), "MiB"),
             repeat=3, **(dict(native=None) if copies > 1000 else {}))
    for threads in 1, 2, 4, 8:
        grow(f"grow-threads-{threads}", workload("threads", threads=threads, size=64 * MIB),
             Check(f"{threads} threads, 10 copies of 64 MiB each, 1 % changed", result("all"), "ms"), repeat=3, needs=3 * GIB)
    return rows


def write_build_job(folder, count=50):
    for i in range(count):
        with open(os.path.join(folder, f"unit{i}.c"), "w") as text:
            text.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n")
            for j in range(20):
                text.write(f"int f{i}_{j}(int n, char *s)\n{{\n    for (int k = 0; k < n; k++)\n"
                           f"        s[k] = (char)(s[k] * {j + 3} + k % {i + 2});\n"
                           f"    return printf(\"%s %zu\\n\", s, strlen(s)) + atoi(s);\n}}\n")
