r"""The U-Net: the network that looks at a noisy latent and says what is noise.

The latent walks down to coarser and coarser resolutions and up again; on the way up each
level is handed what the way down saw at the same resolution, so that fine detail need
not squeeze through the bottom:

    down:    h_0 = stem(x),  h_{i+1} = block_i(h_i, t, c)      all h_i are kept
    middle:  h = residual, transformer, residual
    up:      h = block([h, h_i], t, c)                         taken back, last first
    out:     conv(silu(norm(h)))

A block is a residual block (told the time t) and, where the level has attention, a
transformer whose pixels listen to each other and to the prompt c.  Later versions are also
told a vector y about the whole picture, such as its size; it is embedded and added to the
embedding of the time, and so reaches every residual block.  Another network may add residuals
to the feature maps (see `control`).

Symbols: B batch, C channels, h x w latent pixels, T time width, L tokens, D token width,
Y numbers of y.

Source: Ronneberger et al. 2015 (arXiv:1505.04597); Ho et al. 2020 (arXiv:2006.11239),
appendix B; Rombach et al. 2022 (arXiv:2112.10752), section 3.3 and appendix E; Podell et
al. 2023 (arXiv:2307.01952), section 2, for y.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.control import NOTHING, Residuals, added
from safelight.diffusion.embedding import TimeEmbedding, VectorEmbedding
from safelight.diffusion.residual import ResidualBlock, ResidualConfig
from safelight.diffusion.spatial import Transformer, TransformerConfig


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """The sizes of a U-Net; the defaults are Stable Diffusion 1's."""

    channels_in: int = 4
    channels_out: int = 4
    width: int = 320  # channels at the latent's own resolution
    multipliers: tuple[int, ...] = (1, 2, 4, 4)  # times `width`, one level per halving
    blocks: int = 2  # a level on the way down; one more on the way up
    depths: tuple[int, ...] = (1, 1, 1, 0)  # transformer layers in each block of a level
    middle_depth: int = 1
    context_width: int = 768
    heads: int = 8
    head_width: int | None = None  # instead of `heads`, which then rise with the channels
    linear: bool = False  # transformers begin and end with matrices, not convolutions
    vector_width: int | None = None  # numbers about the whole picture that it is told
    groups: int = 32

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, from the latent's resolution down."""
        return tuple(self.width * multiplier for multiplier in self.multipliers)

    @property
    def time_width(self) -> int:
        """Width of the time embedding."""
        return 4 * self.width

    @property
    def skips(self) -> tuple[int, ...]:
        """Channels of every feature map that the way down keeps, in order."""
        kept = [self.width]
        for level, width in enumerate(self.widths):
            kept += [width] * self.blocks
            if level < len(self.widths) - 1:
                kept.append(width)  # after the level has shrunk
        return tuple(kept)

    def heads_at(self, width: int) -> int:
        """Attention heads of a level with so many channels."""
        return self.heads if self.head_width is None else max(width // self.head_width, 1)

    def transformer(self, width: int, depth: int) -> Transformer:
        """One transformer of this network."""
        heads, context = self.heads_at(width), self.context_width
        return Transformer(
            TransformerConfig(width, depth, heads, context, self.groups, self.linear)
        )

    def residual(self, channels_in: int, channels_out: int) -> ResidualBlock:
        """One residual block of this network."""
        return ResidualBlock(
            ResidualConfig(channels_in, channels_out, self.time_width, self.groups)
        )


class Block(nn.Module):
    """A residual block and, at levels that have attention, a transformer."""

    def __init__(self, config: UNetConfig, channels_in: int, channels_out: int, depth: int) -> None:
        super().__init__()
        self.residual = config.residual(channels_in, channels_out)
        self.transformer = config.transformer(channels_out, depth) if depth else None

    def forward(
        self,
        x: Float[Tensor, "B C_in h w"],
        time: Float[Tensor, "B T"],
        context: Float[Tensor, "B L D"],
    ) -> Float[Tensor, "B C_out h w"]:
        """Refine the feature map, told the time and the prompt."""
        h = self.residual(x, time)
        return h if self.transformer is None else self.transformer(h, context)


class Shrink(nn.Module):
    """Halve the feature map with a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h_half w_half"]:
        """Odd sides round up."""
        return self.conv(x)


class Grow(nn.Module):
    """Enlarge the feature map to a given size: repeat pixels, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "B C h w"], size: torch.Size
    ) -> Float[Tensor, "B C h_next w_next"]:
        """Grow to `size`, which is that of the next skip: odd sides come back exactly."""
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


class DownLevel(nn.Module):
    """The blocks of one resolution on the way down."""

    def __init__(self, config: UNetConfig, level: int) -> None:
        super().__init__()
        before, width = config.widths[max(level - 1, 0)], config.widths[level]
        depth, last = config.depths[level], len(config.widths) - 1
        self.blocks = nn.ModuleList(
            Block(config, before if i == 0 else width, width, depth) for i in range(config.blocks)
        )
        self.shrink = Shrink(width) if level < last else None

    def forward(
        self,
        x: Float[Tensor, "B C_in h w"],
        time: Float[Tensor, "B T"],
        context: Float[Tensor, "B L D"],
        passing: Sequence[Tensor | None] = (),
    ) -> list[Tensor]:
        """Every feature map of this level in order, `passing` added; the last goes on down."""
        maps: list[Tensor] = []
        more = iter(passing)
        for block in self.blocks:
            x = added(block(x, time, context), next(more, None))
            maps.append(x)
        return maps if self.shrink is None else [*maps, added(self.shrink(x), next(more, None))]


