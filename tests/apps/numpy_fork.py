"""A copy, then a fork, then both processes write everything at once: each must see its own values."""

import os

import numpy

from steps import done


def write_everything(original, copy, value):
    """In bands from both ends, so that the two processes are in different places most of the time."""
    bands = range(0, len(original), len(original) // 64)
    for band in (bands if value % 2 else reversed(bands)):
        end = band + len(original) // 64
        original[band:end] += value
        copy[band:end] -= value


def is_right(original, copy, value):
    plain = numpy.arange(len(original), dtype=numpy.float64)
    return bool((original == plain + value).all() and (copy == plain - value).all())


def copy_of_copy(original, copy, value):
    """A copy made after the fork is its process's own too."""
    another = copy.copy()
    another[::1000] = 0
    return bool((another[1::1000] == copy[1::1000]).all()) and is_right(original, copy, value)


def work(original, copy, value):
    write_everything(original, copy, value)
    both_have_written(value)
    return [is_right(original, copy, value), copy_of_copy(original, copy, value)]


def both_have_written(value):
    """Meets the other process: write to its pipe, read one's own."""
    mine, other = pipes[value % 2], pipes[1 - value % 2]
    os.write(other[1], b"x")
    os.read(mine[0], 1)


pipes = os.pipe(), os.pipe()
original = numpy.arange(16 << 20, dtype=numpy.float64)  # 128 MiB
done("fill")
copy = original.copy()
done("copy")

child = os.fork()
if child == 0:
    try:
        os._exit(0 if all(work(original, copy, 1000)) else 1)
    finally:
        os._exit(2)
result = work(original, copy, 1001)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print("parent sees its own:", result)
print("child sees its own:", status == 0)
done("both wrote everything")
