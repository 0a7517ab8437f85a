r"""Scaled numbers: weights of eight bits, each tensor with a factor of its own.

Numbers of eight bits reach from 2^-9 to 448 ("e4m3"), which few weights fill.  So each is
divided by a scale before it is rounded, and the scale is kept beside it:

    W = s Q        Q the tensor of eight bits, s one number, or one for each row

The scale of `X.weight` is called `X.scale_weight` or `X.weight_scale`; a tensor `scaled_fp8`
says that every such weight of the file has one.  Scales of what goes into a layer are for
hardware that multiplies in eight bits, and not needed here.

Weights are multiplied out when they are asked for, to bfloat16: it has the reach of float32,
and keeps more digits than eight bits ever had.

Source: Micikevicius et al. 2022 (arXiv:2209.05433), sections 3 and 4; the names are those that
published files use.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from safelight.diffusion.weights import Checkpoint, CheckpointError, Tensors

MARK = "scaled_fp8"
SCALES = (".scale_weight", ".weight_scale")
UNNEEDED = (".scale_input", ".input_scale")
EIGHT_BITS = (torch.float8_e4m3fn, torch.float8_e5m2)


class Scaled(Tensors):
    """The tensors of a file, those that have a scale multiplied by it."""

    def __init__(self, checkpoint: Checkpoint, scales: Mapping[str, str]) -> None:
        self._checkpoint = checkpoint
        self._scales = scales
        self._names = [name for name in checkpoint.shapes if not _beside(name)]

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._checkpoint.tensors[name]
        return tensor if name not in self._scales else self._whole(name, tensor)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def forget(self) -> None:
        """Let go of the memory that has been read."""
        self._checkpoint.tensors.forget()

    def _whole(self, name: str, tensor: Tensor) -> Tensor:
        """Return W = s Q.

        Raises:
            CheckpointError: Q is not of eight bits, or s is not a number above 0.
        """
        path, scale = self._checkpoint.path, self._checkpoint.tensors[self._scales[name]].float()
        if tensor.dtype not in EIGHT_BITS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise CheckpointError(path, f"{name} has a scale, but is {kind} instead of fp8")
        if not bool((torch.isfinite(scale) & (scale > 0)).all()):
            raise CheckpointError(path, f"{self._scales[name]} is not a number above 0")
        rows = scale.reshape(-1, *[1] * (tensor.ndim - 1))
        return (tensor.float() * rows).to(torch.bfloat16)


@dataclass(frozen=True, slots=True)
class _Found:
    """Scales by the names of their weights, and whether the file promises them all."""

    scales: Mapping[str, str]
    marked: bool


def unscaled(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint whose scaled weights are what they stand for; others as they are.

    Raises:
        CheckpointError: scales are missing, have no weight, or are not of its shape; lists all.
    """
    found = _scales(checkpoint)
    if not found.scales and not found.marked:
        return checkpoint
    mistakes = _mistakes(checkpoint, found)
    if mistakes:
        listed = "\n  ".join(sorted(mistakes)[:20])
        count = f"{len(mistakes)} of its scales of fp8 cannot be used"
        raise CheckpointError(checkpoint.path, f"{count}:\n  {listed}")
    shapes = {name: shape for name, shape in checkpoint.shapes.items() if not _beside(name)}
    return replace(checkpoint, tensors=Scaled(checkpoint, found.scales), shapes=shapes)


def _scales(checkpoint: Checkpoint) -> _Found:
    scales = {
        f"{name.removesuffix(end)}.weight": name
        for name in checkpoint.shapes
        for end in SCALES
        if name.endswith(end)
    }
    return _Found(scales, any(_is_mark(name) for name in checkpoint.shapes))


def _mistakes(checkpoint: Checkpoint, found: _Found) -> list[str]:
    mistakes: list[str] = []
    for weight, scale in found.scales.items():
        shape, own = checkpoint.shapes.get(weight), checkpoint.shapes[scale]
        if shape is None:
            mistakes.append(f"{scale}: there is no {weight}")
        elif math.prod(own) not in (1, shape[0] if shape else 1):
            mistakes.append(f"{scale}: {list(own)} for a weight of {list(shape)}")
    if found.marked:
        mistakes += [
            f"{name}: it has no scale"
            for name, shape in checkpoint.shapes.items()
            if name.endswith(".weight") and len(shape) > 1 and name not in found.scales
            if checkpoint.tensors[name].dtype in EIGHT_BITS
        ]
    return mistakes


def _beside(name: str) -> bool:
    """Whether a tensor is only there for others."""
    return _is_mark(name) or name.endswith((*SCALES, *UNNEEDED))


def _is_mark(name: str) -> bool:
    return name == MARK or name.endswith(f".{MARK}")
