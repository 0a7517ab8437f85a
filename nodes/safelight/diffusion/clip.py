r"""CLIP's text encoder: a prompt becomes 77 vectors that a denoiser can listen to.

    x = token(ids) + position                         look the words up
    x = x + attention(norm1(x)), causal               each word hears those before it
    x = x + W_2 g(W_1 norm2(x))                       then thinks alone
    out = norm(x)                                     after the last layer
    pooled = P norm(x)[end]                           one vector: what the end token heard

OpenAI's tower takes g(a) = a sigmoid(1.702 a); the larger ones of OpenCLIP (called H and
bigG) take the GELU that this approximates.

It was trained beside an image encoder so that a caption's vector points where its
picture's vector points.  Stable Diffusion takes the vectors of all positions, not only
the one that CLIP was trained on.  "CLIP skip" n leaves out the last n layers and still
applies the final norm; some models were trained that way.  Stable Diffusion XL takes a
layer's output without that norm, and the pooled vector beside it.

Symbols: B batch, L positions (77), D width, P pooled width.

Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4; the transformer is GPT-2's.
Cherti et al. 2022 (arXiv:2212.07143) for OpenCLIP.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight.diffusion.attention import Attention


@dataclass(frozen=True, slots=True)
class TextConfig:
    """The sizes of a text tower; the defaults are CLIP ViT-L/14's, Stable Diffusion 1's."""

    vocabulary: int = 49408
    width: int = 768
    layers: int = 12
    heads: int = 12
    positions: int = 77
    activation: Literal["quick_gelu", "gelu"] = "quick_gelu"
    pooled_width: int | None = None  # None: the pooled vector is not projected


class QuickGELU(nn.Module):
    """The sigmoid approximation of GELU that OpenAI's CLIP was trained with."""

    def forward(self, x: Float[Tensor, "B L D"]) -> Float[Tensor, "B L D"]:
        """Gate each number by a sigmoid of itself."""
        return x * torch.sigmoid(1.702 * x)


class TextLayer(nn.Module):
    """One transformer layer: listen to the words before, then think alone."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        width = config.width
        gate = QuickGELU() if config.activation == "quick_gelu" else nn.GELU()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, config.heads, bias=True)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), gate, nn.Linear(4 * width, width)
        )

    def forward(self, x: Float[Tensor, "B L D"]) -> Float[Tensor, "B L D"]:
        """Refine every position."""
        x = x + self.attention(self.norm1(x), causal=True)
        return x + self.feed_forward(self.norm2(x))


class TextEncoder(nn.Module):
    """Token ids -> one vector per position."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.positions, config.width)
        self.layers = nn.ModuleList(TextLayer(config) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(config.width)
        pooled = config.pooled_width
        self.projection = nn.Linear(config.width, pooled, bias=False) if pooled else None
        # GPT-2's scales: small enough that the position does not drown the word.
        nn.init.normal_(self.token.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.01)

    def forward(self, ids: Int[Tensor, "B L"], skip_last: int = 0) -> Float[Tensor, "B L D"]:
        """Encode chunks of token ids, leaving out the last `skip_last` layers.

        Raises:
            ValueError: `skip_last` is negative or leaves no layer.
        """
        return self.norm_out(self._through(ids, self._kept(skip_last)))

    def read(
        self, ids: Int[Tensor, "B L"], end: int, skip_last: int = 0, normed: bool = True
    ) -> tuple[Float[Tensor, "B L D"], Float[Tensor, "B P"]]:
        """Return the vectors of all positions, and one that stands for each whole chunk.

        The pooled vector has been through every layer, whatever is skipped; it is that of
        the first `end` token.

        Raises:
            ValueError: `skip_last` is negative or leaves no layer.
        """
        kept = self._kept(skip_last)
        x = self._through(ids, kept)
        last = x
        for layer in self.layers[kept:]:
            last = layer(last)
        ends = ids.eq(end).int().argmax(dim=1)
        pooled = self.norm_out(last[torch.arange(len(ids), device=ids.device), ends])  # B D
        pooled = pooled if self.projection is None else self.projection(pooled)
        return self.norm_out(x) if normed else x, pooled

    def _kept(self, skip_last: int) -> int:
        """Return the number of layers left when the last ones are skipped."""
        if not 0 <= skip_last < len(self.layers):
            raise ValueError(
                f"cannot skip the last {skip_last} of {len(self.layers)} layers of the text encoder"
            )
        return len(self.layers) - skip_last

    def _through(self, ids: Int[Tensor, "B L"], layers: int) -> Float[Tensor, "B L D"]:
        """Look the words up and go through the first `layers` layers."""
        x = self.token(ids) + self.position.weight[: ids.shape[1]]
        for layer in self.layers[:layers]:
            x = layer(x)
        return x
