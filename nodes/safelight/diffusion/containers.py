r"""Containers: files that hold tensors otherwise than one safetensors file does.

    .gguf          llama.cpp's format; numbers in blocks, each with a scale of its own, so
                   that 4 to 8 bits a number suffice:   x_i ~ scale_b q_i (+ offset_b)
    .index.json    a list of safetensors files ("shards") and which tensor lies in which

Both become a `Checkpoint` like any other, and are read on demand.  Blocks of GGUF are turned
into float16 when their tensor is asked for, by the package `gguf`, which Safelight does not
bring along (`pip install gguf`).

In a GGUF file axes are listed from the last to the first.  Denoisers keep their tensors'
names; T5 has names of llama.cpp's, which `T5_NAMES` takes back.

Source: github.com/ggml-org/ggml, docs/gguf.md; huggingface.co/docs/safetensors (sharding).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from safelight.diffusion.scaled import unscaled
from safelight.diffusion.weights import (
    Checkpoint,
    CheckpointError,
    Tensors,
    open_checkpoint,
)

GGUF = ".gguf"
INDEX = ".index.json"
# Formats of plain numbers in a GGUF file -> ours; all others are blocks.
PLAIN = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# Where files made for pictures tell the shape of a tensor that had to be stored otherwise.
SHAPE_KEY = "comfy.gguf.orig_shape."

# llama.cpp's names of T5's parts -> T5's own.
T5_NAMES: Mapping[str, str] = {
    "token_embd": "shared",
    "enc.output_norm": "encoder.final_layer_norm",
    **{
        f"enc.blk.{{}}.{theirs}": f"encoder.block.{{}}.layer.{own}"
        for theirs, own in {
            "attn_norm": "0.layer_norm",
            "attn_q": "0.SelfAttention.q",
            "attn_k": "0.SelfAttention.k",
            "attn_v": "0.SelfAttention.v",
            "attn_o": "0.SelfAttention.o",
            "attn_rel_b": "0.SelfAttention.relative_attention_bias",
            "ffn_norm": "1.layer_norm",
            "ffn_gate": "1.DenseReluDense.wi_0",
            "ffn_up": "1.DenseReluDense.wi_1",
            "ffn_down": "1.DenseReluDense.wo",
        }.items()
    },
}


class Made(Tensors):
    """Tensors that are made when they are asked for."""

    def __init__(
        self, makers: Mapping[str, Callable[[], Tensor]], forget: Callable[[], None]
    ) -> None:
        self._makers = makers
        self._forget = forget

    def __getitem__(self, name: str) -> Tensor:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def forget(self) -> None:
        """Let go of the memory that has been read."""
        self._forget()


def open_container(path: Path) -> Checkpoint:
    """Open a file of any container: GGUF, the index of shards, or plain safetensors.

    Weights that are stored with a scale are what they stand for (see `scaled`).

    Raises:
        CheckpointError: it cannot be opened; says why.
    """
    if path.suffix == GGUF:
        return open_gguf(path)
    return unscaled(open_shards(path) if path.name.endswith(INDEX) else open_checkpoint(path))


def open_shards(index: Path) -> Checkpoint:
    """Open the safetensors files that an index lists, as one.

    Raises:
        CheckpointError: the index cannot be read, leads out of its folder, or a file is not
            what it says.
    """
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = {name: index.parent / file for name, file in places.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(index, "this is no index of safetensors files") from error
    outside = sorted({file for file in places.values() if Path(file).name != file})
    if outside:
        raise CheckpointError(index, f"it leads out of its folder: {', '.join(outside)}")
    opened = {path: open_checkpoint(path) for path in sorted(set(shards.values()))}
    for name, path in shards.items():
        if name not in opened[path].shapes:
            raise CheckpointError(path, f"it lacks the tensor {name}, which {index.name} promises")
    metadata: dict[str, str] = {}
    for checkpoint in opened.values():
        metadata |= checkpoint.metadata

    def maker(name: str) -> Callable[[], Tensor]:
        return lambda: opened[shards[name]].tensors[name]

    def forget() -> None:
        for checkpoint in opened.values():
            checkpoint.tensors.forget()

    makers = {name: maker(name) for name in shards}
    shapes = {name: opened[path].shapes[name] for name, path in shards.items()}
    return Checkpoint(index, Made(makers, forget), shapes, metadata)


def open_gguf(path: Path) -> Checkpoint:
    """Open a GGUF file.

    Raises:
        CheckpointError: the package is missing, or the file is damaged or not GGUF.
    """
    if find_spec("gguf") is None:
        raise CheckpointError(path, "to read GGUF files, install the package gguf")
    gguf: Any = import_module("gguf")  # by name, for it need not be there
    try:
        reader: Any = gguf.GGUFReader(str(path), "c")  # private pages, as torch wants
    except Exception as error:  # the package raises whatever its parsing meets
        raise CheckpointError(path, f"not a GGUF file, or damaged: {error}") from error
    entries = {_own_name(tensor.name): _Entry.of(reader, tensor) for tensor in reader.tensors}

    def maker(entry: _Entry) -> Callable[[], Tensor]:
        return lambda: entry.tensor(gguf)

    makers = {name: maker(entry) for name, entry in entries.items()}
    shapes = {name: entry.shape for name, entry in entries.items()}
    return Checkpoint(path, Made(makers, lambda: None), shapes, {})


@dataclass(frozen=True, eq=False)
class _Entry:
    """A tensor of a GGUF file, not yet read."""

    raw: Any
    shape: tuple[int, ...]

    @classmethod
    def of(cls, reader: Any, raw: Any) -> "_Entry":
        """Find out its shape."""
        told = reader.get_field(f"{SHAPE_KEY}{raw.name}")
        axes = [int(told.parts[part][0]) for part in told.data] if told else raw.shape[::-1]
        return cls(raw, tuple(int(axis) for axis in axes))

    def tensor(self, gguf: Any) -> Tensor:
        """Read it: plain numbers as they are, blocks as float16."""
        kind = self.raw.tensor_type.name
        numbers = torch.from_numpy(gguf.quants.dequantize(self.raw.data, self.raw.tensor_type))
        return numbers.to(PLAIN.get(kind, torch.float16)).reshape(self.shape)


def _own_name(name: str) -> str:
    """Return T5's own name of a tensor that llama.cpp has named, any other as it is."""
    module, _, leaf = name.rpartition(".")
    number = re.search(r"(?<=^enc\.blk\.)\d+", module)
    general = re.sub(r"^enc\.blk\.\d+", "enc.blk.{}", module)
    own = T5_NAMES.get(general)
    return name if own is None else f"{own.format(number[0] if number else '')}.{leaf}"
