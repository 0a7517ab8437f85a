r"""The transformer of the U-Net: a feature map read as a sequence of pixels.

    h = in(norm(x))                     h w pixels in a row, C numbers each
    h = h + attention(norm1(h))         pixels listen to pixels
    h = h + attention(norm2(h), c)      pixels listen to the prompt
    h = h + W_2 (a * gelu(b)),  [a, b] = W_1 norm3(h)      and think alone
    y = x + out(h)

The three middle lines are one layer; networks have from one to ten of them in a row.
`in` and `out` work on each pixel alone: version 1 writes them as 1 x 1 convolutions, later
versions as matrices, which is the same sum over another shape of weights.

Symbols: B batch, C channels, h x w pixels, N = h w, L tokens, D token width.

Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.3; Shazeer 2020
(arXiv:2002.05202) for the gated feed-forward half, GEGLU.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Attention


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """The sizes of one transformer."""

    width: int
    depth: int
    heads: int
    context_width: int
    groups: int
    linear: bool  # matrices at both ends instead of 1 x 1 convolutions


class GatedFeedForward(nn.Module):
    """The feed-forward half of a transformer layer: (a W_a) * gelu(a W_g), then back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value_and_gate = nn.Linear(width, 8 * width)
        self.out = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Think about each position alone."""
        value, gate = self.value_and_gate(x).chunk(2, dim=-1)
        return self.out(value * F.gelu(gate))


class TransformerLayer(nn.Module):
    """Pixels listen to pixels, then to the prompt, then think alone."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.to_pixels = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.to_prompt = Attention(width, heads, context_width)
        self.norm3 = nn.LayerNorm(width)
        self.feed_forward = GatedFeedForward(width)

    def forward(
        self, x: Float[Tensor, "B N C"], context: Float[Tensor, "B L D"]
    ) -> Float[Tensor, "B N C"]:
        """Refine every pixel."""
        x = x + self.to_pixels(self.norm1(x))
        x = x + self.to_prompt(self.norm2(x), context)
        return x + self.feed_forward(self.norm3(x))


class Transformer(nn.Module):
    """A feature map as a sequence of pixels, through transformer layers and back."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.linear = config.linear
        self.norm = nn.GroupNorm(config.groups, width, eps=1e-6)
        self.project_in = nn.Linear(width, width) if self.linear else nn.Conv2d(width, width, 1)
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.heads, config.context_width) for _ in range(config.depth)
        )
        self.project_out = nn.Linear(width, width) if self.linear else nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.project_out.weight)  # a fresh transformer changes nothing

    def forward(
        self, x: Float[Tensor, "B C h w"], context: Float[Tensor, "B L D"]
    ) -> Float[Tensor, "B C h w"]:
        """Add to each pixel what it heard."""
        h = self.norm(x)
        h = self.project_in(_pixels(h)) if self.linear else _pixels(self.project_in(h))  # B N C
        for layer in self.layers:
            h = layer(h, context)
        if self.linear:
            return x + self.project_out(h).transpose(1, 2).reshape(x.shape)
        return x + self.project_out(h.transpose(1, 2).reshape(x.shape))


def _pixels(x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B N C"]:
    """Lay the pixels of a feature map in a row."""
    return x.flatten(2).transpose(1, 2)
