r"""Geometry: cut, turn, flip, pad and line up planes of pixels.

    window    a rectangle of the old pixels, never empty: it is moved back into the picture
    rotated   quarter turns clockwise
    padded    the old pixels with others around them; a window of it gives them back
    feather   a ramp from 0 to 1 along chosen sides, for seams nobody sees

A pixel at distance d from the nearest *new* edge of an outpainted picture belongs to the old
picture by 1 - ((f - d) / f)^2 for d < f, so that the old pixels next to the seam may change.

Symbols: B batch, H x W pixels, f width of the feathering in pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Sides:
    """A number of pixels for each side of a picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


def window(
    x: Float[Tensor, "*B H W"], left: int, top: int, width: int, height: int
) -> Float[Tensor, "*B h w"]:
    """Cut a rectangle out; what sticks out of the picture is missing from the result."""
    rows, columns = x.shape[-2:]
    top, left = min(top, rows - 1), min(left, columns - 1)
    return x[..., top : top + height, left : left + width]


def rotated(x: Float[Tensor, "*B H W"], quarters: int) -> Float[Tensor, "*B H2 W2"]:
    """Turn by quarters of a circle, clockwise."""
    return torch.rot90(x, quarters, dims=(-1, -2))


def flipped(x: Float[Tensor, "*B H W"], *, upside_down: bool) -> Float[Tensor, "*B H W"]:
    """Mirror: top and bottom change places, or else left and right."""
    return x.flip(-2 if upside_down else -1)


def padded(
    x: Float[Tensor, "*B H W"], sides: Sides, value: float = 0.0
) -> Float[Tensor, "*B H2 W2"]:
    """Put pixels of one value around a picture."""
    return F.pad(x, (sides.left, sides.right, sides.top, sides.bottom), value=value)


def centred(
    x: Float[Tensor, "*B H W"], height: int, width: int, value: float = 0.0
) -> Float[Tensor, "*B {height} {width}"]:
    """Pad a picture to a size, evenly on both sides; an odd pixel goes right and below.

    Raises:
        ValueError: the picture is larger than that.
    """
    rows, columns = x.shape[-2:]
    down, across = height - rows, width - columns
    if min(down, across) < 0:
        raise ValueError(f"a {columns}x{rows} picture does not fit into {width}x{height}")
    top, left = down // 2, across // 2
    return padded(x, Sides(left, top, across - left, down - top), value)


def outpainting_mask(
    height: int, width: int, sides: Sides, feathering: int
) -> Float[Tensor, "1 H W"]:
    """Return where an outpainted picture is to be painted: 1 outside, falling off inside.

    `height` and `width` are those of the old picture.  A picture too small for the
    feathering gets none.
    """
    inside = torch.zeros(height, width)
    if 0 < feathering * 2 < min(height, width):
        inside = _distance(height, width, sides)
        inside = ((feathering - inside) / feathering).clamp(min=0) ** 2
    return padded(inside, sides, 1.0)[None]


def feather(height: int, width: int, sides: Sides) -> Float[Tensor, "{height} {width}"]:
    """Return a ramp 1/n, 2/n ... 1 inwards from each side, n being the side's number."""
    across = _ramp(width, sides.left) * _ramp(width, sides.right).flip(0)
    down = _ramp(height, sides.top) * _ramp(height, sides.bottom).flip(0)
    return down[:, None] * across[None, :]


def repeated(x: Float[Tensor, "B *rest"], batch: int) -> Float[Tensor, "batch *rest"]:
    """Make a batch of that many: repeat it from the start, or cut it short."""
    rounds = -(-batch // x.shape[0])
    return x.repeat(rounds, *(1 for _ in x.shape[1:]))[:batch]


def same_channels(
    *planes: Float[Tensor, "_ _ _ _"], value: float = 1.0
) -> list[Float[Tensor, "_ C _ _"]]:
    """Give pictures with fewer channels further ones (opaque alpha), so that all are alike."""
    most = max(x.shape[1] for x in planes)
    return [F.pad(x, (0, 0, 0, 0, 0, most - x.shape[1]), value=value) for x in planes]


def _distance(height: int, width: int, sides: Sides) -> Tensor:
    """Return every pixel's distance from the nearest side that is padded, in pixels."""
    far = torch.tensor(float("inf"))
    rows, columns = torch.arange(height)[:, None].float(), torch.arange(width)[None, :].float()
    nearest = far.expand(height, width)
    for wide, distance in (
        (sides.top, rows),
        (sides.bottom, height - rows),
        (sides.left, columns),
        (sides.right, width - columns),
    ):
        nearest = torch.minimum(nearest, distance if wide else far)
    return nearest


def _ramp(length: int, wide: int) -> Tensor:
    """Return 1/n .. 1 over the first n of `length` pixels, 1 for the others."""
    wide = min(wide, length)
    return ((torch.arange(length) + 1) / max(wide, 1)).clamp(max=1)
