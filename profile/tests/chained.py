"""A chain of states, each a copy of the one before with single pages changed here and there, three of them kept; then copies that malloc
keeps in its heap when they are freed. Waits where its memory is largest."""
import sys

import numpy

PAGE = 512  # doubles

array = numpy.arange(1 << 21, dtype=numpy.float64)
array.copy()  # the first large block that is freed teaches glibc to take the next ones from the heap
state, kept = array, []
for step in range(30):
    state = state.copy()
    state[step % 16 * PAGE::16 * PAGE] = step
    if step % 10 == 9:
        kept.append(state)
freed = [array.copy() for _ in range(5)]
last = array.copy()
if sys.argv[1] == "free":
    del freed
print("at the peak", flush=True)
sys.stdin.readline()
