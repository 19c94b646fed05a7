#!/usr/bin/python3 -B
"""How much memory a process really has: its private pages and the stores of cowshim that it keeps alive.

    memory.py PID...        prints the figure for these processes together, in MiB

RSS counts a page once per view of it, and PSS misses store pages that no page table shows at the moment, so
neither is the truth for a process with copy-on-write copies. This is:

    private    Anonymous in smaps_rollup (pages of its own, also those over a file) + VmSwap (the same, swapped
               out; smaps' own Swap counts swapped store pages too, which st_blocks has already)
    stores     the allocated blocks of every store that a descriptor or a mapping of it names, each store once

Ordinary files and other programs' memfds are not counted. Without the shim there are no stores, and the figure is
the private memory. Read from outside: the shim may hide its descriptors from the program itself.
"""

import ctypes
import os
import re
import stat
import sys
from collections import namedtuple

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
TMPFS_MAGIC = 0x01021994

# A store is a memfd with our name, or an unnamed or deleted file of our private tmpfs. That one is mounted
# nowhere, so its path begins at its own root: /tmp/#12 (deleted) would be somebody else's.
STORE_NAME = re.compile(r"/memfd:cowshim|/#\d+ \(deleted\)$|/cowshim")

Memory = namedtuple("Memory", "private stores")

_libc = ctypes.CDLL(None, use_errno=True)


def total(*pids):
    """Bytes that these processes have, together: a store that several share counts once."""
    both = measure(*pids)
    return both.private + both.stores


def measure(*pids):
    """The two parts of the figure, in bytes."""
    stores = {}
    for pid in pids:
        stores.update(_stores_open(pid))
    for pid in pids:
        for key, size in _stores_mapped(pid, stores).items():
            stores.setdefault(key, size)
    return Memory(sum(_private(pid) for pid in pids), sum(stores.values()))


def _private(pid):
    return _kilobytes(f"/proc/{pid}/smaps_rollup", "Anonymous:") + _kilobytes(f"/proc/{pid}/status", "VmSwap:")


def _kilobytes(path, field):
    with open(path) as lines:
        for line in lines:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def _stores_open(pid):
    """(device, inode) -> allocated bytes, of the stores behind the descriptors of a process."""
    found = {}
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        try:
            if STORE_NAME.match(os.readlink(path)):
                found.update(_store_at(path))
        except FileNotFoundError:
            pass  # closed since the listing
    return found


def _store_at(path):
    """The store behind a link of /proc, as {(device, inode): allocated bytes}, or {} if it is something else."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or not _on_tmpfs(path):
        return {}
    return {(status.st_dev, status.st_ino): status.st_blocks * 512}


def _on_tmpfs(path):
    buffer = ctypes.create_string_buffer(256)  # struct statfs: its first word is the magic number
    if _libc.statfs(path.encode(), buffer) != 0:
        return False
    return ctypes.c_long.from_buffer(buffer).value == TMPFS_MAGIC


def _stores_mapped(pid, known):
    """The same for stores that are only mapped: a descriptor may be closed while views live on."""
    found = {}
    shown = {}
    with open(f"/proc/{pid}/maps") as lines:
        for line in lines:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) < 6 or not STORE_NAME.match(fields[5]):
                continue
            key = _device(fields[3]), int(fields[4])
            if key in known or key in found:
                continue
            try:
                found.update(_store_at(f"/proc/{pid}/map_files/{_map_file(fields[0])}"))
            except FileNotFoundError:
                pass  # unmapped since
            except PermissionError:
                shown.setdefault(key, set()).update(_pages(fields))
    # Only root may follow map_files. Every page of a store is written before it is mapped, so what the mappings
    # show of it is allocated: the best figure that can be had without root.
    found.update({key: len(pages) * PAGE for key, pages in shown.items()})
    return found


def _device(text):
    major, minor = text.split(":")
    return os.makedev(int(major, 16), int(minor, 16))


def _map_file(text):
    """maps pads addresses with zeros, map_files does not."""
    start, end = text.split("-")
    return f"{int(start, 16):x}-{int(end, 16):x}"


def _pages(fields):
    start, end = (int(word, 16) for word in fields[0].split("-"))
    first = int(fields[2], 16) // PAGE
    return range(first, first + (end - start) // PAGE)


def main():
    pids = [int(word) for word in sys.argv[1:]]
    if not pids:
        sys.exit("usage: memory.py PID...")
    both = measure(*pids)
    print(f"{(both.private + both.stores) / MIB:.1f} MiB"
          f"  (private {both.private / MIB:.1f}, stores {both.stores / MIB:.1f})")


if __name__ == "__main__":
    main()
