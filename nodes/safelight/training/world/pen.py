"""Shapes and the pen that draws them.

A figure lives in its own units: the origin lies between its feet, y points
down (so a head has a negative y), and 1 is the height of a cat.  Shapes are made
once and remembered.  The pen moves them onto a picture and inks them.

A clean outline around parts that overlap comes from the order of the strokes:
first every part of the group is drawn in ink and a line wider than it is, then
every part is filled, so that the fills cover all ink but the outline of the union.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from safelight.training.world.palette import INK, WHITE, Colour

Points = NDArray[np.float64]
SHARPEST_SMOOTH_TURN = 0.5  # radians; a sharper turn is a corner, and its rim an arc
MIRROR = (-1.0, 1.0)
LONGEST_MITRE = 2.0  # how far, in line widths, the outside of a bend may reach


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """An outline, `points[n, 2]`, and the way out of it.

    Moving `rim[m, 2]` along `outward[m, 2]` by the width of a line gives the outer
    edge of that line.  A corner has several points in the rim, so that it stays round.
    """

    points: Points
    rim: Points
    outward: Points


@dataclass(frozen=True, eq=False, slots=True)
class Line:
    """An open line, `points[n, 2]`, and at each of them the direction `across[n, 2]`."""

    points: Points
    across: Points


def _shape(points: Points) -> Shape:
    points = points[np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1) > 1e-9]
    ahead = np.roll(points, -1, axis=0) - points
    x, y = points.T
    clockwise = np.sign(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    leaving = np.arctan2(ahead[:, 1], ahead[:, 0]) - clockwise * math.pi / 2
    arriving = np.roll(leaving, 1)
    turn = (leaving - arriving + math.pi) % (2 * math.pi) - math.pi
    rim, angles = [], []
    for k, bend in enumerate(turn):
        steps = 5 if bend * clockwise > SHARPEST_SMOOTH_TURN else 1
        shares = np.linspace(0, 1, steps) if steps > 1 else np.array([0.5])
        rim.append(np.repeat(points[k : k + 1], steps, axis=0))
        angles.append(arriving[k] + bend * shares)
    angle = np.concatenate(angles)
    return Shape(points, np.concatenate(rim), np.stack([np.cos(angle), np.sin(angle)], 1))


def _line(points: Points) -> Line:
    along = np.diff(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normal = np.stack([-along[:, 1], along[:, 0]], 1)
    before, after = np.concatenate([normal[:1], normal]), np.concatenate([normal, normal[-1:]])
    mean = (before + after) / 2
    stretch = np.maximum(np.sum(mean * mean, axis=1, keepdims=True), 1 / LONGEST_MITRE)
    return Line(points, mean / stretch)


def _pairs(coordinates: tuple[float, ...]) -> Points:
    return np.array(coordinates, dtype=np.float64).reshape(-1, 2)


@cache
def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Shape:
    """An ellipse about (x, y), turned by `turn` radians."""
    angle = np.linspace(0, 2 * math.pi, 36, endpoint=False)
    along, across = rx * np.cos(angle), ry * np.sin(angle)
    cos, sin = math.cos(turn), math.sin(turn)
    return _shape(np.stack([x + cos * along - sin * across, y + sin * along + cos * across], 1))


@cache
def polygon(*coordinates: float) -> Shape:
    """Straight edges through the points x0, y0, x1, y1, ..."""
    return _shape(_pairs(coordinates))


@cache
def blob(*coordinates: float) -> Shape:
    """A closed, smooth outline through the points (a Catmull-Rom spline)."""
    p = _pairs(coordinates)
    return _shape(_spline(np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)))


@cache
def curve(*coordinates: float) -> Line:
    """An open, smooth line through the points (a Catmull-Rom spline)."""
    p = _pairs(coordinates)
    padded = np.concatenate([p[:1], p, p[-1:]])
    line = _spline(padded[:-3], padded[1:-2], padded[2:-1], padded[3:])
    return _line(np.concatenate([line, p[-1:]]))


@cache
def path(*coordinates: float) -> Line:
    """An open line of straight pieces through the points."""
    return _line(_pairs(coordinates))


@cache
def box(left: float, top: float, right: float, bottom: float, radius: float) -> Shape:
    """A rectangle with round corners."""
    arc = np.linspace(0, math.pi / 2, 6)
    centres = (
        (right - radius, bottom - radius),
        (left + radius, bottom - radius),
        (left + radius, top + radius),
        (right - radius, top + radius),
    )
    arcs = [
        np.stack([x + radius * np.cos(arc + k * math.pi / 2),
                  y + radius * np.sin(arc + k * math.pi / 2)], 1)
        for k, (x, y) in enumerate(centres)
    ]  # fmt: skip
    return _shape(np.concatenate(arcs))


@cache
def both(shape: Shape) -> tuple[Shape, Shape]:
    """A shape and its mirror image: two ears, two wings."""
    return shape, Shape(shape.points * MIRROR, shape.rim * MIRROR, shape.outward * MIRROR)


@cache
def both_lines(line: Line) -> tuple[Line, Line]:
    """A line and its mirror image: whiskers, arms."""
    return line, Line(line.points * MIRROR, line.across * MIRROR)


def _spline(before: Points, start: Points, end: Points, after: Points) -> Points:
    """Eight points of each piece from `start` to `end`, tangents by their neighbours."""
    t = np.linspace(0, 1, 8, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None] for p in (before, start, end, after))
    pieces = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return pieces.reshape(-1, 2)


def unpainted(colour: Colour) -> Colour:
    """Paint as it comes from the tube; the plainest of `Pen.paint`."""
    return colour


@dataclass(frozen=True, slots=True)
class Pen:
    """A pen placed on a picture: where, how large, how thick, with which ink.

    `x`, `y` say where the origin of a shape falls, `scale` how many picture
    pixels one unit is, and `line` how thick an outline is, all in pixels.
    `paint` turns each colour into what the style makes of it.
    """

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    scale: float
    line: float
    ink: Colour = INK
    paint: Callable[[Colour], Colour] = unpainted

    def _place(self, points: Points, offset: Points | float = 0.0) -> list[float]:
        placed: list[float] = (points * self.scale + (self.x, self.y) + offset).ravel().tolist()
        return placed

    def body(self, parts: Iterable[Shape], colour: Colour, weight: float = 1.0) -> None:
        """Draw parts as one body: ink about their union, `colour` within."""
        parts = tuple(parts)
        for part in parts:
            rim = self._place(part.rim, part.outward * (self.line * weight))
            self.draw.polygon(rim, fill=self.ink)
        for part in parts:
            self.patch(part, colour)

    def patch(self, shape: Shape, colour: Colour) -> None:
        """Fill a shape without an outline."""
        self.draw.polygon(self._place(shape.points), fill=self.paint(colour))

    def solid(self, shape: Shape) -> None:
        """Fill a shape with ink: a nose, a pupil."""
        self.draw.polygon(self._place(shape.points), fill=self.ink)

    def stroke(self, line: Line, colour: Colour | None = None, weight: float = 1.0) -> None:
        """Draw an open line with round ends, in ink unless a colour is given."""
        half = max(0.5, self.line * weight * 0.6)
        fill = self.ink if colour is None else self.paint(colour)
        there = self._place(line.points, line.across * half)
        back = self._place(line.points[::-1], line.across[::-1] * -half)
        self.draw.polygon(there + back, fill=fill)
        if half > 1:
            for x, y in line.points[[0, -1]] * self.scale + (self.x, self.y):
                self.draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def eye(self, x: float, y: float, radius: float) -> None:
        """A dark eye with a light in it; `radius` of 0.045 is 8 pixels in a large figure."""
        self.solid(ellipse(x, y, radius, radius * 1.1))
        self.patch(
            ellipse(x + radius * 0.32, y - radius * 0.38, radius * 0.38, radius * 0.38), WHITE
        )

    def round_eye(self, x: float, y: float, radius: float) -> None:
        """A wide eye: white around a dark pupil."""
        self.body([ellipse(x, y, radius * 1.35, radius * 1.5)], WHITE, 0.6)
        self.eye(x, y, radius * 0.92)

    def smile(self, x: float, y: float, width: float, depth: float) -> None:
        """A mouth of one stroke."""
        self.stroke(curve(x - width, y, x, y + depth, x + width, y))
