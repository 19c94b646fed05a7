# SPDX-License-Identifier: MIT
"""Copy-on-write copies of arrays, for programs that run under cowshim (LD_PRELOAD=libcowshim.so, `cowshim run`).

Nothing here is needed for `b = a.copy()` to be shared: the shim does that by itself. This is for programs that want to share what
it leaves alone, to see what an array costs, or to find what changed. Without the shim every function gives the same results,
by plain copies and comparisons. Pure ctypes over cowshim.h, which says what is promised; NumPy and torch are imported by
whoever calls with their arrays.

    python3 -m cowshim script.py        runs a script, a module (-m) or code (-c) under the shim

    active()          whether the shim is loaded and at work
    version()         its version, or None
    copy(array)       a copy of a NumPy array that shares its pages
    clone(tensor)     the same for a torch tensor on the CPU
    seal(array)       pay for the first copy now
    merge(arrays)     make equal pages of several arrays one, whatever made them equal
    diff(a, b)        the ranges in which two arrays differ, found without reading what they share
    residency(array)  what its pages are: hole, private, shared
    stats()           figures of the process
    saved()           bytes that its copies do not take, because they share them

    %load_ext cowshim   in a notebook: says after each cell what is saved; see cowshim.jupyter
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy
    import torch

    Kind = TypeVar("Kind", bound=numpy.dtype[Any])

__all__ = ["active", "version", "copy", "clone", "seal", "merge", "diff", "residency", "stats", "saved", "Residency", "Stats"]

# Of the module; version() is that of the shim that is loaded.
__version__ = "0.1.0"


class Residency(NamedTuple):
    """Bytes of an array by the state of their page: never written; its own; showing a store that others may show, too."""

    hole: int
    private: int
    shared: int


class Stats(NamedTuple):
    """struct cowshim_figures of cowshim.h: what the process has now, and what was done since it started."""

    blocks: int
    registered: int
    views: int
    stores: int
    store_bytes: int
    copies_shared: int
    bytes_shared: int
    copies_plain: int
    bytes_plain: int
    sealed_bytes: int
    reclaimed_bytes: int
    merged_bytes: int


_ALLOW_PLAIN = 2


class _Pages(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in Residency._fields]


class _Figures(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in Stats._fields]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)


def _find() -> Any:
    """The shim's functions with their types, or None where it is not loaded."""
    calls = ctypes.CDLL(None, use_errno=True)
    if not hasattr(calls, "cowshim_active"):
        return None
    address, size = ctypes.c_void_p, ctypes.c_size_t
    calls.cowshim_version.restype = ctypes.c_char_p
    calls.cowshim_dup.restype = address
    calls.cowshim_dup.argtypes = [address, size]
    calls.cowshim_copy.restype = ctypes.c_ssize_t
    calls.cowshim_copy.argtypes = [address, address, size, ctypes.c_uint]
    calls.cowshim_seal.restype = ctypes.c_ssize_t
    calls.cowshim_seal.argtypes = [address, size]
    calls.cowshim_merge.restype = ctypes.c_ssize_t
    calls.cowshim_merge.argtypes = [address, address, size, ctypes.c_uint]
    calls.cowshim_residency.argtypes = [address, size, ctypes.POINTER(_Pages)]
    calls.cowshim_diff.restype = ctypes.c_ssize_t
    calls.cowshim_diff.argtypes = [address, address, size, ctypes.c_uint, _Callback, address]
    calls.cowshim_stats.argtypes = [ctypes.POINTER(_Figures), size]
    calls.cowshim_expect_rewrite.argtypes = [address, size]
    calls.memcmp.argtypes = [address, address, size]
    calls.malloc.argtypes = [size]
    calls.malloc.restype = address
    calls.free.argtypes = [address]
    calls.free.restype = None
    return calls


_calls = _find()


# What the errno values of cowshim.h mean for an array.
_WORDS = {
    errno.EACCES: "its memory is locked, protected, marked or excluded",
    errno.EAGAIN: "this is a child process that cannot look anything up",
    errno.EBUSY: "the process has pages pinned for I/O",
    errno.EDEADLK: "the writers of other threads cannot be held off",
    errno.ENOENT: "it does not lie in memory whose copies can be shared (a large allocation; with COWSHIM_MODE=registered, what "
                  "was registered or came from cowshim.copy)",
    errno.ENOSPC: "the mappings or descriptors of the process are used up",
    errno.ERANGE: "it has less than two whole pages",
    errno.ESTALE: "the kernel shows other memory there than expected",
}


