"""Where weights live and in which number format they compute; only this file moves them.

A checkpoint stays mapped from its file, usually in float16.  A network is copied once, the
first time it is used, into memory of the device in the format that the device computes
fast; the mapped original is left alone, so the same file can serve two placements.  Copies
are kept tensor by tensor: a variant that shares tensors with its original (see `variant`)
shares their copies too, and placing it converts only what is its own.

Room.  Copies lie on a `shelf` with a budget of bytes.  Where it is too small, copies that are
not in use make room; where that is not enough, a part of the network is streamed (see
`streaming`): its weights stay in the file and are converted each time they are used.  A
network whose weights already are in the right place and format is used as it lies: if that
is a mapped file, the system reads and drops its pages as it sees fit.

Formats.  float32 is exact and the reference.  bfloat16 has float32's range with 8 bits of
precision; on a CPU it pays only where the processor multiplies it natively (AVX512-BF16
or AMX), elsewhere it is emulated and slow.  float16 has more precision and overflows past
65504, which the decoder's feature maps can reach.  Norms and softmax stay safe in all of
them because torch's kernels accumulate those in float32 inside.

Layout.  In half precision on a CPU, convolutions read their weights channels last, as the
processor's own products want them: 6 % of a step of Stable Diffusion 1.5's U-Net, and 12 % of a
decoded picture (256 pixels, torch 2.13); activations then follow.  float32 keeps its order.
"""

from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from safelight.diffusion.headroom import ran_out
from safelight.diffusion.shelf import Copy, Shelf
from safelight.diffusion.streaming import Bytes, Streamed, lasting

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["auto", "float32", "bfloat16", "float16"]

Network = TypeVar("Network", bound=nn.Module)

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
NATIVE_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})  # as Linux names the abilities
STRETCH = 256 * 2**20  # bytes of a file that are read before they are let go of


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

    A copy is made at the first use and kept while `network` lives and there is room for it.  A
    network that is already there is lent as it is.
    """
    with torch.no_grad():  # not inference mode, whose tensors nobody may later write to
        if all(_fits(tensor, placement) for tensor in _tensors(network)):
            yield network
            return
        with SHELF.lent(copy := _copy(network, placement)):
            assert isinstance(copy.network, type(network))
            yield copy.network


def limit(budget: Bytes) -> None:
    """Say how many bytes of copies may be kept; what is too much goes at once.

    Raises:
        ValueError: the budget is negative or no number.
    """
    if not budget >= 0:
        raise ValueError(f"a memory budget of {budget} bytes cannot be kept: want 0 or more")
    with SHELF.lock:
        SHELF.budget = budget
        SHELF.clear()


def relieve() -> None:
    """Drop all copies that nobody is using, since memory has run out."""
    with SHELF.lock:
        SHELF.empty()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


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


# The copies of this process, which shares one memory.
SHELF = Shelf()

# tensor of a network -> its copies by placement, for all networks that share it; weak, so that
# it is the copies of networks that keep them.
_CONVERTED: MutableMapping[Tensor, dict[Placement, ref[Tensor]]] = WeakTensorKeyDictionary()

# network -> how to let go of the file its tensors are mapped from.
_FILES: WeakKeyDictionary[nn.Module, Callable[[], None]] = WeakKeyDictionary()


@dataclass(eq=False)
class _Reader:
    """Converts the tensors of a network, letting go of their file every now and then."""

    placement: Placement
    forget: Callable[[], None]
    unforgotten: int = 0  # bytes

    def __call__(self, tensor: Tensor) -> Tensor:
        """Return a tensor at the placement."""
        copy = _at(tensor, self.placement)
        self.unforgotten += tensor.nbytes
        if self.unforgotten > STRETCH:
            self.forget()
            self.unforgotten = 0
        return copy


def _copy(network: nn.Module, placement: Placement) -> Copy:
    """Return the copy of `network` at `placement`, making it if need be."""
    with SHELF.lock:
        copy = SHELF.find(network, placement)
        if copy is not None:
            return copy
        try:
            copy = _copied(network, placement, inf)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
        if copy is None:
            relieve()
            copy = _copied(network, placement, 0)
        SHELF.put(network, placement, copy)
        return copy


def _copied(network: nn.Module, placement: Placement, most: Bytes) -> Copy:
    """Copy the structure of a network around weights at `placement`, keeping `most` new bytes.

    `deepcopy` is handed the new weights as if it had made them, so the originals are read once
    each and never copied as they are.
    """
    tensors = {id(tensor): tensor for tensor in _tensors(network)}
    sizes = {name: _size(tensor, placement) for name, tensor in tensors.items()}
    known = {name: _known(tensor, placement) for name, tensor in tensors.items()}
    made = {name: copy for name, copy in known.items() if copy is not None}
    new = {name: size for name, size in sizes.items() if name not in made}
    vacant = SHELF.vacant
    room = SHELF.clear(sum(new.values()), {id(made[name]): sizes[name] for name in made})
    lasts = lasting(new, min(room, most))
    read = _Reader(placement, _FILES.get(network, lambda: None))
    made |= {name: _kept(tensors[name], read) for name in new if name in lasts}
    owned = {id(copy): sizes[name] for name, copy in made.items()}
    made |= {name: _streamed(tensors[name], read) for name in new if name not in lasts}
    copy = deepcopy(network, dict[int, object](made))
    read.forget()
    return Copy(copy, owned, inf if len(lasts) == len(new) else vacant)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    """Yield the weights of a network; what two layers own comes twice."""
    yield from network.parameters()
    yield from network.buffers()


def _fits(tensor: Tensor, placement: Placement) -> bool:
    """Tell whether a tensor is on the device and, if it has fractions, in the format."""
    there = tensor.device.type == placement.device.type
    return there and (tensor.dtype == placement.dtype or not tensor.is_floating_point())


def _size(tensor: Tensor, placement: Placement) -> int:
    """Return the bytes of a tensor's copy; one that is there already needs none."""
    return 0 if _fits(tensor, placement) else tensor.numel() * _dtype(tensor, placement).itemsize


def _known(tensor: Tensor, placement: Placement) -> Tensor | None:
    """Return the copy of a tensor that another network has, if there is one."""
    copy = _CONVERTED.get(tensor, {}).get(placement)
    return None if copy is None else copy()


def _kept(tensor: Tensor, read: _Reader) -> Tensor:
    """Return a copy of a tensor, for every network that has the tensor."""
    copy = read(tensor)
    if isinstance(tensor, nn.Parameter):
        copy = nn.Parameter(copy, requires_grad=False)
    _CONVERTED.setdefault(tensor, {})[read.placement] = ref(copy)
    return copy


def _streamed(tensor: Tensor, read: _Reader) -> Tensor:
    """Return a stand-in for a tensor that is read when it is used."""
    placement = read.placement
    looks = torch.empty_like(tensor, dtype=_dtype(tensor, placement), device="meta")
    return Streamed(partial(read, tensor), looks, placement.device)


def _at(tensor: Tensor, placement: Placement) -> Tensor:
    """Return a tensor at `placement`."""
    there = tensor.detach().to(placement.device, _dtype(tensor, placement))
    last = tensor.ndim == 4 and there.is_cpu and there.dtype == torch.bfloat16
    return there.contiguous(memory_format=torch.channels_last) if last else there


def _dtype(tensor: Tensor, placement: Placement) -> torch.dtype:
    """Return the format of a tensor's copy; whole numbers keep theirs."""
    return placement.dtype if tensor.is_floating_point() else tensor.dtype
