"""Naming a training by all that it depends on, so that the same one finds what it left."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def identity(*parts: object) -> str:
    """Return a name of tensors, networks, texts and numbers by what is in them, 32 characters.

    Tensors count with their number format and shape, networks with all their tensors by name.

    Raises:
        TypeError: a part is of no kind that can be named so.
    """
    digest = hashlib.blake2b(digest_size=16)
    for piece in _pieces(parts):
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()


def _pieces(part: object) -> Iterable[bytes | memoryview]:
    """Yield what a part consists of, each piece with its kind."""
    if isinstance(part, Tensor):
        yield f"{part.dtype} {list(part.shape)}".encode()
        yield part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    elif isinstance(part, nn.Module):
        for name, tensor in part.state_dict().items():
            yield name.encode()
            yield from _pieces(tensor)
    elif isinstance(part, tuple | list):
        yield f"{len(part)} parts".encode()
        for one in part:
            yield from _pieces(one)
    elif part is None or isinstance(part, str | int | float | bool):
        yield repr(part).encode()
    else:
        raise TypeError(f"a {type(part).__name__} cannot be named by what is in it")
