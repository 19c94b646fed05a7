#!/usr/bin/python3 -B
"""Rows of the benchmark that are NumPy programs: numpy_rows.py NAME. Prints marks and a result as workloads does."""

import hashlib
import json
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "tests", "apps"))
import steps

MIB = 1 << 20
clock = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter


def random_array(mebibytes):
    return np.random.default_rng(7).random(mebibytes * MIB // 8)


def sort_copies(mebibytes, count):
    a = random_array(mebibytes)
    start = clock()
    for _ in range(count):
        b = np.sort(a)
    passed = clock() - start
    steps.done("end")
    return passed, [a, b]


def medians(mebibytes, count):
    a = random_array(mebibytes)
    start = clock()
    total = sum(np.median(a) for _ in range(count))
    passed = clock() - start
    steps.done("end")
    return passed, [a, np.array(total)]


def expressions(mebibytes, count):
    a, b, c = (random_array(mebibytes) + i for i in range(3))
    start = clock()
    for _ in range(count):
        d = (a * b + c) / (a + 1.0) - np.sqrt(b)
    passed = clock() - start
    steps.done("end")
    return passed, [a, b, c, d]


ROWS = {"sort": sort_copies, "median": medians, "expressions": expressions}


def main():
    name, mebibytes, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    passed, arrays = ROWS[name](mebibytes, count)
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array)
    print(json.dumps({"workload": name, "all": passed * 1e3, "digest": digest.hexdigest()}))


main()
