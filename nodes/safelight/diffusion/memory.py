"""Where weights live and in which number format they compute; only this file moves them.

A checkpoint stays mapped from its file, usually in float16.  A network is copied once, the
first time it is used, into memory of the device in the format that the device computes
fast; the mapped original is left alone, so the same file can serve two placements.  Copies
are kept tensor by tensor: a variant that shares tensors with its original (see `variant`)
shares their copies too, and placing it converts only what is its own.

Formats.  float32 is exact and the reference.  bfloat16 has float32's range with 8 bits of
precision; on a CPU it pays only where the processor multiplies it natively (AVX512-BF16
or AMX), elsewhere it is emulated and slow.  float16 has more precision and overflows past
65504, which the decoder's feature maps can reach.  Norms and softmax stay safe in all of
them because torch's kernels accumulate those in float32 inside.

Layout.  Keep NCHW: on a CPU, GroupNorm and SiLU are several times slower in channels last
than in NCHW (measured with torch 2.13), which costs more than the convolutions win.
"""

from collections.abc import Callable, Generator, MutableMapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["auto", "float32", "bfloat16", "float16"]

Network = TypeVar("Network", bound=nn.Module)

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
NATIVE_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})  # as Linux names the abilities


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the number format to compute in."""

    device: torch.device
    dtype: torch.dtype

    @property
    def for_text(self) -> "Placement":
        """The text encoder runs once a prompt: on a CPU exactness costs nothing there."""
        return replace(self, dtype=torch.float32) if self.device.type == "cpu" else self

    @property
    def for_pictures(self) -> "Placement":
        """The autoencoder overflows in float16, so it takes float32 in its stead."""
        return replace(self, dtype=torch.float32) if self.dtype == torch.float16 else self


def choose(device: str = "auto", precision: str = "auto") -> Placement:
    """Resolve what the user asked for against what this machine has.

    "auto" is CUDA where there is one, and the fastest format the device computes natively:
    float16 on CUDA, bfloat16 or else float32 on a CPU.

    Raises:
        ValueError: a name is not known, or the device asked for is not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"no device {device!r}; there are auto, cpu, cuda")
    if precision not in ("auto", *FORMATS):
        raise ValueError(f"no precision {precision!r}; there are auto, {', '.join(FORMATS)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but torch sees no CUDA device here")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if precision != "auto":
        dtype = FORMATS[precision]
    elif kind == "cuda":
        dtype = torch.float16
    else:
        dtype = torch.bfloat16 if cpu_has_bfloat16() else torch.float32
    return Placement(torch.device(kind), dtype)


def cpu_has_bfloat16(abilities: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the processor multiplies bfloat16 natively; if unsure, say no.

    Read from Linux's list of abilities, and where there is none from torch's own look at
    the processor (what it offers for that differs between versions).
    """
    if abilities.is_file():
        for line in abilities.read_text().splitlines():
            if line.startswith("flags"):
                return not NATIVE_BFLOAT16.isdisjoint(line.split())
        return False
    look = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(look is not None and look())


@contextmanager
def resident(network: Network, placement: Placement) -> Generator[Network, None, None]:
    """Lend a network that computes at `placement`, gradients off.

    The copy is made at the first use and kept for as long as `network` itself lives.  A
    network that is already there is lent as it is.
    """
    placed = _placed(network, placement)
    with torch.no_grad():  # not inference mode, whose tensors nobody may later write to
        yield placed


def lies_in_file(network: nn.Module, forget: Callable[[], None]) -> None:
    """Say that a network's tensors are a mapped file, and how to let go of what was read.

    Without this a file that has been copied would count as memory in use beside its copy.
    """
    _FILES[network] = forget


def lies_in_same_file(network: nn.Module, original: nn.Module) -> None:
    """Say that a variant shares the mapped tensors of `original`, if these are mapped."""
    if original in _FILES:
        _FILES[network] = _FILES[original]


def moved(tensor: Tensor, placement: Placement) -> Tensor:
    """Return a tensor on the device, in float32: what a sampler adds up must stay exact."""
    return tensor.to(placement.device, torch.float32)


def converted(tensor: Tensor, placement: Placement) -> Tensor:
    """Return a tensor as a network at `placement` takes it."""
    return tensor.to(placement.device, placement.dtype)


# network -> its copies by placement; weak, so that a dropped model frees its memory.
_COPIES: WeakKeyDictionary[nn.Module, dict[Placement, nn.Module]] = WeakKeyDictionary()


# tensor of a network -> its copies by placement, for all networks that share it.
_CONVERTED: MutableMapping[Tensor, dict[Placement, Tensor]] = WeakTensorKeyDictionary()

# network -> how to let go of the file its tensors are mapped from.
_FILES: WeakKeyDictionary[nn.Module, Callable[[], None]] = WeakKeyDictionary()


def _placed(network: Network, placement: Placement) -> Network:
    """Return the copy of `network` at `placement`, making it if need be."""
    tensors = [*network.parameters(), *network.buffers()]
    if all(_fits(tensor, placement) for tensor in tensors):
        return network
    copies = _COPIES.setdefault(network, {})
    if placement not in copies:
        copies[placement] = _copied(network, placement)
        _FILES.get(network, lambda: None)()
    copy = copies[placement]
    assert isinstance(copy, type(network))
    return copy


def _fits(tensor: Tensor, placement: Placement) -> bool:
    """Tell whether a tensor is on the device and, if it has fractions, in the format."""
    there = tensor.device.type == placement.device.type
    return there and (tensor.dtype == placement.dtype or not tensor.is_floating_point())


def _copied(network: Network, placement: Placement) -> Network:
    """Copy the structure of a network around converted tensors, tensor by tensor.

    `deepcopy` is handed the converted tensors as if it had made them, so the originals are
    read once each and never copied as they are.
    """
    made: dict[int, object] = {}
    for tensor in (*network.parameters(), *network.buffers()):
        made[id(tensor)] = _shared(tensor, placement)
    return deepcopy(network, made)


def _shared(tensor: Tensor, placement: Placement) -> Tensor:
    """Return the copy of a tensor that every network which has the tensor gets."""
    if tensor not in _CONVERTED:
        _CONVERTED[tensor] = {}
    copies = _CONVERTED[tensor]
    if placement not in copies:
        copy = _at(tensor, placement)
        weight = isinstance(tensor, nn.Parameter)
        copies[placement] = nn.Parameter(copy, requires_grad=False) if weight else copy
    return copies[placement]


def _at(tensor: Tensor, placement: Placement) -> Tensor:
    """Return a tensor at `placement`; whole numbers keep their format."""
    dtype = placement.dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(placement.device, dtype)
