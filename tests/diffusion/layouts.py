"""Published files as names and shapes, without their weights."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from safelight.diffusion.weights import Checkpoint, Shapes, Tensors

WORDS = json.dumps(
    {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {
            "type": "WordLevel",
            "vocab": {"<unk>": 0, "<|startoftext|>": 1, "<|endoftext|>": 2, "a": 3, "cat": 4},
            "unk_token": "<unk>",
        },
    }
)


class Shadows(Tensors):
    """The tensors of a layout: shapes on the meta device, in half precision."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def __getitem__(self, name: str) -> Tensor:
        return torch.empty(self._shapes[name], dtype=torch.float16, device="meta")

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def forget(self) -> None:
        """Nothing was read."""


def layout(reference: Path, name: str) -> Shapes:
    """The tensor names and shapes of a published file."""
    names = json.loads((reference / "layouts" / f"{name}.json").read_text())
    return {key: tuple(shape) for key, shape in names.items()}


def shadow(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> Checkpoint:
    """A file of those shapes, with a tokenizer of its own, whose weights nobody may read."""
    texts = {"safelight.tokenizer": WORDS, **(metadata or {})}
    return Checkpoint(Path("shadow.safetensors"), Shadows(shapes), shapes, texts)
