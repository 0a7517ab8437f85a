r"""Tiles: let pixels listen only to those in the same tile.

    (n_h h') (n_w w') pixels  ->  n_h n_w pictures of h' w' pixels  ->  and back

Self-attention costs the square of the number of pixels; within n tiles it costs 1/n of that.
Seams do not show, because the sides of the tiles change from call to call and everything but
this attention still sees the whole picture.

Symbols: h w pixels of a feature map, n_h n_w tiles, C channels.

Source: github.com/tfernd/HyperTile (2023).
"""

import random
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.change import CannotChange, Change, Moment, parts
from safelight.diffusion.spatial import Transformer
from safelight.diffusion.variant import variant

LEAST = 32  # pixels along a tile, at least
DOWNSCALE = 8  # pixels of a picture along one of its latent


@dataclass(frozen=True, slots=True)
class Tiling:
    """How to cut."""

    side: int = 256  # of a tile, in pixels of the picture
    choices: int = 2  # tile sizes to draw from
    depth: int = 0  # times a feature map may have been halved
    deeper_larger: bool = False  # double the tiles with each halving


class Tiled(nn.Module):
    """Self-attention within tiles."""

    def __init__(self, attention: nn.Module, size: tuple[int, int], tiles: tuple[int, int]) -> None:
        super().__init__()
        self.attention = attention
        self.size = size
        self.tiles = tiles

    def forward(
        self, x: Float[Tensor, "B N C"], context: Float[Tensor, "B M C"] | None = None
    ) -> Float[Tensor, "B N C"]:
        """Cut, attend, put together.

        Pixels that were merged (`merging`) or shrunk (`shrinking`) lie in no tile.
        """
        if context is not None or x.shape[1] != self.size[0] * self.size[1]:
            whole: Tensor = self.attention(x, context)
            return whole
        (height, width), (rows, columns) = self.size, self.tiles
        sides = (rows, height // rows, columns, width // columns)
        cut = x.reshape(x.shape[0], *sides, x.shape[2]).transpose(2, 3)  # B n_h n_w h' w' C
        heard: Tensor = self.attention(cut.flatten(3, 4).flatten(0, 2))
        return heard.reshape(cut.shape).transpose(2, 3).flatten(1, 4)


def tiled(tiling: Tiling) -> Change:
    """Return the change; a tile as large as the latent is no change.

    At use it raises `CannotChange` for anything but a U-Net with attention.
    """

    def tile(network: nn.Module, moment: Moment) -> nn.Module:
        drawn = random.Random(moment.seed)
        found: dict[str, nn.Module] = {}
        for path, layer, halvings in transformer_layers(network):
            if halvings > tiling.depth:
                continue
            size = halved(moment, halvings)
            side = max(LEAST, tiling.side) // DOWNSCALE
            side *= 2**halvings if tiling.deeper_larger else 1
            rows, columns = (_count(length, side, tiling.choices, drawn) for length in size)
            if rows * columns > 1:
                attention = layer.get_submodule("to_pixels")
                found[f"{path}.to_pixels"] = Tiled(attention, size, (rows, columns))
        return variant(network, found)

    return tile


def transformer_layers(network: nn.Module) -> list[tuple[str, nn.Module, int]]:
    """Return every layer with its path and how often its feature map was halved.

    Raises:
        CannotChange: there are none, or it is no U-Net.
    """
    levels = len(getattr(network, "up", ()))
    found: list[tuple[str, nn.Module, int]] = []
    for path, transformer in parts(network, Transformer):
        where, index, *_ = path.split(".")
        count = levels - 1  # in the middle
        if where in ("down", "up"):
            count = int(index) if where == "down" else levels - 1 - int(index)
        for number, layer in enumerate(transformer.layers):
            found.append((f"{path}.layers.{number}", layer, count))
    if not found:
        raise CannotChange(f"{type(network).__name__} has no transformer layers of a U-Net")
    return found


def halved(moment: Moment, times: int) -> tuple[int, int]:
    """Return the sides of a feature map after so many halvings, which round up."""
    height, width = moment.height, moment.width
    for _ in range(times):
        height, width = -(-height // 2), -(-width // 2)
    return height, width


def _count(length: int, side: int, choices: int, drawn: random.Random) -> int:
    """Draw into how many tiles a length is cut: they are of `side` or the next that divide it."""
    least = min(side, length)
    sides = [size for size in range(least, length + 1) if length % size == 0]
    return length // drawn.choice(sides[:choices])