def _check(result: Any, what: str) -> Any:
    if result is None or result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {_WORDS.get(error, os.strerror(error))}")
    return result


def active() -> bool:
    """True where the shim is loaded and at work in this process."""
    return _calls is not None and bool(_calls.cowshim_active())


def version() -> str | None:
    """The version of the shim that is loaded, such as "0.1.0"; None where none is."""
    return None if _calls is None else str(_calls.cowshim_version().decode())


def _array(value: Any, name: str, contiguous: bool = True) -> None:
    import numpy

    if not isinstance(value, numpy.ndarray):
        raise TypeError(f"{name} is a {type(value).__name__}, not a NumPy array")
    if value.dtype.hasobject:
        raise TypeError(f"{name} has Python objects in it; only arrays of plain numbers can be shared or compared by pages")
    if contiguous and not (value.flags.c_contiguous or value.flags.f_contiguous):
        raise ValueError(f"{name} is not contiguous: its elements do not lie side by side (a strided view?)")


def copy(array: numpy.ndarray[Any, Kind]) -> numpy.ndarray[Any, Kind]:
    """A copy of the array that shares its pages, whatever its size, and whatever COWSHIM_MODE and the policy say.

    What is shared are the whole pages of an array that begins on a page: large arrays do, views into them mostly do not. Else,
    without the shim, and of arrays that are not contiguous, it is array.copy(order="K"). The result is writable; it is a plain
    ndarray. Raises TypeError for what is not an array of numbers.
    """
    import numpy

    _array(array, "array", contiguous=False)
    if not active() or array.nbytes == 0 or not (array.flags.c_contiguous or array.flags.f_contiguous):
        return cast("numpy.ndarray[Any, Kind]", numpy.array(array, order="K", copy=True))
    address = _check(_calls.cowshim_dup(array.ctypes.data, array.nbytes), "copy")
    memory: Any = (ctypes.c_char * array.nbytes).from_address(address)
    weakref.finalize(memory, _calls.free, address).atexit = False
    return numpy.ndarray(array.shape, array.dtype, memory, order="C" if array.flags.c_contiguous else "F")


