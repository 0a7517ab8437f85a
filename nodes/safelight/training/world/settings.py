"""Eight places for a figure to be in.

Everything stands where it always stands (the sun at the left, the moon at the
right, the window at the left, the cactus at the right), for what no caption says
should not vary: a small model would draw the average of all places.  Coordinates
are shares of the picture, x to the right and y downwards.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from safelight.training.world.palette import BACKDROPS, GLASS, WHITE, Colour
from safelight.training.world.pen import Pen, Shape, box, ellipse, path, polygon

SUN: Colour = (255, 220, 84)
MOON: Colour = (255, 240, 176)
CACTUS: Colour = (104, 162, 92)
WATER: Colour = (62, 144, 212)
FOAM: Colour = (150, 206, 242)
STARS: Final = (
    (0.1, 0.12, 0.018),
    (0.25, 0.3, 0.012),
    (0.4, 0.08, 0.014),
    (0.07, 0.47, 0.014),
    (0.62, 0.2, 0.012),
    (0.91, 0.45, 0.015),
    (0.74, 0.4, 0.01),
    (0.3, 0.53, 0.01),
)  # x, y, size

Sky = tuple[tuple[float, Colour], ...]
"""Colours at heights from 0 (top) to 1 (bottom), blended between them."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A place: its sky, what stands in it, what hides feet, and its shadows."""

    sky: Sky
    scenery: Callable[[Pen], None] | None = None
    front: Callable[[Pen], None] | None = None
    shadow: Colour | None = None


def sky_image(sky: Sky, size_px: int) -> Image.Image:
    """The sky as a square picture."""
    heights, colours = zip(*sky, strict=True)
    rows = np.linspace(0, 1, size_px)
    column = np.stack(
        [np.interp(rows, heights, channel) for channel in zip(*colours, strict=True)], 1
    )
    picture = np.broadcast_to(column[:, None], (size_px, size_px, 3))
    return Image.fromarray(np.ascontiguousarray(picture.round().astype(np.uint8)))


def _waves(y: float, height: float, count: float, start: float = 0.0) -> list[float]:
    xs = np.linspace(-0.02, 1.02, 40)
    ys = y + height * np.sin((xs * count + start) * 2 * math.pi)
    return np.stack([xs, ys], 1).ravel().tolist()


def _ground(pen: Pen, y: float, height: float, colour: Colour, start: float = 0.0) -> None:
    pen.patch(polygon(*_waves(y, height, 0.9, start), 1.02, 1.02, -0.02, 1.02), colour)


def _cloud(pen: Pen, x: float, y: float, size: float) -> None:
    for dx, dy, radius in ((-1.0, 0.0, 0.6), (0.0, -0.35, 0.8), (1.0, 0.0, 0.6), (0.1, 0.15, 0.7)):
        pen.patch(ellipse(x + dx * size, y + dy * size, radius * size, radius * size), WHITE)


def _star(x: float, y: float, size: float) -> Shape:
    reach = (size * 2.4, size * 0.7)
    tips = [
        (x + reach[k % 2] * math.sin(k * math.pi / 4), y - reach[k % 2] * math.cos(k * math.pi / 4))
        for k in range(8)
    ]
    return polygon(*(value for tip in tips for value in tip))


def _crescent(x: float, y: float, radius: float) -> Shape:
    """A disc about (x, y) less a second one, up and to the right of it, that bites into it."""
    bite, apart, tilt = 0.84 * radius, 0.48 * radius, -0.6
    outer = math.acos((apart**2 + radius**2 - bite**2) / (2 * apart * radius))
    inner = math.pi - math.acos((apart**2 + bite**2 - radius**2) / (2 * apart * bite))
    around = tilt + np.linspace(outer, 2 * math.pi - outer, 40)
    back = tilt + np.linspace(2 * math.pi - inner, inner, 40)
    rim = np.stack([x + radius * np.cos(around), y + radius * np.sin(around)], 1)
    bitten = np.stack([np.cos(back), np.sin(back)], 1) * bite
    bitten += (x + apart * math.cos(tilt), y + apart * math.sin(tilt))
    return polygon(*np.concatenate([rim, bitten]).ravel().tolist())


def meadow(pen: Pen) -> None:
    """Green hills under a sun at the left and a cloud at the right."""
    for k in range(8):
        cos, sin = math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)
        ray = path(0.15 + 0.12 * cos, 0.16 + 0.12 * sin, 0.15 + 0.155 * cos, 0.16 + 0.155 * sin)
        pen.stroke(ray, SUN, 1.5)
    pen.patch(ellipse(0.15, 0.16, 0.095, 0.095), SUN)
    _cloud(pen, 0.81, 0.15, 0.09)
    _ground(pen, 0.68, 0.03, (156, 214, 116))
    _ground(pen, 0.8, 0.02, (124, 196, 94), 0.4)
    petals = ((255, 255, 255), (252, 214, 80), (246, 150, 184))
    for k, (x, y) in enumerate(
        ((0.06, 0.9), (0.14, 0.96), (0.9, 0.88), (0.95, 0.95), (0.83, 0.96))
    ):
        pen.patch(ellipse(x, y, 0.017, 0.017), petals[k % 3])


