r"""Tiling: large pictures by small pieces, with the same result.

An autoencoder's feature maps are largest where the picture is: at 1024 x 1024 pixels a
layer of 256 channels takes a gigabyte, and a layer needs several of them at once.  Nearly
every layer looks only one pixel around itself, so it may be computed tile by tile, each with
a rim of one pixel from its neighbours:

    conv(x)[tile] = conv(x[tile and rim])

Two layers look at everything.  Attention runs at the resolution of latents, where maps are
small, and is left whole.  Group normalisation needs the mean and variance of the whole map,
which are taken first; with them it is a multiplication and an addition at each pixel:

    norm(x) = a x + b,    a = weight / sqrt(var + eps),   b = bias - mean a

So the tiled result is the whole one, up to rounding: no seams, no overlap, no blending.  The
maps wait in the computer's memory, and the device holds a tile at a time.

Networks that enlarge pictures have no such layers but look far; `blended` lets their tiles
overlap and fades from one into the next.

Symbols: B batch, C channels, H x W pixels of a map.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from safelight.diffusion import headroom, memory
from safelight.diffusion.residual import ResidualBlock
from safelight.diffusion.streaming import Bytes
from safelight.diffusion.vae import AutoencoderKL, Gaussian, Grow, Level, Shrink

LEAST = 16  # pixels of a tile's side
Result = TypeVar("Result")
# (small) -> large, by a whole factor
Enlarge = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a map; `missing` counts the rim's pixels that lie outside of the map."""

    top: int
    left: int
    bottom: int
    right: int
    missing: tuple[int, int, int, int]  # left, right, top, bottom: as `F.pad` wants them

    def of(self, x: Tensor) -> Tensor:
        """Return the tile's own pixels."""
        return x[..., self.top : self.bottom, self.left : self.right]

    def with_rim(self, x: Tensor) -> Tensor:
        """Return the tile with one more pixel on every side that has neighbours."""
        left, right, top, bottom = self.missing
        rows = slice(self.top - 1 + top, self.bottom + 1 - bottom)
        return x[..., rows, slice(self.left - 1 + left, self.right + 1 - right)]


def tiles(height: int, width: int, side: int) -> Iterator[Tile]:
    """Cut a map into tiles of that side; the last ones are smaller."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            bottom, right = min(top + side, height), min(left + side, width)
            across = (int(left == 0), int(right == width))
            down = (int(top == 0), int(bottom == height))
            yield Tile(top, left, bottom, right, (*across, *down))


def decoded(
    vae: AutoencoderKL, latent: Float[Tensor, "B z h w"], side: int
) -> Float[Tensor, "B 3 H W"]:
    """Do what `vae.decode` does, in tiles of `side` pixels."""
    side = max(side, LEAST)
    decoder = vae.decoder
    x = decoder.middle(decoder.stem(vae.from_latent(_there(latent, decoder.stem)))).to(latent)
    for level in decoder.levels:
        assert isinstance(level, Level)
        x = _level(level, x, side)
    return _normed_conv(decoder.norm_out, decoder.conv_out, x, side)


def encoded(vae: AutoencoderKL, image: Float[Tensor, "B 3 H W"], side: int) -> Gaussian:
    """Do what `vae.encode` does, in tiles of `side` pixels.

    Raises:
        ValueError: a side of the picture is not a multiple of the downscale factor.
    """
    vae.check(image)
    side = max(side + side % 2, LEAST)  # halving wants even tiles
    encoder = vae.encoder
    x = _by_tiles(image, side, lambda patch, tile: _valid(encoder.stem, patch, tile.missing))
    for level in encoder.levels:
        assert isinstance(level, Level)
        x = _level(level, x, side)
    h = F.silu(encoder.norm_out(encoder.middle(_there(x, encoder.stem))))
    return vae.gaussian(encoder.conv_out(h))


def need(vae: AutoencoderKL, pixels: int, dtype: torch.dtype) -> int:
    """Return the bytes that a whole picture takes on its way, beside the weights.

    A block keeps what came in while it normalises, activates and convolves; the first one at
    the picture's own size is handed the channels of the level below.
    """
    return 4 * max(vae.config.widths[:2]) * pixels * dtype.itemsize


def sparing(*ways: Callable[[], Result], least: Bytes = 0) -> Result:
    """Compute the first of several ways to the same; where memory runs out, the next.

    Copies of networks that nobody is using are dropped before another way is tried.  The first
    way is not tried at all if the computer has not `least` bytes for it.
    """
    if least > headroom.left():
        memory.relieve()
        ways = ways[1:] if least > headroom.left() else ways
    for way in ways[:-1]:
        try:
            return way()
        except (MemoryError, RuntimeError) as error:
            if not headroom.ran_out(error):
                raise
        memory.relieve()  # only now, when the error holds on to nothing any more
    return ways[-1]()


def blended(
    x: Float[Tensor, "B C H W"], enlarge: Enlarge, side: int, overlap: int
) -> Iterator[Float[Tensor, "B C2 H2 W2"]]:
    """Enlarge overlapping tiles; yield the picture so far after each, the last one whole.

    Where tiles overlap, the later one fades in along a ramp.  What is yielded is the same
    tensor again and again, divided at the end.
    """
    height, width = x.shape[-2:]
    places = [(t, s) for t in _starts(height, side, overlap) for s in _starts(width, side, overlap)]
    total = weight = torch.empty(0)
    for done, (top, left) in enumerate(places, start=1):
        patch = enlarge(x[..., top : top + side, left : left + side])
        high, wide = patch.shape[-2:]
        scale = wide // min(side, width)
        if done == 1:
            total = patch.new_zeros(*patch.shape[:2], height * scale, width * scale)
            weight = patch.new_zeros(1, 1, height * scale, width * scale)
        fade = _fade(high, overlap * scale)[:, None] * _fade(wide, overlap * scale)
        rows, columns = (slice(t * scale, t * scale + n) for t, n in ((top, high), (left, wide)))
        total[..., rows, columns] += patch * fade.to(patch)
        weight[..., rows, columns] += fade.to(patch)
        if done == len(places):
            total /= weight
        yield total


def count(height: int, width: int, side: int, overlap: int) -> int:
    """Return how many tiles `blended` makes of a picture."""
    return len(_starts(height, side, overlap)) * len(_starts(width, side, overlap))


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Return where tiles start along an axis; the last one ends where the axis does."""
    if length <= side:
        return [0]
    step = max(side - overlap, 1)
    return [*range(0, length - side, step), length - side]


