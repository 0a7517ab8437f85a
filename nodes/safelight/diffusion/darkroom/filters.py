r"""Filters: each new pixel is made of its old neighbours.

    blurred     G * x                         G a Gaussian window of 2 r + 1 pixels a side
    sharpened   x + 10 a (x - G * x)          what the blur takes away, added on
    dilated     the brightest pixel in a window
    eroded      the darkest
    opened      eroded, then dilated: bright specks go        closed: the other way round
    gradient    dilated - eroded: outlines
    top_hat     x - opened: the bright specks                 bottom_hat: closed - x

The window of G reaches from -1 to 1 on both axes, whatever its radius, and its standard
deviation s is measured in that unit: G(u, v) ~ exp(-(u^2 + v^2) / 2 s^2).  That, and the
factor 10, are conventions of the programs that workflows come from.

Symbols: B batch, C channels, H x W pixels, r radius, s sigma, a alpha.

Source: Serra 1982, "Image analysis and mathematical morphology", chapter 2.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

SHARPENING = 10.0


def blurred(x: Float[Tensor, "B C H W"], radius: int, sigma: float) -> Float[Tensor, "B C H W"]:
    """Soften by a Gaussian; at the edges the picture is thought mirrored."""
    if not radius:
        return x
    row = torch.linspace(-1, 1, 2 * radius + 1).square()
    window = torch.exp(-row / (2 * sigma * sigma))
    window = (window / window.sum()).to(x)
    h = F.conv2d(_mirrored(x, radius).flatten(0, 1)[:, None], window[None, None, :, None])
    return F.conv2d(h, window[None, None, None, :]).reshape(x.shape)


def sharpened(
    x: Float[Tensor, "B C H W"], radius: int, sigma: float, alpha: float
) -> Float[Tensor, "B C H W"]:
    """Bring out what a blur would take away."""
    return x + SHARPENING * alpha * (x - blurred(x, radius, sigma))


def dilated(x: Float[Tensor, "*B H W"], size: int) -> Float[Tensor, "*B H W"]:
    """Let bright parts grow by a square window of `size` pixels."""
    return _brightest(_brightest(x, size).mT, size).mT


def eroded(x: Float[Tensor, "*B H W"], size: int) -> Float[Tensor, "*B H W"]:
    """Let bright parts shrink by a square window of `size` pixels."""
    return -dilated(-x, size)


def grown(x: Float[Tensor, "*B H W"], pixels: int, *, diamond: bool) -> Float[Tensor, "*B H W"]:
    """Let bright parts grow by so many pixels, or shrink by as many below 0.

    With `diamond` they grow along rows and columns only, which tapers corners.
    """
    if pixels < 0:
        return -grown(-x, -pixels, diamond=diamond)
    if not diamond:
        return dilated(x, 2 * pixels + 1)
    for _ in range(min(pixels, x.shape[-1] + x.shape[-2])):  # by then it has met every edge
        x = torch.maximum(_brightest(x, 3), _brightest(x.mT, 3).mT)
    return x


def opened(x: Float[Tensor, "*B H W"], size: int) -> Float[Tensor, "*B H W"]:
    """Remove bright specks smaller than the window."""
    return dilated(eroded(x, size), size)


def closed(x: Float[Tensor, "*B H W"], size: int) -> Float[Tensor, "*B H W"]:
    """Remove dark specks smaller than the window."""
    return eroded(dilated(x, size), size)


MORPHOLOGY: Mapping[str, Callable[[Tensor, int], Tensor]] = MappingProxyType(
    {
        "erode": eroded,
        "dilate": dilated,
        "open": opened,
        "close": closed,
        "gradient": lambda x, size: dilated(x, size) - eroded(x, size),
        "bottom_hat": lambda x, size: closed(x, size) - x,
        "top_hat": lambda x, size: x - opened(x, size),
    }
)


def _brightest(x: Tensor, size: int) -> Tensor:
    """Return the greatest of each `size` neighbours along the last axis.

    A window of an even size reaches one pixel further back than forth.
    """
    back, forth = size // 2, size - size // 2 - 1
    wide = F.pad(x, (back, forth), value=-torch.inf)
    return F.max_pool1d(wide.flatten(0, -2), size, stride=1).reshape(x.shape)


def _mirrored(x: Tensor, radius: int) -> Tensor:
    """Mirror the edges outwards; a picture smaller than the radius repeats its edge instead."""
    mode = "reflect" if radius < min(x.shape[-2:]) else "replicate"
    return F.pad(x, (radius,) * 4, mode=mode)