def night(pen: Pen) -> None:
    """A crescent moon at the right, a few stars, dark hills."""
    for x, y, size in STARS:
        pen.patch(_star(x, y, size), (255, 246, 190))
    pen.patch(_crescent(0.84, 0.17, 0.1), MOON)
    _ground(pen, 0.7, 0.03, (48, 76, 100))
    _ground(pen, 0.81, 0.02, (40, 66, 82), 0.4)


def sunset(pen: Pen) -> None:
    """A low sun at the left over plum hills."""
    pen.patch(ellipse(0.22, 0.6, 0.15, 0.15), (255, 240, 170))
    _ground(pen, 0.68, 0.03, (190, 94, 106))
    _ground(pen, 0.8, 0.02, (140, 74, 100), 0.4)


def sea(pen: Pen) -> None:
    """Open water to the horizon, a cloud at the right."""
    _cloud(pen, 0.78, 0.15, 0.085)
    pen.patch(polygon(0, 0.5, 1, 0.5, 1, 1, 0, 1), WATER)
    for y, start in ((0.58, 0.0), (0.7, 0.35), (0.82, 0.1)):
        pen.stroke(path(*_waves(y, 0.01, 5, start)), FOAM, 1.6)


def sea_front(pen: Pen) -> None:
    """The nearest wave, which hides the feet of whoever stands in the sea."""
    crest = _waves(0.885, 0.014, 5)
    pen.patch(polygon(*crest, 1.02, 1.02, -0.02, 1.02), (44, 120, 190))
    pen.stroke(path(*crest), FOAM, 2)


def snow(pen: Pen) -> None:
    """White hills and large flakes."""
    _ground(pen, 0.68, 0.03, (228, 238, 250))
    _ground(pen, 0.8, 0.02, (250, 252, 255), 0.4)
    for k in range(1, 23):
        x, y = (0.7549 * k) % 1, (0.5698 * k) % 1  # evenly strewn: powers of the plastic ratio
        pen.patch(ellipse(x, y, 0.014, 0.014), WHITE)


def room(pen: Pen) -> None:
    """A wall with a window at the left, and floorboards."""
    pen.patch(polygon(0, 0.72, 1, 0.72, 1, 1, 0, 1), (200, 150, 108))
    pen.patch(polygon(0, 0.695, 1, 0.695, 1, 0.73, 0, 0.73), (252, 246, 236))
    for y in (0.8, 0.87, 0.94):
        pen.stroke(path(0, y, 1, y), (180, 130, 92))
    pen.patch(box(0.05, 0.09, 0.35, 0.43, 0.01), WHITE)
    for x, y in ((0.075, 0.115), (0.21, 0.115), (0.075, 0.27), (0.21, 0.27)):
        pen.patch(box(x, y, x + 0.115, y + 0.135, 0.005), GLASS)


def desert(pen: Pen) -> None:
    """Dunes, and a cactus at the right."""
    _ground(pen, 0.66, 0.03, (242, 200, 124))
    for part in (
        box(0.855, 0.5, 0.925, 0.8, 0.034), box(0.79, 0.57, 0.832, 0.69, 0.02),
        box(0.79, 0.65, 0.89, 0.692, 0.02), box(0.948, 0.53, 0.99, 0.65, 0.02),
        box(0.89, 0.612, 0.99, 0.652, 0.02),
    ):  # fmt: skip
        pen.patch(part, CACTUS)
    _ground(pen, 0.8, 0.02, (230, 180, 102), 0.4)


SETTINGS: Final[Mapping[str, Setting]] = {
    "meadow": Setting(
        ((0, (130, 202, 246)), (0.7, (214, 240, 252))), meadow, shadow=(98, 166, 78)
    ),
    "night": Setting(((0, (24, 28, 76)), (0.75, (72, 74, 142))), night, shadow=(30, 50, 66)),
    "sunset": Setting(
        ((0, (248, 130, 98)), (0.4, (252, 178, 112)), (0.7, (254, 226, 152))),
        sunset, shadow=(114, 60, 88),
    ),
    "sea": Setting(((0, (150, 212, 248)), (0.5, (226, 244, 252))), sea, sea_front),
    "snow": Setting(((0, (166, 200, 232)), (0.7, (212, 230, 246))), snow, shadow=(212, 222, 238)),
    "room": Setting(((0, (250, 226, 198)),), room, shadow=(164, 116, 84)),
    "plain": Setting(((0, BACKDROPS["blue"]),)),
    "desert": Setting(
        ((0, (120, 196, 236)), (0.66, (248, 236, 204))), desert, shadow=(202, 152, 86)
    ),
}  # fmt: skip
