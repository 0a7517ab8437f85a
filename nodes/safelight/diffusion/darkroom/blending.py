r"""Blending: ways to combine the colours of two pictures, pixel by pixel.

    multiply     a b                        screen   1 - (1 - a) (1 - b)
    overlay      2 a b  for a <= 1/2, else 1 - 2 (1 - a) (1 - b)
    soft light   a - (1 - 2 b) a (1 - a)  for b <= 1/2, else a + (2 b - 1) (g(a) - a)
                 g(a) = ((16 a - 12) a + 4) a  for a <= 1/4, else sqrt(a)
    difference   a - b  (negative values are cut off)

Porter and Duff's operators also know how opaque the pictures are.  With colours multiplied
by their opacity (s of the source S, d of the destination D) most of them read

    colour = x S + y D,   opacity = x s + y d,     x, y each one of 0, 1, s, d, 1 - s, 1 - d

Symbols: a, b colours in 0..1; S, D colours times opacity; s, d opacities.

Source: W3C, Compositing and Blending Level 1, sections 9 and 10; Porter & Duff 1984,
"Compositing digital images", section 4; overlay and the like as in Android's
`PorterDuff.Mode`, whose names the nodes use.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

OPAQUE_ENOUGH = 1e-5  # below it a pixel has no colour of its own


def _overlay(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a <= 0.5, 2 * a * b, 1 - 2 * (1 - a) * (1 - b))


def _soft_light(a: Tensor, b: Tensor) -> Tensor:
    root = torch.where(a <= 0.25, ((16 * a - 12) * a + 4) * a, a.clamp(min=0).sqrt())
    return torch.where(b <= 0.5, a - (1 - 2 * b) * a * (1 - a), a + (2 * b - 1) * (root - a))


BLENDS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "normal": lambda a, b: b,
        "multiply": lambda a, b: a * b,
        "screen": lambda a, b: 1 - (1 - a) * (1 - b),
        "overlay": _overlay,
        "soft_light": _soft_light,
        "difference": lambda a, b: a - b,
    }
)


def blended(
    a: Float[Tensor, "B C H W"], b: Float[Tensor, "B C H W"], share: float, mode: str
) -> Float[Tensor, "B C H W"]:
    """Go `share` of the way from `a` to what the mode makes of both, within 0..1."""
    return (a * (1 - share) + BLENDS[mode](a, b) * share).clamp(0, 1)


# (S, s, D, d) -> (colour, opacity)
Operator = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def _weighing(
    weights: Callable[[Tensor, Tensor], tuple[Tensor | float, Tensor | float]],
) -> Operator:
    """Return the operator with these x and y."""

    def operate(S: Tensor, s: Tensor, D: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        x, y = weights(s, d)
        return x * S + y * D, x * s + y * d

    return operate


def _union(s: Tensor, d: Tensor) -> Tensor:
    return s + d - s * d


def _add(S: Tensor, s: Tensor, D: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    return (S + D).clamp(0, 1), (s + d).clamp(0, 1)


def _extreme(choose: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    def operate(S: Tensor, s: Tensor, D: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        return (1 - d) * S + (1 - s) * D + choose(S, D), _union(s, d)

    return operate


def _overlaid(S: Tensor, s: Tensor, D: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    colour = torch.where(d > 2 * D, 2 * S * D, s * d - 2 * (d - S) * (s - D))
    return colour, _union(s, d)


OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "ADD": _add,
        "CLEAR": _weighing(lambda s, d: (0.0, 0.0)),
        "DARKEN": _extreme(torch.minimum),
        "DST": _weighing(lambda s, d: (0.0, 1.0)),
        "DST_ATOP": _weighing(lambda s, d: (1 - d, s)),
        "DST_IN": _weighing(lambda s, d: (0.0, s)),
        "DST_OUT": _weighing(lambda s, d: (0.0, 1 - s)),
        "DST_OVER": _weighing(lambda s, d: (1 - d, 1.0)),
        "LIGHTEN": _extreme(torch.maximum),
        "MULTIPLY": lambda S, s, D, d: (S * D, s * d),
        "OVERLAY": _overlaid,
        "SCREEN": lambda S, s, D, d: (_union(S, D), _union(s, d)),
        "SRC": _weighing(lambda s, d: (1.0, 0.0)),
        "SRC_ATOP": _weighing(lambda s, d: (d, 1 - s)),
        "SRC_IN": _weighing(lambda s, d: (d, 0.0)),
        "SRC_OUT": _weighing(lambda s, d: (1 - d, 0.0)),
        "SRC_OVER": _weighing(lambda s, d: (1.0, 1 - s)),
        "XOR": _weighing(lambda s, d: (1 - d, 1 - s)),
    }
)


def composed(
    source: Float[Tensor, "B C H W"],
    s: Float[Tensor, "B 1 H W"],
    destination: Float[Tensor, "B C H W"],
    d: Float[Tensor, "B 1 H W"],
    mode: str,
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B 1 H W"]]:
    """Combine two pictures and their opacities by one of `OPERATORS`.

    Colours go in and come out plain, not multiplied by their opacity.
    """
    colour, opacity = OPERATORS[mode](source * s, s, destination * d, d)
    plain = torch.where(opacity > OPAQUE_ENOUGH, colour / opacity.clamp(min=OPAQUE_ENOUGH), 0.0)
    return plain.clamp(0, 1), opacity
