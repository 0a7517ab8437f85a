r"""Fused tensors: what a file keeps in one piece and our networks in several.

A few dialects stack matrices that are always used together, such as the three projections
of attention,

    in_proj = [W_q; W_k; W_v]        cut into equal slices along the first axis

or store a matrix the other way round, or as a matrix what we keep as a 1 x 1 convolution.  A
`Cut` says so, in the file's own names, and the pieces then go through the table of names like
any others.  Cutting makes views, no copies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Cut:
    """One tensor of a file -> the names its equal slices get; one name renames it."""

    names: tuple[str, ...]
    transposed: bool = False  # the file has it the other way round
    lifted: bool = False  # the file has a matrix, we a 1 x 1 convolution
    second: bool = False  # a file may have it under the other name, or both


Cuts = Mapping[str, Cut]  # a tensor's name in the file -> how to cut it


def unfused(tensors: Mapping[str, Tensor], cuts: Cuts) -> dict[str, Tensor]:
    """Return the tensors of a file with the fused ones cut.

    Raises:
        ValueError: a tensor cannot be cut into that many slices.
    """
    whole = {name: tensor for name, tensor in tensors.items() if name not in cuts}
    for name in tensors.keys() & cuts.keys():
        whole |= _pieces(name, tensors[name], cuts[name])
    return whole


def fused(tensors: Mapping[str, Tensor], cuts: Cuts) -> dict[str, Tensor]:
    """Undo `unfused`: lay the slices together again, under the file's names.

    What is merely a second name is not written: the first one is.
    """
    whole = dict(tensors)
    for name, cut in cuts.items():
        if cut.second:
            continue
        joined = torch.cat([whole.pop(piece) for piece in cut.names])
        joined = joined[..., 0, 0] if cut.lifted else joined
        whole[name] = joined.mT.contiguous() if cut.transposed else joined
    return whole


def cuts_under(prefix: str, cuts: Cuts) -> dict[str, Cut]:
    """Return the cuts of tensors that lie below a prefix in the file."""
    return {
        prefix + name: replace(cut, names=tuple(prefix + piece for piece in cut.names))
        for name, cut in cuts.items()
    }


def _pieces(name: str, tensor: Tensor, cut: Cut) -> dict[str, Tensor]:
    """Cut one tensor."""
    count = len(cut.names)
    if not tensor.ndim or tensor.shape[0] % count or (cut.transposed and tensor.ndim < 2):
        raise ValueError(f"{name} of shape {list(tensor.shape)} cannot be cut into {count}")
    turned = tensor.mT if cut.transposed else tensor
    turned = turned[..., None, None] if cut.lifted else turned
    return dict(zip(cut.names, turned.chunk(count), strict=True))