class UpLevel(nn.Module):
    """The blocks of one resolution on the way up; `skips` are the widths it takes back."""

    def __init__(
        self, config: UNetConfig, level: int, channels_in: int, skips: tuple[int, ...]
    ) -> None:
        super().__init__()
        width = config.widths[level]
        self.blocks = nn.ModuleList(
            Block(config, (channels_in if i == 0 else width) + skip, width, config.depths[level])
            for i, skip in enumerate(skips)
        )
        self.grow = Grow(width) if level > 0 else None

    def forward(
        self,
        x: Float[Tensor, "B C_in h w"],
        skips: Sequence[Tensor],
        time: Float[Tensor, "B T"],
        context: Float[Tensor, "B L D"],
        size: torch.Size,
    ) -> Float[Tensor, "B C_out h_next w_next"]:
        """Take back one kept map for each block, then grow to `size` (height, width)."""
        for block, skip in zip(self.blocks, skips, strict=True):
            x = block(torch.cat([x, skip], dim=1), time, context)
        return x if self.grow is None else self.grow(x, size)


class Middle(nn.Module):
    """The bottom of the U."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        width = config.widths[-1]
        self.before = config.residual(width, width)
        self.transformer = config.transformer(width, config.middle_depth)
        self.after = config.residual(width, width)

    def forward(
        self,
        x: Float[Tensor, "B C h w"],
        time: Float[Tensor, "B T"],
        context: Float[Tensor, "B L D"],
    ) -> Float[Tensor, "B C h w"]:
        """Refine, exchange, refine."""
        return self.after(self.transformer(self.before(x, time), context), time)


class Half(nn.Module):
    """The way down and the bottom of the U: what a U-Net and a ControlNet have in common."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.time = TimeEmbedding(config.width, config.time_width)
        told = config.vector_width
        self.vector = None if told is None else VectorEmbedding(told, config.time_width)
        self.stem = nn.Conv2d(config.channels_in, config.width, 3, padding=1)
        self.down = nn.ModuleList(DownLevel(config, i) for i in range(len(config.widths)))
        self.middle = Middle(config)

    def clock(
        self, timestep: Float[Tensor, " B"], vector: Float[Tensor, "B Y"] | None
    ) -> Float[Tensor, "B T"]:
        """Embed the time and, where the network takes one, the vector.

        Raises:
            ValueError: `vector` is missing, or is not of the width the network was made for.
        """
        given = None if vector is None else vector.shape[1]
        if given != self.config.vector_width:
            wanted = self.config.vector_width
            raise ValueError(f"this U-Net wants a vector of {wanted} numbers, got {given}")
        time = self.time(timestep)
        return time if vector is None or self.vector is None else time + self.vector(vector)

    def descend(
        self,
        h: Float[Tensor, "B C h w"],
        time: Float[Tensor, "B T"],
        context: Float[Tensor, "B L D"],
        passing: Sequence[Tensor | None] = (),
    ) -> list[Tensor]:
        """Return every feature map of the way down, the stem's first."""
        kept = [added(h, passing[0] if passing else None)]
        for level in self.down:
            kept += level(kept[-1], time, context, passing[len(kept) :])
        return kept


class UNet(Half):
    """Noisy latent, time and prompt -> the noise (or velocity) in the latent."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        widths, count, skips = config.widths, config.blocks + 1, config.skips[::-1]
        self.up = nn.ModuleList(  # deepest first
            UpLevel(config, level, widths[min(level + 1, len(widths) - 1)], skips[i : i + count])
            for level, i in zip(
                reversed(range(len(widths))), range(0, len(skips), count), strict=True
            )
        )
        self.norm_out = nn.GroupNorm(config.groups, config.width)
        self.conv_out = nn.Conv2d(config.width, config.channels_out, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)

    def forward(
        self,
        x: Float[Tensor, "B C h w"],
        timestep: Float[Tensor, " B"],
        context: Float[Tensor, "B L D"],
        vector: Float[Tensor, "B Y"] | None = None,
        residuals: Residuals = NOTHING,
    ) -> Float[Tensor, "B C_out h w"]:
        """Predict what the network was trained to: noise, or velocity.

        `x` is scaled to unit variance (see `denoiser`), `timestep` is in 0..999.

        Raises:
            ValueError: `vector` is missing, or is not of the width the network was made for.
        """
        time = self.clock(timestep, vector)
        kept = self.descend(self.stem(x), time, context, residuals.passing)
        h = added(self.middle(kept[-1], time, context), residuals.middle)
        if residuals.kept:
            kept = [added(*pair) for pair in zip(kept, residuals.kept, strict=True)]
        taken = self.config.blocks + 1  # skips a level takes back
        for level in self.up:
            skips, kept = kept[-taken:], kept[:-taken]
            size = kept[-1].shape[2:] if kept else h.shape[2:]
            h = level(h, skips[::-1], time, context, size)
        return self.conv_out(F.silu(self.norm_out(h)))