def _fade(length: int, overlap: int) -> Tensor:
    """Return weights that rise from near 0 to 1 over the overlap at both ends."""
    along = torch.arange(length) + 1.0
    return (torch.minimum(along, along.flip(0)) / max(overlap, 1)).clamp(max=1)


def _there(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Return a map where a layer's weights are, in their number format."""
    return x.to(layer.weight)


def _by_tiles(x: Tensor, side: int, function: Callable[[Tensor, Tile], Tensor]) -> Tensor:
    """Apply a function to every tile with its rim, and lay the results together."""
    height, width = x.shape[-2:]
    whole = torch.empty(0)
    for tile in tiles(height, width, side):
        part = function(tile.with_rim(x), tile).to(x)
        rows, columns = tile.bottom - tile.top, tile.right - tile.left
        if not whole.numel():  # only now it is known what the function makes of sizes
            size = (height * part.shape[-2] // rows, width * part.shape[-1] // columns)
            whole = x.new_empty(len(x), part.shape[1], *size)
        top, left = tile.top * part.shape[-2] // rows, tile.left * part.shape[-1] // columns
        whole[..., top : top + part.shape[-2], left : left + part.shape[-1]] = part
    return whole


def _level(level: Level, x: Tensor, side: int) -> Tensor:
    """Run a level: its blocks, then its change of resolution."""
    for block in level.blocks:
        assert isinstance(block, ResidualBlock)
        x = _residual(block, x, side)
    resize = level.resize
    if isinstance(resize, Grow):
        return _by_tiles(x, side, lambda patch, tile: _grown(resize.conv, patch, tile.missing))
    if isinstance(resize, Shrink):
        return _by_tiles(x, side, lambda patch, tile: _shrunk(resize.conv, patch, tile.missing))
    return x


def _residual(block: ResidualBlock, x: Tensor, side: int) -> Tensor:
    """Run a block without a clock."""
    h = _normed_conv(block.norm1, block.conv1, x, side)
    h = _normed_conv(block.norm2, block.conv2, h, side)
    for tile in tiles(x.shape[-2], x.shape[-1], side):
        tile.of(h).add_(block.skip(_there(tile.of(x), block.conv1)).to(h))
    return h


def _normed_conv(norm: nn.GroupNorm, conv: nn.Conv2d, x: Tensor, side: int) -> Tensor:
    """Compute conv(silu(norm(x)))."""
    scale, shift = (part.to(conv.weight) for part in _affine(norm, x))

    def function(patch: Tensor, tile: Tile) -> Tensor:
        h = F.silu(torch.addcmul(shift, _there(patch, conv), scale))
        return _valid(conv, h, tile.missing)

    return _by_tiles(x, side, function)


def _affine(norm: nn.GroupNorm, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return a and b, each [B, C, 1, 1], for the statistics of a whole map."""
    means, deviations = [], []
    for group in x.chunk(norm.num_groups, dim=1):
        variance, mean = torch.var_mean(group.float(), dim=(1, 2, 3), correction=0)
        means.append(mean)
        deviations.append((variance + norm.eps).rsqrt())
    width = x.shape[1] // norm.num_groups
    mean, deviation = (torch.stack(s, 1).repeat_interleave(width, 1) for s in (means, deviations))
    scale = norm.weight.to(mean) * deviation  # B C
    shift = norm.bias.to(mean) - mean * scale
    return scale[:, :, None, None], shift[:, :, None, None]


def _valid(conv: nn.Conv2d, patch: Tensor, missing: tuple[int, int, int, int]) -> Tensor:
    """Convolve a tile with its rim, where the rim lies outside of the map with zeros there."""
    padded = F.pad(_there(patch, conv), missing)
    return F.conv2d(padded, conv.weight, conv.bias, stride=conv.stride)


def _grown(conv: nn.Conv2d, patch: Tensor, missing: tuple[int, int, int, int]) -> Tensor:
    """Double a tile: of its rim, now two pixels wide, the inner one is used."""
    large = F.interpolate(patch, scale_factor=2.0, mode="nearest")
    left, right, top, bottom = (1 if gone else -1 for gone in missing)
    return _valid(conv, large, (left, right, top, bottom))


def _shrunk(conv: nn.Conv2d, patch: Tensor, missing: tuple[int, int, int, int]) -> Tensor:
    """Halve a tile: the rim is used right and below only, as `Shrink` pads."""
    left, right, top, bottom = missing
    return _valid(conv, patch, (left - 1, right, top - 1, bottom))
