r"""CLIP's other half: a picture as vectors, so that a picture can be a prompt.

A picture is cut into patches of p x p pixels.  Each becomes a vector, a learnt one for the
whole picture stands before them, and a transformer lets all listen to all:

    x_0 = norm([class, patch(picture)] + position)       OpenAI's and OpenCLIP's
    x_0 = patch(picture) + position                      SigLIP's, which has no class
    x_n = layer_n(x_(n-1))

Three things are read from it: the vectors after the last layer, those of the layer before
it (finer, for adapters), and one vector in the space that it shares with the text tower:

    pooled = W norm(x_last[class])

Symbols: B batch, N vectors (patches, and perhaps one more), D width, P width of the shared
space, S side of the picture in pixels.

Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4; Dosovitskiy et al. 2020
(arXiv:2010.11929), section 3.1; Zhai et al. 2023 (arXiv:2303.15343) for SigLIP.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Attention
from safelight.diffusion.clip import QuickGELU
from safelight.diffusion.resample import crop_to_aspect

Activation = Literal["quick_gelu", "gelu", "gelu_tanh"]

# What is taken off each colour, and what it is divided by: of CLIP's training pictures.
CLIP_MEAN, CLIP_DEVIATION = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
SIGLIP_MEAN, SIGLIP_DEVIATION = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """The sizes of a vision tower; the defaults are CLIP ViT-L/14's."""

    width: int = 1024
    layers: int = 24
    heads: int = 16
    hidden: int = 4096  # between the two matrices of a layer's feed-forward half
    patch_px: int = 14
    side_px: int = 224
    activation: Activation = "quick_gelu"
    classed: bool = True  # a vector for the whole picture stands first; SigLIP has none
    pooled_width: int | None = 768  # None: nothing is shared with a text tower
    epsilon: float = 1e-5

    @property
    def positions(self) -> int:
        """The number of vectors."""
        return (self.side_px // self.patch_px) ** 2 + self.classed


class Seen(NamedTuple):
    """What a vision tower sees in pictures."""

    last: Float[Tensor, "B N D"]
    penultimate: Float[Tensor, "B N D"]
    pooled: Float[Tensor, "B P"] | None


class VisionLayer(nn.Module):
    """One transformer layer: every patch listens to all, then thinks alone."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, epsilon = config.width, config.epsilon
        self.norm1 = nn.LayerNorm(width, eps=epsilon)
        self.attention = Attention(width, config.heads, bias=True)
        self.norm2 = nn.LayerNorm(width, eps=epsilon)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.hidden), _gate(config), nn.Linear(config.hidden, width)
        )

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Refine every vector."""
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class VisionEncoder(nn.Module):
    """Pictures, made ready by `prepared`, as vectors."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        width, epsilon = config.width, config.epsilon
        self.patch = nn.Conv2d(
            3, width, config.patch_px, stride=config.patch_px, bias=not config.classed
        )
        self.class_embedding = nn.Parameter(torch.randn(width) * 0.02) if config.classed else None
        self.position = nn.Embedding(config.positions, width)
        self.norm_in = nn.LayerNorm(width, eps=epsilon) if config.classed else None
        self.layers = nn.ModuleList(VisionLayer(config) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(width, eps=epsilon)
        pooled = config.pooled_width
        self.projection = nn.Linear(width, pooled, bias=False) if pooled else None

    def forward(self, image: Float[Tensor, "B 3 S S"]) -> Seen:
        """Look.  SigLIP's last vectors are normalised, CLIP's are as the layer gives them."""
        x = self.patch(image).flatten(2).transpose(1, 2)  # B N D
        if self.class_embedding is not None:
            x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], dim=1)
        x = x + self.position.weight
        x = x if self.norm_in is None else self.norm_in(x)
        before = x
        for layer in self.layers:
            before, x = x, layer(x)
        if self.class_embedding is None:
            return Seen(self.norm_out(x), before, None)
        pooled = self.norm_out(x[:, 0])
        return Seen(x, before, pooled if self.projection is None else self.projection(pooled))


def prepared(
    planes: Float[Tensor, "B 3 H W"], config: VisionConfig, *, cropped: bool = True
) -> Float[Tensor, "B 3 S S"]:
    """Make pictures in 0..1 ready: the middle square (or all, pressed into it), 8 bits, scaled."""
    side = config.side_px
    square = crop_to_aspect(planes, side, side) if cropped else planes
    small = F.interpolate(square, (side, side), mode="bicubic", antialias=True)
    levels = (small * 255).clamp(0, 255).round() / 255
    mean, deviation = (
        (CLIP_MEAN, CLIP_DEVIATION) if config.classed else (SIGLIP_MEAN, SIGLIP_DEVIATION)
    )
    return (levels - _colours(mean)) / _colours(deviation)


def _colours(values: tuple[float, float, float]) -> Float[Tensor, "3 1 1"]:
    return torch.tensor(values)[:, None, None]


def _gate(config: VisionConfig) -> nn.Module:
    if config.activation == "quick_gelu":
        return QuickGELU()
    return nn.GELU(approximate="tanh" if config.activation == "gelu_tanh" else "none")
