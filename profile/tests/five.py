"""Copies at six lines that differ in what becomes of them. At its peak it waits for a line of stdin."""
import sys

import numpy

MIB = 1 << 20
array = numpy.arange(2 * MIB, dtype=numpy.float64)  # 16 MiB
kept = []
for number in range(8):
    copy = array.copy()  # kept
    copy[: len(copy) // 10] = number
    kept.append(copy)
slices = [array[MIB:].copy() for _ in range(3)]  # slices
strided = array.reshape(1024, 2048)[:, ::2].copy()  # strided
piece = numpy.ones(8192)
pieces = [piece.copy() for _ in range(40)]  # small
rewritten = array.copy()  # rewritten
rewritten *= 2.0
moved = array[100:].copy()  # incongruent
print("at the peak", flush=True)
sys.stdin.readline()
