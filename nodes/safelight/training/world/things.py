"""The figures that are things, the snowman, and the snail that training never sees."""

import math

from safelight.training.world.clothing import Outfit, Peg, dress, eyes
from safelight.training.world.palette import BEAK, GLASS, WHITE, WOOD, Colour, shade, tint
from safelight.training.world.pen import (
    Pen,
    blob,
    both,
    both_lines,
    box,
    curve,
    ellipse,
    path,
    polygon,
)

SLATE: Colour = (92, 96, 124)
CREAM: Colour = (252, 246, 230)
LEAF: Colour = (86, 160, 76)
RUBBER: Colour = (62, 58, 70)
GOLD: Colour = (244, 178, 62)
FINS: Colour = (214, 70, 72)


def house(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A house with a slate roof, door on the left, window on the right."""
    del outfit
    pen.body([polygon(0.2, -0.6, 0.2, -0.93, 0.35, -0.93, 0.35, -0.5)], (176, 120, 100))
    pen.body([polygon(-0.42, 0, -0.42, -0.52, 0.42, -0.52, 0.42, 0)], coat)
    pen.body([polygon(-0.54, -0.5, 0, -0.98, 0.54, -0.5)], SLATE)
    pen.body([box(-0.31, -0.33, -0.07, 0, 0.03)], WOOD)
    pen.patch(ellipse(-0.12, -0.15, 0.028, 0.028), GOLD)
    pen.body([polygon(0.07, -0.38, 0.32, -0.38, 0.32, -0.14, 0.07, -0.14)], GLASS)
    pen.stroke(path(0.195, -0.38, 0.195, -0.14))
    pen.stroke(path(0.07, -0.26, 0.32, -0.26))
    pen.body([ellipse(0, -0.69, 0.085, 0.085)], GLASS)


def tree(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A tree with a crown of five clouds."""
    del outfit
    pen.body([blob(-0.1, 0, -0.075, -0.3, -0.09, -0.5, 0.09, -0.5, 0.075, -0.3, 0.1, 0)], WOOD)
    pen.body([
        ellipse(-0.25, -0.53, 0.22, 0.19), ellipse(0.25, -0.53, 0.22, 0.19),
        ellipse(-0.15, -0.77, 0.23, 0.2), ellipse(0.15, -0.78, 0.23, 0.2),
        ellipse(0, -0.6, 0.24, 0.2),
    ], coat)  # fmt: skip
    for x, y in ((-0.22, -0.62), (0.06, -0.82), (0.22, -0.55), (-0.04, -0.55)):
        pen.stroke(curve(x - 0.07, y, x, y + 0.045, x + 0.07, y))


def car(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A small car in profile, driving left."""
    del outfit
    pen.body([blob(-0.36, -0.36, -0.24, -0.66, 0.0, -0.7, 0.24, -0.66, 0.36, -0.36)], coat)
    pen.body([box(-0.58, -0.44, 0.58, -0.12, 0.11)], coat)
    pen.body([polygon(-0.26, -0.42, -0.2, -0.6, -0.035, -0.62, -0.035, -0.42)], GLASS, 0.8)
    pen.body([polygon(0.045, -0.42, 0.045, -0.62, 0.2, -0.6, 0.27, -0.42)], GLASS, 0.8)
    pen.patch(polygon(-0.56, -0.22, 0.56, -0.22, 0.56, -0.17, -0.56, -0.17), shade(coat))
    pen.body([ellipse(-0.53, -0.33, 0.05, 0.065)], (255, 240, 150), 0.8)
    pen.stroke(path(0.08, -0.34, 0.17, -0.34), weight=1.2)
    for x in (-0.32, 0.32):
        pen.body([ellipse(x, -0.14, 0.15, 0.15)], RUBBER)
        pen.patch(ellipse(x, -0.14, 0.075, 0.075), (206, 208, 214))


def boat(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A sailing boat with two cream sails and a flag of its own colour."""
    del outfit
    pen.stroke(path(0, -0.25, 0, -1.0), WOOD, 2.4)
    pen.body([blob(0.05, -0.9, 0.28, -0.62, 0.44, -0.36, 0.05, -0.36)], CREAM)
    pen.body([polygon(-0.06, -0.84, -0.38, -0.37, -0.06, -0.36)], CREAM)
    pen.body([polygon(0.015, -1.02, 0.015, -0.9, 0.2, -0.96)], coat, 0.8)
    hull = (-0.56, -0.29, -0.42, -0.06, -0.2, 0, 0.2, 0, 0.42, -0.06, 0.56, -0.29, 0, -0.26)
    pen.body([blob(*hull)], coat)
    pen.stroke(path(-0.44, -0.17, 0.44, -0.17), tint(coat, 0.65), 1.8)


def flower(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A flower with six petals and a face."""
    del outfit
    pen.stroke(curve(0, 0, 0.03, -0.25, 0, -0.5), weight=4.6)
    pen.body([blob(0.02, -0.08, 0.2, -0.28, 0.34, -0.26, 0.22, -0.06)], LEAF)
    pen.body([blob(0.02, -0.14, -0.2, -0.3, -0.33, -0.25, -0.2, -0.08)], LEAF)
    pen.stroke(curve(0, 0, 0.03, -0.25, 0, -0.5), LEAF, 2.8)
    for k in range(6):
        angle = (k + 0.5) * math.pi / 3
        x, y = 0.25 * math.cos(angle), -0.66 + 0.25 * math.sin(angle)
        pen.body([ellipse(x, y, 0.155, 0.125, angle)], coat)
    pen.body([ellipse(0, -0.66, 0.19, 0.19)], GOLD)
    for x in (-0.07, 0.07):
        pen.eye(x, -0.69, 0.045)
    pen.smile(0, -0.6, 0.07, 0.04)


def mushroom(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A spotted mushroom with a face on its stem."""
    del outfit
    pen.body([blob(-0.2, 0, -0.17, -0.25, -0.18, -0.48, 0.18, -0.48, 0.17, -0.25, 0.2, 0)], CREAM)
    pen.body([blob(-0.5, -0.43, -0.42, -0.74, 0, -0.94, 0.42, -0.74, 0.5, -0.43, 0, -0.37)], coat)
    spots = ((-0.24, -0.63, 0.085), (0.04, -0.78, 0.08), (0.28, -0.6, 0.075), (0.02, -0.53, 0.065))
    for x, y, radius in spots:
        pen.body([ellipse(x, y, radius * 1.15, radius)], CREAM, 0.7)
    for x in (-0.08, 0.08):
        pen.eye(x, -0.24, 0.046)
    pen.smile(0, -0.14, 0.06, 0.035)


def rocket(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A rocket in flight, red fins and nose, its flame below."""
    del outfit
    pen.body([blob(-0.13, -0.22, -0.11, -0.08, 0, 0.02, 0.11, -0.08, 0.13, -0.22)], (250, 160, 50))
    pen.patch(blob(-0.065, -0.2, -0.055, -0.1, 0, -0.04, 0.055, -0.1, 0.065, -0.2), (255, 230, 100))
    for fin in both(blob(0.16, -0.5, 0.4, -0.3, 0.4, -0.1, 0.15, -0.22)):
        pen.body([fin], FINS)
    hull = blob(
        -0.16, -0.18, -0.26, -0.48, -0.17, -0.8, 0, -1.02, 0.17, -0.8, 0.26, -0.48,
        0.16, -0.18,
    )  # fmt: skip
    pen.body([hull], coat)
    nose = blob(-0.15, -0.83, -0.08, -0.95, 0, -1.02, 0.08, -0.95, 0.15, -0.83, 0, -0.8)
    pen.body([nose], FINS, 0.8)
    pen.body([ellipse(0, -0.58, 0.125, 0.125)], GLASS)
    pen.patch(ellipse(-0.035, -0.615, 0.04, 0.04), WHITE)


def snowman(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """Three balls of snow with coal, a carrot and two sticks."""
    for arm in both_lines(path(0.2, -0.42, 0.455, -0.58)):
        pen.stroke(arm, weight=3.4)
        pen.stroke(arm, WOOD, 1.6)
    pen.body([ellipse(0, -0.2, 0.32, 0.21)], coat)
    pen.body([ellipse(0, -0.46, 0.25, 0.19)], coat)
    pen.body([ellipse(0, -0.74, 0.24, 0.21)], coat)
    for y in (-0.44, -0.32, -0.17):
        pen.solid(ellipse(0, y, 0.032, 0.032))
    eyes(pen, 0.1, -0.79, 0.048, outfit)
    pen.body([polygon(-0.02, -0.745, 0.22, -0.69, -0.02, -0.66)], BEAK, 0.7)
    pen.smile(-0.01, -0.62, 0.08, 0.03)
    dress(pen, outfit, Peg(0, -0.93, 0.22), Peg(0, -0.55, 0.23))


def snail(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A snail, for learning something new from a handful of pictures; never sampled."""
    del outfit
    for x, tip in ((-0.42, -0.5), (-0.28, -0.24)):
        pen.stroke(path(x, -0.46, tip, -0.76), weight=1.8)
        pen.solid(ellipse(tip, -0.78, 0.05, 0.05))
    trunk = blob(
        -0.54, -0.3, -0.44, -0.54, -0.22, -0.5, -0.16, -0.2, 0.3, -0.14, 0.58, 0, 0, 0,
        -0.42, 0,
    )  # fmt: skip
    pen.body([trunk], CREAM)
    pen.body([ellipse(0.12, -0.44, 0.36, 0.35)], coat)
    spiral: list[float] = []
    for step in range(25):
        angle, radius = step * 0.5, 0.29 * (1 - step / 27)
        spiral += [0.12 + radius * math.cos(angle), -0.44 + radius * math.sin(angle)]
    pen.stroke(curve(*spiral), shade(coat, 0.4), 1.6)
    pen.eye(-0.38, -0.38, 0.05)
    pen.smile(-0.41, -0.24, 0.06, 0.03)
