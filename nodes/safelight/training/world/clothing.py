"""What a figure may wear: a hat, a scarf, glasses, each in a colour of its own."""

from dataclasses import dataclass
from typing import Final

from safelight.training.world.palette import Colour, brightness, shade, tint
from safelight.training.world.pen import Pen, blob, box, ellipse, path

GARMENTS: Final = ("hat", "scarf", "glasses")
LENS: Final[Colour] = (236, 246, 252)
DARK = 90  # luma below which a band must be lighter than its hat


@dataclass(frozen=True, slots=True)
class Outfit:
    """The colour of each garment worn, None where there is none."""

    hat: Colour | None = None
    scarf: Colour | None = None
    glasses: Colour | None = None


BARE: Final = Outfit()


@dataclass(frozen=True, slots=True)
class Peg:
    """Where a garment hangs: its middle and its half width, in units of the figure."""

    x: float
    y: float
    width: float


def contrast(colour: Colour, depth: float = 0.4) -> Colour:
    """A trim that shows on `colour`: darker, or lighter where it is dark already."""
    return tint(colour, depth) if brightness(colour) < DARK else shade(colour, depth)


def hat(pen: Pen, colour: Colour, peg: Peg) -> None:
    """A top hat standing on the peg, its band a shade of its own colour."""
    x, y, w = peg.x, peg.y, peg.width
    crown = blob(
        x - w * 0.62, y, x - w * 0.68, y - w * 1.1, x, y - w * 1.22, x + w * 0.68, y - w * 1.1,
        x + w * 0.62, y,
    )  # fmt: skip
    pen.body([crown], colour)
    pen.patch(
        box(x - w * 0.645, y - w * 0.44, x + w * 0.645, y - w * 0.1, w * 0.04), contrast(colour)
    )
    pen.body([ellipse(x, y, w * 1.06, w * 0.24)], colour)


def scarf(pen: Pen, colour: Colour, peg: Peg) -> None:
    """A scarf about the neck; its end hangs on the right."""
    x, y, w = peg.x, peg.y, peg.width
    pen.body(
        [blob(x + w * 0.2, y, x + w * 0.68, y, x + w * 0.74, y + 0.25, x + w * 0.28, y + 0.26)],
        colour,
    )
    pen.stroke(path(x + w * 0.34, y + 0.18, x + w * 0.66, y + 0.175), contrast(colour), 1.4)
    pen.body([box(x - w, y - 0.07, x + w, y + 0.07, 0.065)], colour)


def eyes(
    pen: Pen, apart: float, y: float, radius: float, outfit: Outfit, *,
    wide: bool = False, x: float = 0.0,
) -> None:  # fmt: skip
    """Two eyes `apart` to each side of `x`, or one where that is 0, behind glasses if worn."""
    places = (x - apart, x + apart) if apart else (x,)
    if outfit.glasses is not None:
        rim = apart * 0.99 if apart else 0.14
        for middle in places:
            pen.body([ellipse(middle, y, rim, rim)], outfit.glasses)
            pen.patch(ellipse(middle, y, rim * 0.7, rim * 0.7), LENS)
    for middle in places:
        if wide and outfit.glasses is None:
            pen.round_eye(middle, y, radius)
        else:
            pen.eye(middle, y, radius)


def dress(pen: Pen, outfit: Outfit, head: Peg, neck: Peg) -> None:
    """Put on what goes over the figure: the scarf, then the hat."""
    if outfit.scarf is not None:
        scarf(pen, outfit.scarf, neck)
    if outfit.hat is not None:
        hat(pen, outfit.hat, head)
