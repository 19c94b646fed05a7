# SPDX-License-Identifier: MIT
"""Copies that torch makes by kernels of its own become shared: large dense tensors on the CPU.

    cowshim.torch.enable()                  from here on
    python3 -m cowshim --torch script.py    the same before a script begins

Then Tensor.clone(), Tensor.copy_() between tensors of one type and shape, copy.deepcopy() of tensors, modules, optimizers and
state_dicts, and with them load_state_dict(), share the pages of what they copy. Results, strides, memory formats and version counters
are as without. Torch itself does everything else: what is small, on another device, sparse, quantized, strided or of a subclass, what
autograd records, and what is traced or watched by a mode. Without the shim enable() does nothing.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

import cowshim

__all__ = ["enable", "disable", "enabled"]

_SMALLEST = 1 << 20  # bytes; of these COWSHIM_MIN_SIZE decides
_ALLOW_PLAIN = 2
_originals: list[tuple[Any, str, Any]] = []


def _asks(name: str) -> Any:
    """A question of torch's own, which some of its versions do not know; then the answer is no."""
    return getattr(torch._C, name, lambda: 0)


_tracing = _asks("_get_tracing_state")
_WATCHERS = [_asks(name) for name in ("_are_functorch_transforms_active", "_is_torch_function_mode_enabled",
                                      "_len_torch_dispatch_stack", "_get_torch_dispatch_mode", "_len_torch_function_stack")]


def _watched() -> bool:
    """Somebody must see which operations are called."""
    return any(ask() for ask in _WATCHERS) or getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0


def _bytes(tensor: Any) -> int:
    """Of a tensor whose copies can be shared; 0: it is torch's."""
    if type(tensor) is not torch.Tensor and type(tensor) is not torch.nn.Parameter or _tracing():
        return 0
    size = tensor.numel() * tensor.element_size()
    if size < _SMALLEST or tensor.device.type != "cpu" or tensor.layout != torch.strided or tensor.is_quantized:
        return 0
    if not tensor.is_contiguous() or tensor.is_conj() or tensor.is_neg() or tensor.is_inference():
        return 0
    return 0 if tensor.requires_grad and torch.is_grad_enabled() else int(size)


def _share(to: int, source: int, size: int) -> None:
    cowshim._check(cowshim._calls.cowshim_copy(to, source, size, _ALLOW_PLAIN), "torch")


def _clone(original: Any) -> Any:
    @functools.wraps(original)
    def clone(self: Any, *, memory_format: Any = None) -> Any:
        size = _bytes(self)
        if size == 0 or memory_format not in (None, torch.preserve_format, torch.contiguous_format) or _watched():
            return original(self) if memory_format is None else original(self, memory_format=memory_format)
        result = torch.empty_like(self)
        _share(result.data_ptr(), self.data_ptr(), size)
        return result

    return clone


def _copy(original: Any) -> Any:
    @functools.wraps(original)
    def copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
        size = _bytes(self)
        if (size == 0 or size != _bytes(src) or self.dtype != src.dtype or self.shape != src.shape or self.stride() != src.stride()
                or abs(self.data_ptr() - src.data_ptr()) < size or _watched()):
            return original(self, src, non_blocking)
        self[:0].zero_()  # its version counter moves on, or torch says why it must not be written
        _share(self.data_ptr(), src.data_ptr(), size)
        return self

    return copy_


def _clone_storage(original: Any) -> Any:
    @functools.wraps(original)
    def clone(self: Any) -> Any:
        size = self.nbytes()
        if size < _SMALLEST or self.device.type != "cpu":
            return original(self)
        result = type(self)(size, device=self.device)
        _share(result.data_ptr(), self.data_ptr(), size)
        return result

    return clone


def _replace(owner: Any, name: str, wrap: Any) -> None:
    had = owner.__dict__.get(name)
    _originals.append((owner, name, had))
    setattr(owner, name, wrap(getattr(owner, name)))


def enable() -> None:
    """From here on large copies that torch makes share pages. Once is enough; without the shim it does nothing."""
    if _originals or not cowshim.active():
        return
    _replace(torch.Tensor, "clone", _clone)
    _replace(torch.Tensor, "copy_", _copy)
    _replace(getattr(torch, "UntypedStorage", None) or torch._UntypedStorage, "clone", _clone_storage)


def disable() -> None:
    """Takes enable() back. What is shared stays so."""
    while _originals:
        owner, name, had = _originals.pop()
        if had is None:
            delattr(owner, name)
        else:
            setattr(owner, name, had)


def enabled() -> bool:
    """Whether enable() is in force in this process."""
    return bool(_originals)