def clone(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of a torch tensor on the CPU that shares its pages; torch's own kernels bypass memcpy, so that tensor.clone() does not.

    Both must be large allocations of malloc (COWSHIM_MIN_SIZE, by default 1 MiB). Else, without the shim, and of tensors that are
    not contiguous, it is tensor.clone(). It has no part in autograd: a tensor that requires grad is a ValueError, detach it first.
    """
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"tensor is a {type(tensor).__name__}, not a torch.Tensor")
    if tensor.requires_grad:
        raise ValueError("tensor requires grad, and a shared copy has no part in autograd: pass tensor.detach()")
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        raise ValueError(f"tensor is a {tensor.layout} tensor on {tensor.device}; only dense tensors on the CPU can be shared")
    size = tensor.numel() * tensor.element_size()
    if not active() or size == 0 or not tensor.is_contiguous():
        return tensor.clone()
    result = torch.empty_like(tensor)
    _check(_calls.cowshim_copy(result.data_ptr(), tensor.data_ptr(), size, _ALLOW_PLAIN), "clone")
    return result


def seal(array: numpy.ndarray[Any, Any]) -> int:
    """Pays for the first copy now: moves the array's pages into a store, so that copies only map it.

    Returns the bytes that show a store afterwards; 0 without the shim. OSError where it cannot be done; the contents are right in
    any case.
    """
    _array(array, "array")
    if not active() or array.nbytes == 0:
        return 0
    return int(_check(_calls.cowshim_seal(array.ctypes.data, array.nbytes), "seal"))


# Pairs that are no fault of the caller's: they cannot share a page, or lie in memory that is not eligible.
_APART = (errno.EACCES, errno.EDOM, errno.ENOENT, errno.ERANGE, errno.ESTALE)
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BASES = 8  # of the arrays that a further one is compared with


def merge(*arrays: Any) -> int:
    """Makes equal pages of the arrays one, whatever made them equal: loaded twice, computed twice, cloned by code that nobody sees.

    Takes NumPy arrays, torch tensors on the CPU, pandas DataFrames and Series, and lists, tuples, dicts and sets of these (a
    state_dict, say), also nested. Arrays of the same number of bytes are compared with each other, a sample of their pages first, so
    that those with nothing in common cost microseconds. No content changes; what is small, strided or not eligible is left alone.

    Returns the bytes that cost no memory any more beside another array, at least; 0 without the shim. OSError where the process
    cannot merge at all.
    """
    groups: dict[int, dict[int, Any]] = {}
    for item in arrays:
        for address, size, owner in _memory(item):
            groups.setdefault(size, {})[address] = owner
    if not active():
        return 0
    return sum(_merge_group(list(group), size) for size, group in groups.items())


def _memory(item: Any) -> Iterator[tuple[int, int, Any]]:
    """Address, bytes and owner of all arrays in it that lie side by side."""
    if isinstance(item, (list, tuple, set, frozenset)):
        for part in item:
            yield from _memory(part)
    elif hasattr(item, "dtypes") and hasattr(item, "to_numpy"):  # a DataFrame or a Series: the arrays that its columns lie in
        columns = [item] if item.ndim == 1 else [item.iloc[:, i] for i in range(item.shape[1])]
        yield from _memory([_root(column.to_numpy(copy=False)) for column in columns])
    elif hasattr(item, "items"):
        for part in item.values():
            yield from _memory(part)
    elif hasattr(item, "data_ptr"):  # a tensor
        if item.device.type == "cpu" and str(item.layout) == "torch.strided" and item.is_contiguous():
            yield item.data_ptr(), item.numel() * item.element_size(), item
    elif hasattr(item, "ctypes") and hasattr(item, "nbytes"):
        if not item.dtype.hasobject and (item.flags.c_contiguous or item.flags.f_contiguous):
            yield item.ctypes.data, item.nbytes, item
    elif not isinstance(item, (int, float, complex, str, bytes, type(None))):
        name = f"{type(item).__module__}.{type(item).__name__}"
        raise TypeError(f"{name}: only arrays, tensors, DataFrames and containers of these can be merged")


def _root(array: Any) -> Any:
    while type(array.base) is type(array):
        array = array.base
    return array


def _merge_group(addresses: list[int], size: int) -> int:
    if len(addresses) < 2 or size < 3 * _PAGE:
        return 0
    usual = _usual(addresses, size) if len(addresses) > 2 else None
    try:
        return _merge_with(addresses, size, [usual] if usual else [])
    finally:
        _calls.free(usual)


def _merge_with(addresses: list[int], size: int, bases: list[int]) -> int:
    total = 0
    for address in addresses:
        merged = 0
        for base in bases:
            result = _calls.cowshim_merge(base, address, size, 0)
            if result == -1 and ctypes.get_errno() not in _APART:
                _check(result, "merge")
            merged = max(merged, result)
        total += merged
        if merged < size / 2 and len(bases) < _BASES:
            bases.append(address)
    return total


def _alike(a: int, b: int, size: int) -> bool:
    """Whether any of some sixty pages, or what stands at their place, is the same: else a copy would be made for nothing."""
    step = max(size // 64 // _PAGE, 1) * _PAGE
    return any(_calls.memcmp(a + at, b + at, _PAGE) == 0 for at in range(0, size - _PAGE, step))


def _usual(addresses: list[int], size: int) -> int | None:
    """The first array with what the second and the third have in common where the first differs from both: of many arrays that differ
    here and there each is nearer to it than to any other. A plain copy, for free(); None where none can be made."""
    first, second, third = addresses[:3]
    if any((first - other) % _PAGE for other in (second, third)) or not _alike(first, second, size):
        return None
    usual: int | None = _calls.malloc(size)
    if usual is None or (usual - first) % _PAGE:
        _calls.free(usual)
        return None
    _calls.cowshim_expect_rewrite(usual, size)  # pages of its own, which can be sealed as one
    ctypes.memmove(usual, first, size)

    def take(context: int, offset: int, length: int) -> int:
        for at in range(offset, offset + length, _PAGE):
            part = min(_PAGE, offset + length - at)
            if _calls.memcmp(second + at, third + at, part) == 0:
                ctypes.memmove(usual + at, second + at, part)
        return 0

    _calls.cowshim_diff(first, second, size, 0, _Callback(take), None)
    return usual


def diff(a: numpy.ndarray[Any, Any], b: numpy.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """The ranges in which two arrays differ, as a list of (start, stop) in elements of their memory order (a.ravel(order="K")).

    The ranges are those of whole pages, widened to whole elements. What both share is not read, so that the changes of a copy are
    found in the time that it takes to look at what changed. Arrays of one shape, type and memory order; else ValueError.
    """
    _array(a, "a")
    _array(b, "b")
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(f"a is {a.dtype}{a.shape} and b is {b.dtype}{b.shape}: only arrays of one shape and type can be compared")
    if a.flags.c_contiguous != b.flags.c_contiguous:
        raise ValueError("one array is in C order and the other in Fortran order")
    if a.nbytes == 0:
        return []
    ranges: list[tuple[int, int]] = []
    if active():
        def add(context: int, offset: int, length: int) -> int:
            ranges.append((offset, offset + length))
            return 0

        _check(_calls.cowshim_diff(a.ctypes.data, b.ctypes.data, a.nbytes, 0, _Callback(add), None), "diff")
    else:
        ranges = _compare(a, b)
    return _elements(ranges, a.itemsize, a.size)


def _compare(a: Any, b: Any) -> list[tuple[int, int]]:
    """The bytes that differ, page by page, without the shim."""
    import numpy

    bytes_a, bytes_b = (array.ravel(order="K").view(numpy.uint8) for array in (a, b))
    offset = -a.ctypes.data % _PAGE
    edges = [0, *range(offset or _PAGE, a.nbytes, _PAGE), a.nbytes]
    return [(start, end) for start, end in zip(edges, edges[1:])
            if not numpy.array_equal(bytes_a[start:end], bytes_b[start:end])]


def _elements(ranges: list[tuple[int, int]], size: int, count: int) -> list[tuple[int, int]]:
    """Ranges of bytes as ranges of whole elements; those that touch are joined."""
    result: list[tuple[int, int]] = []
    for start, end in ranges:
        start, end = start // size, min(-(-end // size), count)
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def residency(array: numpy.ndarray[Any, Any]) -> Residency:
    """What the pages of the array are, in bytes: hole, private and shared add up to its size. OSError without the shim."""
    _array(array, "array")
    if not active():
        raise OSError(errno.ENOSYS, "residency: the shim is not active in this process")
    pages = _Pages()
    if array.nbytes > 0:
        _check(_calls.cowshim_residency(array.ctypes.data, array.nbytes, ctypes.byref(pages)), "residency")
    return Residency(pages.hole, pages.private, pages.shared)


def stats() -> Stats:
    """Figures of the process, as Stats; all zero without the shim."""
    figures = _Figures()
    if active():
        _check(_calls.cowshim_stats(ctypes.byref(figures), ctypes.sizeof(figures)), "stats")
    return Stats(*(getattr(figures, name) for name in Stats._fields))


# Of /proc/self/smaps: the first line of a mapping, the file of a store, and how the figures below it count.
_MAPPING = re.compile(rb"[0-9a-f]+-[0-9a-f]+ ...(.) \S+ \S+ \d+ +(.*)")
_STORE = re.compile(rb"(/memfd:cowshim|/#\d+) \(deleted\)")
_SIGNS = {b"Size": 1024, b"Anonymous": -1024, b"Swap": -1024}


def saved() -> int:
    """Bytes that the process would take more if its copies had pages of their own, as the kernel counts now; 0 without the shim."""
    if not active():
        return 0
    shown, counts = 0, False
    with open("/proc/self/smaps", "rb") as file:
        for line in file:
            name, _, value = line.partition(b":")
            if name in _SIGNS:
                shown += counts * _SIGNS[name] * int(value.split()[0])
            elif (mapping := _MAPPING.match(line)) is not None:
                counts = mapping[1] == b"p" and _STORE.fullmatch(mapping[2]) is not None
    return max(shown - stats().store_bytes, 0)


def load_ipython_extension(shell: Any) -> None:
    from . import jupyter

    jupyter.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    from . import jupyter

    jupyter.unload(shell)
