r"""Attention altered: deaf to others, louder, softer, or overheard.

    identity      A = 1:  out = V W_o              each pixel listens only to itself
                  A_xx = 1                         in a transformer where it also hears words
    multiplied    q Q, k K, v V, o (...) W_o       q k > 1 sharpens what is listened to
    witnessed     unchanged, and A is written down

Symbols: Q K V queries, keys, values; A = softmax(Q K^T / sqrt(d)), A_xx its part between
patches; W_o projection back.

Source: Ahn et al. 2024 (arXiv:2403.17377), section 4.2, for the identity.
"""

import math
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Attention, Listening, attend
from safelight.diffusion.change import CannotChange, Change, Moment, parts
from safelight.diffusion.flux import Flux
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.spatial import TransformerLayer
from safelight.diffusion.variant import variant

MIDDLE = "middle."
PROJECTIONS = ("query", "key", "value", "out")

Network = TypeVar("Network", bound=nn.Module)


class Deaf(nn.Module):
    """Self-attention in which each pixel hears only itself."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Return V W_o."""
        return self.attention.out(self.attention.value(x))


class DeafPatches(nn.Module):
    """Joint attention in which each patch hears itself and the words, but no other patch."""

    def __init__(self, heads: int, patches: int) -> None:
        super().__init__()
        self.heads = heads
        self.patches = patches  # the last ones of all tokens

    def forward(
        self,
        query: Float[Tensor, "B N C"],
        key: Float[Tensor, "B N C"],
        value: Float[Tensor, "B N C"],
    ) -> Float[Tensor, "B N C"]:
        """Mix, with a score of minus infinity between different patches."""
        tokens, words = query.shape[1], query.shape[1] - self.patches
        bias = query.new_zeros(tokens, tokens)
        bias[words:, words:] = -torch.inf
        bias.fill_diagonal_(0)
        return attend(query, key, value, self.heads, bias=bias[None, None])


def identity(network: nn.Module, moment: Moment) -> nn.Module:
    """Let the pixels in the middle of a network listen only to themselves.

    The middle of a U-Net is its bottom; of a transformer the block of two streams halfway.

    Raises:
        CannotChange: the network has no such middle.
    """
    if isinstance(network, MMDiT | Flux):
        path = _halfway(network)
        (name, listening), *_ = parts(network, Listening, f"{path}.")
        return variant(network, {name: DeafPatches(listening.heads, patches(network, moment))})
    middle = _middle(network)
    return variant(network, {path: Deaf(_heart(layer.to_pixels)) for path, layer in middle})


def patches(network: MMDiT | Flux, moment: Moment) -> int:
    """Return how many patches a transformer makes of a latent."""
    patch = network.config.patch
    return math.ceil(moment.height / patch) * math.ceil(moment.width / patch)


class Louder(nn.Module):
    """A projection whose result is multiplied."""

    def __init__(self, projection: nn.Module, factor: float) -> None:
        super().__init__()
        self.projection = projection
        self.factor = factor

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N D"]:
        """Return (x W + b) times the factor."""
        heard: Tensor = self.projection(x)
        return heard * self.factor


def multiplied(
    network: nn.Module, which: Literal["to_pixels", "to_prompt"], factors: tuple[float, ...]
) -> nn.Module:
    """Multiply query, key, value and result in every self- or cross-attention.

    Raises:
        CannotChange: the network has no attention of that kind.
    """
    layers = list(parts(network, TransformerLayer))
    if not layers:
        raise CannotChange(f"{type(network).__name__} has no transformer layers of a U-Net")
    within = tuple(f"{path}.{which}" for path, _ in layers)
    return louder(network, factors, within)


def louder(
    network: Network, factors: tuple[float, ...], within: tuple[str, ...] = ("",)
) -> Network:
    """Multiply query, key, value and result of every attention below some paths."""
    altered: dict[str, nn.Module] = {}
    for path, attention in parts(network, Attention):
        if path.startswith(within):
            for name, factor in zip(PROJECTIONS, factors, strict=True):
                if factor != 1:
                    altered[f"{path}.{name}"] = Louder(getattr(attention, name), factor)
    return variant(network, altered)


@dataclass(eq=False)
class Witness:
    """What attention looked at in the last call; it lives for one walk."""

    map: Tensor | None = field(default=None, repr=False)

    def last(self, batch: int) -> Float[Tensor, "B heads N N"] | None:
        """Return the maps of the last pictures of the batch."""
        return None if self.map is None else self.map[-batch:]


class Overheard(nn.Module):
    """Self-attention that writes its map down."""

    def __init__(self, attention: nn.Module, witness: Witness) -> None:
        super().__init__()
        self.attention = attention
        self.witness = witness

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Compute as ever."""
        heart = _heart(self.attention)
        split = (*x.shape[:2], heart.heads, -1)
        projections = heart.query(x), heart.key(x)
        query, key = (part.reshape(split).transpose(1, 2).float() for part in projections)
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        self.witness.map = torch.softmax(scores, dim=-1)  # B heads N N
        heard: Tensor = self.attention(x)
        return heard


def witnessed(witness: Witness) -> Change:
    """Return a change that alters nothing, and writes down the first attention of the middle."""

    def overhear(network: nn.Module, moment: Moment) -> nn.Module:
        path, layer = _middle(network)[0]
        return variant(network, {path: Overheard(layer.to_pixels, witness)})

    return overhear


def _halfway(network: MMDiT | Flux) -> str:
    """Return the path of the block of two streams in the middle of a transformer."""
    if isinstance(network, Flux):
        return f"double_blocks.{len(network.double_blocks) // 2}"
    half = network.config.depth // 2
    return f"blocks.{half}" if half < len(network.blocks) else "last"


def _middle(network: nn.Module) -> list[tuple[str, TransformerLayer]]:
    """Return the layers in the middle of a U-Net, with the paths of their self-attention."""
    found = list(parts(network, TransformerLayer, MIDDLE))
    if not found:
        raise CannotChange(f"{type(network).__name__} has no middle with attention, as U-Nets have")
    return [(f"{path}.to_pixels", layer) for path, layer in found]


def _heart(attention: nn.Module) -> Attention:
    """Return the attention itself, out of what other changes have put around it."""
    _, found = next(parts(attention, Attention))
    return found
