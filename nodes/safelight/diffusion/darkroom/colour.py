r"""Colour: brightness apart from hue, fewer colours, and grain.

    Y  = 0.299 R + 0.587 G + 0.114 B                   brightness
    Cb = 0.564 (B - Y) + 1/2,   Cr = 0.713 (R - Y) + 1/2

Ordered dithering adds a fixed pattern before each pixel is given the nearest colour of a
palette, so that areas between two colours become a fine mixture of both.  Bayer's pattern
of 2n x 2n is made of four of n x n:

    M_2n = [4 M_n, 4 M_n + 2; 4 M_n + 3, 4 M_n + 1] / (2n)^2        (before dividing)

Symbols: R G B colours in 0..1, B C H W axes of a batch.

Source: ITU-R BT.601, section 3.5; Bayer 1973, "An optimum method for two-level rendition of
continuous-tone pictures".
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BRIGHTNESS = (0.299, 0.587, 0.114)
_BLUE, _RED = 0.564, 0.713  # about 1 / (2 (1 - 0.114)) and 1 / (2 (1 - 0.299))


def to_yuv(x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
    """Return brightness, blueness and redness."""
    red, green, blue = x.unbind(1)
    y = _BRIGHTNESS[0] * red + _BRIGHTNESS[1] * green + _BRIGHTNESS[2] * blue
    return torch.stack((y, _BLUE * (blue - y) + 0.5, _RED * (red - y) + 0.5), dim=1)


def from_yuv(x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
    """Undo `to_yuv`."""
    y, u, v = x.unbind(1)
    red, blue = y + (v - 0.5) / _RED, y + (u - 0.5) / _BLUE
    green = (y - _BRIGHTNESS[0] * red - _BRIGHTNESS[2] * blue) / _BRIGHTNESS[1]
    return torch.stack((red, green, blue), dim=1)


def of_number(colour: int) -> tuple[float, float, float]:
    """Return the red, green and blue of a number 0xRRGGBB, in 0..1."""
    return ((colour >> 16 & 255) / 255, (colour >> 8 & 255) / 255, (colour & 255) / 255)


def where_colour(x: Float[Tensor, "B 3 H W"], colour: int) -> Float[Tensor, "B H W"]:
    """Return 1 where a picture, in 8 bits, has exactly the colour 0xRRGGBB."""
    bytes_ = (x * 255).round().long()
    number = (bytes_[:, 0] << 16) + (bytes_[:, 1] << 8) + bytes_[:, 2]
    return (number == colour).float()


def bayer(size: int) -> Float[Tensor, "{size} {size}"]:
    """Return the pattern of a size that is a power of two: numbers in 0..1."""
    pattern = torch.zeros(1, 1)
    while len(pattern) < size:
        pattern = 4 * pattern
        pattern = torch.cat(
            (torch.cat((pattern, pattern + 2), 1), torch.cat((pattern + 3, pattern + 1), 1))
        )
    return pattern / size**2


def nearest_colours(
    x: Float[Tensor, "H W 3"], palette: Float[Tensor, "colours 3"]
) -> Int[Tensor, "H W"]:
    """Return the number of the palette's colour that is closest to each pixel."""
    rows = [torch.cdist(row, palette).argmin(dim=1) for row in x]
    return torch.stack(rows)


def ordered(
    x: Float[Tensor, "H W 3"], palette: Float[Tensor, "colours 3"], size: int
) -> Float[Tensor, "H W 3"]:
    """Give each pixel a colour of the palette, dithered by Bayer's pattern of that size.

    The pattern's strength is twice the mean distance between the palette's colours along
    one channel, were they spread evenly.
    """
    height, width = x.shape[:2]
    pattern = bayer(size).repeat(-(-height // size), -(-width // size))[:height, :width]
    strength = 2 / len(palette)
    return palette[nearest_colours(x + strength * (pattern - 0.5)[..., None], palette)]


def with_grain(x: Float[Tensor, "B H W C"], seed: int, strength: float) -> Tensor:
    """Add normal noise drawn on the CPU, staying within 0..1."""
    noise = torch.randn(x.shape, generator=torch.Generator("cpu").manual_seed(seed))
    return (x + strength * noise).clamp(0, 1)
