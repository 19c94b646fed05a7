"""An array that K copies fill, then two copies of it; argv: K, and what happens then: delete (the K sources), rewrite (the array that
they filled), pieces (a copy of it is copied piece by piece, and deleted), or nothing. At its peak it waits for a line of stdin."""
import sys

import numpy

MIB = 1 << 20
K, then = int(sys.argv[1]), sys.argv[2]
size = 96 // K * MIB if K <= 96 else MIB
parts = [numpy.full(size // 8, number, dtype=numpy.float64) for number in range(K)]
whole = numpy.empty(K * size // 8)
for number, part in enumerate(parts):
    whole[number * size // 8:(number + 1) * size // 8] = part  # filled
del part
if then == "delete":
    del parts
if then == "rewrite":
    whole += 1
elif then == "pieces":
    between = whole.copy()
    kept = [between[at:at + MIB // 2].copy() for at in range(0, len(between), MIB // 2)]
    del between
else:
    kept = [whole.copy(), whole.copy()]  # kept
print("at the peak", flush=True)
sys.stdin.readline()
