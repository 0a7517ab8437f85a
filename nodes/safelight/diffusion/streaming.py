r"""Streaming: weights that pass through memory, for networks that do not fit into it.

A layer needs its weights only while it computes.  A `Streamed` weight therefore keeps nothing
but a way to be read.  It has a shape, a number format and a device like any other tensor, so
networks, and whoever looks at their parts, need not know.  But whenever an operation wants its
numbers, they are read (from the file, converted, sent to the device), used and let go of:

    y = W x        read W,  compute W x,  drop W

Nothing else changes, so the result is the same, bit for bit; it costs a reading for each use.
Where there is room for a part of the weights, that part had better stay.  A network uses all of
its weights in the same order again and again, so it does not matter which ones stay, only how
many bytes of them (dropping what was used longest ago would drop each just before its use):

    choose K with  sum of K  +  the largest weight that is not in K  <=  room

`lasting` lets the smallest stay, for there are many of them and every reading has its price.

Source: torch's "Extending PyTorch", section on tensor subclasses and `__torch_dispatch__`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

Name = TypeVar("Name")
Bytes = int | float  # a number of bytes, which may be infinite


class Streamed(Tensor):
    """A weight that is read anew each time that something is computed with it."""

    # Below torch's operations, where results are plain tensors, and not around them.
    __torch_function__: Any = torch._C._disabled_torch_function_impl

    _read: Callable[[], Tensor]

    def __new__(cls, read: Callable[[], Tensor], looks: Tensor, device: torch.device) -> "Streamed":
        """Make a stand-in for what `read` returns: like `looks` (without numbers), on a device."""
        made: Streamed = Tensor._make_wrapper_subclass(
            cls, looks.shape, strides=looks.stride(), dtype=looks.dtype, device=device
        )
        made._read = read
        made._is_param = True  # modules tell parameters from other tensors by this
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's stub lacks `func`
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute with what is read; it is dropped on the way out."""
        if func is torch.ops.aten.detach.default:  # another name for the same numbers
            return cls(args[0]._read, args[0], args[0].device)
        plain, named = tree_map_only(cls, lambda weight: weight._read(), (args, dict(kwargs or {})))
        return func(*plain, **named)


def lasting(sizes: Mapping[Name, int], room: Bytes) -> set[Name]:
    """Choose what stays in `room` bytes, so that the largest of the others can pass through.

    Everything stays if there is room for it; what takes no room always does.
    """
    if sum(sizes.values()) <= room:
        return set(sizes)
    chosen: set[Name] = set()
    left = room - max(sizes.values())
    for name in sorted(sizes, key=lambda name: sizes[name]):
        if sizes[name] > max(left, 0):
            break
        chosen.add(name)
        left -= sizes[name]
    return chosen
