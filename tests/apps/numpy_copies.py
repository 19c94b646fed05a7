"""Many copies of one array that nobody changes: numpy_copies.py COUNT

What it prints does not depend on COUNT, so that the native run, which pays for every copy, may make fewer.
"""

import sys
import time
import zlib

import numpy

from steps import done

array = numpy.arange(50 << 20, dtype=numpy.float64)  # 400 MiB
done("fill")

copies = [array.copy()]
done("first copy")

slowest = 0.0
for _ in range(int(sys.argv[1])):
    start = time.perf_counter()
    copies.append(array.copy())
    slowest = max(slowest, time.perf_counter() - start)
done("more copies, the slowest", slowest)

expected = zlib.crc32(array)
print("all the same:", all(zlib.crc32(copy) == expected for copy in copies))
copies[-1][0] = -1
print("but one:", [copy[0] for copy in copies if copy[0] != 0.0], array[0])
