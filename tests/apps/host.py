"""Keeps the memory of a virtual machine warm while something is timed."""

import contextlib
import os

ORDER = "/sys/module/page_reporting/parameters/page_reporting_order"
NEVER = "11"  # above every order that the buddy allocator has


@contextlib.contextmanager
def memory_stays():
    """Free page reporting hands free huge pages back to the host; the next program to use one waits for the host to fetch
    it, up to 12 us a page, and that would be timed instead of the copy. Paused meanwhile where we may (root), and restored.
    Yields what to tell the reader, or None."""
    try:
        with open(ORDER, encoding="ascii") as file:
            before = file.read().strip()
    except OSError:
        yield None
        return
    if int(before) >= int(NEVER):
        yield None
        return
    if not os.access(ORDER, os.W_OK):
        yield "This virtual machine gives free memory back to its host: first touches are slow, whoever makes them."
        return
    write(NEVER)
    try:
        yield "This virtual machine gives free memory back to its host; that was paused for the measurement."
    finally:
        write(before)


def write(order):
    with open(ORDER, "w", encoding="ascii") as file:
        file.write(order)
