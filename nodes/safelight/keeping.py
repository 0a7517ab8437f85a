"""Results as bytes, for keeping them on disk: conditionings, latents, pictures and masks.

These are dear to make and cheap to store.  A value is a tree of frozen classes of ours, tuples
and plain values with tensors at its leaves: the tree becomes JSON, the tensors a safetensors
file in whose metadata it lies.  What holds anything else, as a network, is not kept.
"""

import dataclasses
import hashlib
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

import safelight
from safelight.library.values import Conditioning, Image, Latent, Mask

KEPT = (Conditioning, Latent, Image, Mask)
_OURS = "safelight."
_PLAIN = (bool, int, float, str, type(None))
_PARTS = ("diffusion", "graph", "library")  # the code that results depend on


class NotKept(TypeError):
    """A value holds something that cannot be kept."""


class Values:
    """Turns results into bytes and back."""

    def encode(self, value: object) -> bytes | None:
        """Return the bytes of a result, or None when it is not to be kept."""
        if not isinstance(value, KEPT):
            return None
        tensors: dict[str, Tensor] = {}
        try:
            tree = json.dumps(_folded(value, tensors))
        except NotKept:
            return None
        return save(tensors, {"value": tree})

    def decode(self, content: bytes) -> object:
        """Return the value of bytes that `encode` gave.

        Raises:
            ValueError: When they are none.
        """
        try:
            tensors = load(content)
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            return _unfolded(json.loads(header["__metadata__"]["value"]), tensors)
        except (SafetensorError, LookupError, TypeError, AttributeError, ImportError) as error:
            raise ValueError(f"not a kept value: {error}") from error


def build() -> str:
    """Return a name of the code that makes results: its version, and the state of its files."""
    root = Path(safelight.__file__).parent
    state = [safelight.__version__]
    for path in sorted(file for part in _PARTS for file in (root / part).rglob("*.py")):
        about = path.stat()
        state.append(f"{path.relative_to(root)} {about.st_size} {about.st_mtime_ns}")
    return hashlib.blake2b("\n".join(state).encode(), digest_size=16).hexdigest()


def _folded(value: object, tensors: dict[str, Tensor]) -> Any:
    """Return a value as JSON can tell it, its tensors put aside."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, tuple) and type(value) is tuple:
        return {"tuple": [_folded(each, tensors) for each in value]}
    kind = type(value)
    if dataclasses.is_dataclass(value) and kind.__module__.startswith(_OURS):
        fields = dict(_fields(value))
        folded = {name: _folded(each, tensors) for name, each in fields.items()}
        return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": folded}
    raise NotKept(kind.__name__)


def _fields(value: Any) -> Iterator[tuple[str, object]]:
    for entry in dataclasses.fields(value):
        if not entry.init:
            raise NotKept(entry.name)
        yield entry.name, getattr(value, entry.name)


def _unfolded(tree: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "tuple" in tree:
        return tuple(_unfolded(each, tensors) for each in tree["tuple"])
    module, _, name = tree["class"].partition(":")
    kind = getattr(importlib.import_module(module), name) if module.startswith(_OURS) else None
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        raise LookupError(f"{module}:{name} is no value of ours")
    return kind(**{key: _unfolded(each, tensors) for key, each in tree["fields"].items()})
