r"""Adapters: the small matrices of a LoRA while they learn, beside a network that does not.

    y = W x + (alpha / r) B A x

W stays as it is; A begins with random numbers, B with zeros, so that the first picture is
the network's own.  Beside a convolution, A looks with its kernel and B is 1 x 1.  Afterwards
B A is added to W (see `diffusion.lora`), so that a trained LoRA costs no time when drawing.

Symbols: W a weight of the network, A: r x in, B: out x r, r rank.

Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor, nn

from safelight.diffusion.variant import variant

Network = TypeVar("Network", bound=nn.Module)
Layer = nn.Linear | nn.Conv2d


class Adapter(nn.Module):
    """A and B of one layer."""

    def __init__(self, layer: Layer, rank: int, alpha: float) -> None:
        super().__init__()
        self.scale = alpha / rank
        self.down: Layer
        self.up: Layer
        if isinstance(layer, nn.Conv2d):
            self.down = _narrowed(layer, rank)
            self.up = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        else:
            self.down = nn.Linear(layer.in_features, rank, bias=False)
            self.up = nn.Linear(rank, layer.out_features, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to the layer's answer."""
        return self.scale * self.up(self.down(x))


class Adapted(nn.Module):
    """A layer and the adapter beside it."""

    def __init__(self, layer: Layer, adapter: Adapter) -> None:
        super().__init__()
        self.layer, self.adapter = layer, adapter

    def forward(self, x: Tensor) -> Tensor:
        """Answer as both do together."""
        return self.layer(x) + self.adapter(x)


@dataclass(frozen=True, eq=False)
class Learner(Generic[Network]):
    """A network with adapters in it, and the adapters alone by the paths of their layers."""

    network: Network
    adapters: nn.ModuleDict  # keyed by path with "/" for "."

    @property
    def by_path(self) -> dict[str, Adapter]:
        """The adapters by the paths of their layers."""
        return {
            key.replace("/", "."): adapter
            for key, adapter in self.adapters.items()
            if isinstance(adapter, Adapter)
        }


def _narrowed(layer: nn.Conv2d, channels: int) -> nn.Conv2d:
    """Return a fresh convolution that looks as `layer` does, to fewer channels."""
    (tall, wide), (down, right), padding = layer.kernel_size, layer.stride, layer.padding
    around = padding if isinstance(padding, str) else (padding[0], padding[1])
    kernel, stride = (tall, wide), (down, right)
    return nn.Conv2d(layer.in_channels, channels, kernel, stride, around, bias=False)


def adapted(network: Network, targets: Sequence[str], rank: int, alpha: float) -> Learner[Network]:
    """Put adapters beside all layers whose path has one of `targets` in it.

    The network itself is left alone; what comes back shares its tensors.

    Raises:
        ValueError: no layer is meant, or the rank is no rank.
    """
    if rank < 1:
        raise ValueError(f"a LoRA needs a rank of at least 1, got {rank}")
    layers = {
        path: layer
        for path, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and any(part in path for part in targets)
    }
    if not layers:
        raise ValueError(f"no layer of the {type(network).__name__} has {' or '.join(targets)}")
    made = {path: Adapter(layer, rank, alpha) for path, layer in layers.items()}
    parts = {path: Adapted(layer, made[path]) for path, layer in layers.items()}
    named = nn.ModuleDict({path.replace(".", "/"): adapter for path, adapter in made.items()})
    return Learner(variant(network, parts), named)
