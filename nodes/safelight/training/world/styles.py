"""Four ways to draw the same scene, and a fifth that training never sees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from safelight.training.world.palette import INK, Colour, brightness, mix
from safelight.training.world.pen import unpainted

PAPER: Colour = (252, 250, 244)
BLUE: Colour = (38, 84, 160)
CHALK: Colour = (232, 242, 255)
GRAPHITE: Colour = (176, 174, 178)
DARK = 72  # luma below which pencil and chalk fill a shape
PIXEL_GRID = 64  # a pixel picture is drawn this small, then enlarged

Finish = Callable[[Image.Image, int], Image.Image]
"""From what the pen drew to the final picture, with sides of so many pixels."""


def shrink(drawn: Image.Image, size_px: int) -> Image.Image:
    """Average the drawn pixels under each final one."""
    return drawn.reduce(drawn.width // size_px)


def enlarge(drawn: Image.Image, size_px: int) -> Image.Image:
    """Enlarge with hard edges: each pixel becomes a square."""
    return drawn.resize((size_px, size_px), Image.Resampling.NEAREST)


def wash(drawn: Image.Image, size_px: int) -> Image.Image:
    """Let the paint run: soft edges, uneven pigment, a border of bare paper."""
    soft = shrink(drawn, size_px).filter(ImageFilter.GaussianBlur(size_px / 256))
    pigment = 255 - np.asarray(soft, dtype=np.float32)
    painted = 255 - pigment * _pigment(size_px)
    return Image.fromarray(painted.clip(0, 255).astype(np.uint8))


@cache
def _pigment(size_px: int) -> NDArray[np.float32]:
    """How much paint each place of the paper takes, `[size, size, 1]`; always the same."""
    grain = np.random.default_rng(7)
    clouds = _enlarged_noise(grain, 9, size_px)
    edge = np.linspace(-1, 1, size_px, dtype=np.float32)
    border = np.maximum(np.abs(edge)[:, None], np.abs(edge)[None]) + 0.07 * clouds
    inside = np.clip((0.98 - border) / 0.07, 0, 1)
    taken = (0.8 + 0.17 * clouds) * (0.04 + 0.96 * inside)
    return taken[..., None].astype(np.float32)


def _enlarged_noise(grain: np.random.Generator, cells: int, size_px: int) -> NDArray[np.float32]:
    coarse = Image.fromarray(grain.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size_px, size_px), Image.Resampling.BICUBIC))


def to_paper(colour: Colour) -> Colour:
    """Leave the paper bare, or hatch it grey for what is dark: a pencil has no colours."""
    return GRAPHITE if brightness(colour) < DARK else PAPER


def to_blue(colour: Colour) -> Colour:
    """Leave the blue paper bare, or lighten it for what is dark."""
    return mix(BLUE, CHALK, 0.35) if brightness(colour) < DARK else BLUE


def bleached(place: Image.Image) -> Image.Image:
    """A place in faint pencil greys."""
    return Image.blend(place.convert("L").convert("RGB"), Image.new("RGB", place.size, PAPER), 0.72)


def traced(place: Image.Image) -> Image.Image:
    """A place in faint blues."""
    grey = place.convert("L").point(lambda value: value * 0.2)
    return Image.merge("RGB", [grey.point(lambda v, c=c: c + v) for c in BLUE])


def untouched(place: Image.Image) -> Image.Image:
    """A place as it is."""
    return place


@dataclass(frozen=True, slots=True)
class Style:
    """How ink, paint, place and finish differ from the cartoon's."""

    ink: Colour = INK
    line: float = 0.0115  # the width of an outline as a share of the picture
    paint: Callable[[Colour], Colour] = unpainted
    place: Callable[[Image.Image], Image.Image] = untouched
    finish: Finish = shrink
    paper: Colour | None = None  # what is behind a figure when no setting is named
    grid_px: int | None = None  # draw at this size instead of a multiple of the final one


STYLES: Final[Mapping[str, Style]] = {
    "cartoon": Style(),
    "sketch": Style(
        ink=(62, 58, 68), line=0.0115, paint=to_paper, place=bleached, paper=PAPER
    ),
    "pixel": Style(line=0.0175, finish=enlarge, grid_px=PIXEL_GRID),
    "watercolour": Style(ink=mix(INK, (150, 130, 150), 0.35), line=0.01, finish=wash),
    "blueprint": Style(ink=CHALK, line=0.0115, paint=to_blue, place=traced, paper=BLUE),
}  # fmt: skip

HELD_OUT_STYLE: Final = "blueprint"
TRAINED_STYLES: Final = tuple(name for name in STYLES if name != HELD_OUT_STYLE)
"""The styles that training sees, in the order of their labels."""

COLOURLESS: Final = frozenset({"sketch", "blueprint"})
"""Styles in which no colour can be seen, so that no caption may name one."""
