r"""A region: where in the picture, how strongly and at which noise something is said.

Several things said of one picture are asked about apart and their guesses averaged,

    D = sum_i w_i D_i / sum_i w_i

with a weight w for each latent pixel.  Under a mask, w is the mask.  In an area without one,
w is the strength, with ramps along those sides that are not the latent's own edge, so that
areas flow into each other.  The network sees nothing but the area.

Symbols: B batch, H W latent pixels, h w those of an area.

Source: the averaging is Bar-Tal et al. 2023 (arXiv:2302.08113), equation 5; ramps and ranges
are customs of the programs that users bring their workflows from.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

RAMP = 8  # latent pixels over which an area fades in, at most a quarter of its side
LEAST = 8  # latent pixels that the bounds of a mask have on each side, at least


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of latent pixels."""

    height: int
    width: int
    top: int
    left: int

    @property
    def pixels(self) -> int:
        """How many latent pixels it has."""
        return self.height * self.width

    def cut(self, x: Float[Tensor, "*rest H W"]) -> Float[Tensor, "*rest h w"]:
        """Cut the rectangle out."""
        return x[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def within(self, height: int, width: int) -> "Box":
        """Shrink to what lies inside a latent of that size."""
        return Box(
            max(min(self.height, height - self.top), 0),
            max(min(self.width, width - self.left), 0),
            self.top,
            self.left,
        )

    def holds(self, other: "Box") -> bool:
        """Tell whether the other lies inside."""
        return (
            self.top <= other.top
            and self.left <= other.left
            and self.top + self.height >= other.top + other.height
            and self.left + self.width >= other.left + other.width
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """A rectangle as shares of the whole latent's sides, 0..1."""

    height: float
    width: float
    top: float
    left: float

    def box(self, height: int, width: int) -> Box:
        """Return the latent pixels of it, at least one on each side."""
        return Box(
            max(1, round(self.height * height)),
            max(1, round(self.width * width)),
            round(self.top * height),
            round(self.left * width),
        )


@dataclass(frozen=True, eq=False)
class Region:
    """Where, how strongly and when something is said; by default everywhere and always."""

    area: Box | Shares | None = None
    mask: Float[Tensor, "B H W"] | None = None  # of any size; it is fitted to the latent
    mask_strength: float = 1.0
    bounded: bool = False  # the network sees only what lies within the bounds of the mask
    strength: float = 1.0
    start: float = 0.0  # shares of the walk during which it is said, both ends included
    end: float = 1.0

    @property
    def flat(self) -> bool:
        """Whether it weighs the same, and something, in the whole picture."""
        return self.area is None and self.mask is None and self.strength > 0

    def box(self, height: int, width: int) -> Box | None:
        """Return what the network sees of a latent of that size; None is all of it."""
        if self.mask is not None and self.bounded:
            return _bounds(_fitted(self.mask, height, width)).within(height, width)
        area = self.area.box(height, width) if isinstance(self.area, Shares) else self.area
        return None if area is None else area.within(height, width)

    def weight(self, height: int, width: int) -> Float[Tensor, "B h w"]:
        """Return how much what is said counts in each latent pixel that the network sees."""
        box = self.box(height, width)
        if self.mask is not None:
            mask = _fitted(self.mask, height, width) * self.mask_strength * self.strength
            return mask if box is None else box.cut(mask)
        if box is None:
            return torch.full((1, height, width), self.strength, dtype=torch.float64)
        rows = _ramps(box.height, box.top > 0, box.top + box.height < height)
        columns = _ramps(box.width, box.left > 0, box.left + box.width < width)
        return (self.strength * rows[:, None] * columns)[None]


def _fitted(mask: Float[Tensor, "B H0 W0"], height: int, width: int) -> Float[Tensor, "B H W"]:
    """Resize a mask to the latent."""
    if mask.shape[1:] == (height, width):
        return mask
    return F.interpolate(mask[:, None], size=(height, width), mode="bilinear")[:, 0]


def _bounds(mask: Float[Tensor, "B H W"]) -> Box:
    """Return the smallest box around all that is not 0 in any mask of the batch."""
    rows, columns = mask.abs().amax(dim=0).nonzero(as_tuple=True)
    if not len(rows):
        return Box(LEAST, LEAST, 0, 0)
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) - top + 1, int(columns.max()) - left + 1
    return Box(max(LEAST, height), max(LEAST, width), top, left)


def _ramps(length: int, rises: bool, falls: bool) -> Float[Tensor, " {length}"]:
    """Return the weights along one side: up at its start, down at its end, 1 between."""
    ramp = min(RAMP, length // 4)
    weights = torch.ones(length, dtype=torch.float64)
    climb = torch.arange(1, ramp + 1, dtype=torch.float64) / max(ramp, 1)
    if rises:
        weights[:ramp] *= climb
    if falls:
        weights[length - ramp :] *= climb.flip(0)
    return weights
