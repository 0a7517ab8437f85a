r"""Weights: from a file's bytes to a network, without a copy and without a doubt.

A safetensors file begins with its table of contents:

    8 bytes     n, the length of the header (little-endian)
    n bytes     JSON: {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...}
    the rest    the tensors, each `end - begin` bytes, one after the other

`open_checkpoint` maps the rest: a tensor is a view of the file, read from disk when a layer
first needs it.  Nothing in the format can run code; pickles (.ckpt, .pt) are refused.

Files name their tensors after the attribute paths of whoever trained them, ours are named
for what they are.  A `Table` translates module paths, theirs to ours.  `assemble` builds an
empty network that adopts the mapped tensors, if every name and every shape agrees.

Source: the safetensors format, github.com/huggingface/safetensors, README "Format".
"""

import json
import math
import mmap
import os
import secrets
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Module path in a file -> module path in our network, without the parameter's own name.
Table = Mapping[str, str]
Shapes = Mapping[str, tuple[int, ...]]

Network = TypeVar("Network", bound=nn.Module)

HEADER_LIMIT = 100_000_000  # bytes; the format's own limit, against absurd allocations
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

_PICKLE = (
    "this is a pickle, whatever its name says; a pickle can run code when it is opened, "
    "so convert it to safetensors first"
)
_WEB_PAGE = "this is a web page; the download of the file went wrong"
# How files begin that are handed in by mistake -> what to tell their owner.
MISTAKEN = {
    b"PK\x03\x04": _PICKLE,  # torch.save since 2020: pickles in a zip archive
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), _PICKLE),
    b"version ": "this is a Git LFS pointer; the file it stands for was not downloaded",
    **dict.fromkeys((b"<!", b"<html"), _WEB_PAGE),
}


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message names the file and says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class MisfitError(ValueError):
    """Tensors that do not fit the network they were meant for; lists every one."""

    def __init__(self, misfits: Iterable[str]) -> None:
        self.misfits = tuple(misfits)
        shown, more = list(self.misfits[:20]), len(self.misfits) - 20
        rest = [f"and {more} more"] if more > 0 else []
        lines = [f"{len(self.misfits)} tensors do not fit:", *shown, *rest]
        super().__init__("\n  ".join(lines))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a file's table of contents; offsets count from the start of the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class Tensors(Mapping[str, Tensor]):
    """The tensors of a file, each made on demand as a view of the mapped bytes."""

    def __init__(self, entries: Mapping[str, Entry], buffer: mmap.mmap) -> None:
        self._entries = entries
        self._buffer = buffer

    def __getitem__(self, name: str) -> Tensor:
        entry = self._entries[name]
        if entry.begin == entry.end:
            return torch.empty(entry.shape, dtype=entry.dtype)
        count = entry.end - entry.begin
        raw = torch.frombuffer(self._buffer, dtype=torch.uint8, count=count, offset=entry.begin)
        if entry.begin % entry.dtype.itemsize:
            raw = raw.clone()  # a header of odd length shifts everything out of step
        return raw.view(entry.dtype).reshape(entry.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def forget(self) -> None:
        """Let go of the memory that has been read; what is asked for again is read again."""
        if sys.platform == "linux":
            self._buffer.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A mapped file: what it holds, without having read it."""

    path: Path
    tensors: Tensors
    shapes: Shapes
    metadata: Mapping[str, str]


def open_checkpoint(path: Path) -> Checkpoint:
    """Map a safetensors file.

    Raises:
        CheckpointError: it is missing, a folder, a pickle, cut short, or not safetensors.
    """
    if path.is_dir():
        raise CheckpointError(path, "this is a folder, not a checkpoint file")
    if not path.is_file():
        raise CheckpointError(path, "there is no such file")
    size = path.stat().st_size
    with path.open("rb") as file:
        header, start = _header(path, file.read(8), size, file.read)
        if size == start:
            raise CheckpointError(path, "this safetensors file holds no tensors")
        # Copy-on-write: torch wants memory it may write to, the file stays as it is.
        buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise CheckpointError(path, "its header is damaged: the metadata are not a table")
    entries = {name: _entry(path, name, raw, start) for name, raw in header.items()}
    end = max((entry.end for entry in entries.values()), default=start)
    if end > size:
        raise CheckpointError(path, f"cut short: it should have {end} bytes and has {size}")
    shapes = {name: entry.shape for name, entry in entries.items()}
    texts = {str(key): str(value) for key, value in metadata.items()}
    return Checkpoint(path, Tensors(entries, buffer), shapes, texts)


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file whole or not at all: temporary name, sync, rename."""
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    draft.touch()
    permissions = draft.stat().st_mode  # as the user wants files to be; save_file has its own
    try:
        save_file(own, draft, metadata=dict(metadata))
        draft.chmod(permissions)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def under(theirs: str, ours: str, table: Table) -> dict[str, str]:
    """Return `table` moved below two module paths; an empty path moves nothing."""
    return {_join(theirs, name): _join(ours, own) for name, own in table.items()}


def names_in_file(own_names: Iterable[str], table: Table) -> dict[str, str]:
    """Return our tensor name -> the file's, for every one of `own_names`.

    Raises:
        KeyError: a module of ours is not in the table, which is a mistake in the table.
    """
    inverse = {own: name for name, own in table.items()}
    split = {name: name.rpartition(".") for name in own_names}
    return {name: _join(inverse[module], leaf) for name, (module, _, leaf) in split.items()}


def assemble(
    network_factory: Callable[[], Network], tensors: Mapping[str, Tensor], table: Table
) -> Network:
    """Build a network around `tensors` (named as in the file), copying none of them.

    The skeleton is made on the meta device, where tensors have shapes and no numbers, and
    without drawing the random numbers a network is born with.
    The result is in evaluation mode and asks for no gradients.

    Raises:
        MisfitError: names or shapes differ; every difference is listed by the file's name.
    """
    with torch.device("meta"), _Unborn():
        network = network_factory()
    wanted = network.state_dict()
    named = names_in_file(wanted, table)
    found = {name: tensors[file] for name, file in named.items() if file in tensors}
    misfits = [f"{named[name]}: not in the file" for name in wanted if name not in found]
    misfits += [
        f"{named[name]}: the file has {list(tensor.shape)}, want {list(wanted[name].shape)}"
        for name, tensor in found.items()
        if tensor.shape != wanted[name].shape
    ]
    misfits += [f"{name}: unknown" for name in tensors.keys() - set(named.values())]
    if misfits:
        raise MisfitError(sorted(misfits))
    network.load_state_dict(found, assign=True)
    return network.requires_grad_(False).eval()


def exported(network: nn.Module, table: Table) -> dict[str, Tensor]:
    """Return a network's tensors under the file's names: `assemble` read backwards."""
    own = network.state_dict()
    return {file: own[name] for name, file in names_in_file(own, table).items()}


class _Unborn(TorchFunctionMode):
    """While active, `torch.nn.init` leaves every tensor as it is."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


def _header(
    path: Path, prefix: bytes, size: int, read: Callable[[int], bytes]
) -> tuple[dict[str, object], int]:
    """Read the header; return it with the offset at which the tensors start."""
    if len(prefix) < 8:
        raise CheckpointError(path, f"not a safetensors file: it has only {size} bytes")
    (length,) = struct.unpack("<Q", prefix)
    if length > HEADER_LIMIT:
        absurd = f"it claims a header of {length} bytes, more than the {HEADER_LIMIT} allowed"
        mistaken = [reason for start, reason in MISTAKEN.items() if prefix.startswith(start)]
        raise CheckpointError(path, *mistaken or [f"not a safetensors file: {absurd}"])
    if 8 + length > size:
        has = f"its header should have {length} bytes and has {size - 8}"
        raise CheckpointError(path, f"cut short: {has}")
    try:
        header = json.loads(read(length))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(path, "not a safetensors file: its header is not JSON") from error
    if not isinstance(header, dict):
        raise CheckpointError(path, "not a safetensors file: its header is not a table")
    return header, 8 + length


def _entry(path: Path, name: str, raw: object, start: int) -> Entry:
    """Check one line of the header."""
    match raw:
        case {"dtype": str(code), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise CheckpointError(path, f"its header is damaged: cannot read entry {name!r}")
    if code not in DTYPES:
        raise CheckpointError(path, f"tensor {name!r} has a number format unknown here: {code}")
    if not all(isinstance(side, int) and side >= 0 for side in shape) or begin < 0:
        raise CheckpointError(path, f"its header is damaged: cannot read entry {name!r}")
    if end - begin != math.prod(shape) * DTYPES[code].itemsize:
        raise CheckpointError(
            path, f"its header is damaged: {name!r} of {shape} {code} in {end - begin} bytes"
        )
    return Entry(DTYPES[code], tuple(shape), start + begin, start + end)


def _join(path: str, name: str) -> str:
    """Put a dot between two paths unless one is empty."""
    return f"{path}.{name}" if path and name else path or name
