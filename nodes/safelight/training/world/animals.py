"""The figures that wear clothes, and the fish, which does not."""

from safelight.training.world.clothing import Outfit, Peg, dress, eyes
from safelight.training.world.palette import BEAK, BLUSH, WHITE, Colour, shade, tint
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

NOSE: Colour = (236, 110, 130)
METAL: Colour = (196, 202, 210)
SCREEN: Colour = (52, 62, 84)
GLOW: Colour = (120, 236, 240)
EYEBALL: Colour = (255, 252, 240)


def _sitting(pen: Pen, coat: Colour) -> None:
    """The trunk, belly and paws of whoever sits facing us."""
    pen.body([blob(-0.24, 0, -0.27, -0.25, -0.14, -0.5, 0.14, -0.5, 0.27, -0.25, 0.24, 0)], coat)
    pen.patch(ellipse(0, -0.17, 0.13, 0.15), tint(coat))
    for paw in both(ellipse(0.125, -0.035, 0.1, 0.055)):
        pen.body([paw], coat)


def cat(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A sitting cat, its tail on the right."""
    tail = blob(
        0.2, -0.06, 0.42, -0.1, 0.48, -0.3, 0.4, -0.46, 0.48, -0.5, 0.57, -0.3,
        0.5, -0.03, 0.25, 0,
    )  # fmt: skip
    pen.body([tail], coat)
    _sitting(pen, coat)
    ears = both(polygon(0.35, -0.68, 0.34, -1.01, 0.08, -0.86))
    pen.body([*ears, ellipse(0, -0.64, 0.37, 0.27)], coat)
    for inner in both(polygon(0.29, -0.79, 0.295, -0.93, 0.17, -0.85)):
        pen.patch(inner, BLUSH)
    for whisker in (path(0.27, -0.535, 0.46, -0.56), path(0.27, -0.49, 0.45, -0.47)):
        for side in both_lines(whisker):
            pen.stroke(side, weight=0.9)
    pen.patch(ellipse(0, -0.5, 0.17, 0.095), tint(coat, 0.65))
    eyes(pen, 0.16, -0.67, 0.07, outfit, wide=True)
    pen.patch(polygon(-0.05, -0.57, 0.05, -0.57, 0, -0.52), NOSE)
    pen.stroke(curve(-0.11, -0.495, -0.06, -0.46, 0, -0.51, 0.06, -0.46, 0.11, -0.495))
    dress(pen, outfit, Peg(0, -0.87, 0.25), Peg(0, -0.37, 0.24))


def dog(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A sitting dog with hanging ears and its tongue out, its tail on the right."""
    tail = blob(0.2, -0.1, 0.38, -0.22, 0.46, -0.44, 0.56, -0.42, 0.48, -0.14, 0.25, -0.02)
    pen.body([tail], coat)
    _sitting(pen, coat)
    pen.body([ellipse(0, -0.67, 0.32, 0.28)], coat)
    pen.patch(ellipse(0, -0.54, 0.19, 0.13), tint(coat, 0.65))
    for ear in both(blob(0.2, -0.9, 0.4, -0.87, 0.48, -0.6, 0.39, -0.46, 0.29, -0.62)):
        pen.body([ear], shade(coat, 0.35))
    eyes(pen, 0.14, -0.72, 0.062, outfit, wide=True)
    pen.body([blob(-0.055, -0.48, 0.055, -0.48, 0.05, -0.39, 0, -0.36, -0.05, -0.39)], NOSE, 0.7)
    pen.stroke(curve(-0.12, -0.5, -0.06, -0.47, 0, -0.52, 0.06, -0.47, 0.12, -0.5))
    pen.solid(ellipse(0, -0.585, 0.08, 0.055))
    dress(pen, outfit, Peg(0, -0.9, 0.25), Peg(0, -0.35, 0.25))


def rabbit(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A sitting rabbit; its ears lean outwards, so that a hat fits between them."""
    pen.body([ellipse(0.28, -0.12, 0.1, 0.1)], tint(coat, 0.6))
    _sitting(pen, coat)
    ears = both(ellipse(0.285, -0.88, 0.088, 0.25, 0.34))
    pen.body([*ears, ellipse(0, -0.58, 0.33, 0.25)], coat)
    for inner, cheek in zip(
        both(ellipse(0.29, -0.9, 0.044, 0.17, 0.34)),
        both(ellipse(0.23, -0.5, 0.06, 0.045)),
        strict=True,
    ):
        pen.patch(inner, BLUSH)
        pen.patch(cheek, BLUSH)
    eyes(pen, 0.15, -0.63, 0.056, outfit)
    pen.body([box(-0.05, -0.46, 0.05, -0.375, 0.015)], WHITE, 0.7)
    pen.patch(ellipse(0, -0.54, 0.05, 0.035), NOSE)
    pen.stroke(curve(-0.1, -0.48, -0.05, -0.455, 0, -0.505, 0.05, -0.455, 0.1, -0.48))
    dress(pen, outfit, Peg(0, -0.81, 0.2), Peg(0, -0.34, 0.23))


def bear(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A teddy bear, arms at its sides."""
    arms, feet = both(ellipse(0.3, -0.28, 0.1, 0.16, -0.5)), both(ellipse(0.16, -0.06, 0.13, 0.075))
    pen.body([*arms, ellipse(0, -0.26, 0.28, 0.26), *feet], coat)
    pen.patch(ellipse(0, -0.24, 0.17, 0.16), tint(coat, 0.45))
    pen.body([*both(ellipse(0.29, -0.88, 0.12, 0.12)), ellipse(0, -0.68, 0.34, 0.28)], coat)
    for inner in both(ellipse(0.3, -0.89, 0.06, 0.06)):
        pen.patch(inner, tint(coat))
    pen.body([ellipse(0, -0.58, 0.16, 0.12)], tint(coat, 0.65), 0.7)
    eyes(pen, 0.16, -0.745, 0.052, outfit)
    pen.solid(ellipse(0, -0.63, 0.065, 0.045))
    pen.smile(0, -0.55, 0.075, 0.04)
    dress(pen, outfit, Peg(0, -0.92, 0.23), Peg(0, -0.4, 0.25))


def bird(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A round bird in profile, looking left."""
    for x in (-0.06, 0.1):
        pen.stroke(path(x, -0.12, x, -0.02, x - 0.1, -0.02), BEAK, 2.2)
    pen.body([blob(0.22, -0.36, 0.56, -0.52, 0.62, -0.36, 0.3, -0.14)], shade(coat))
    pen.body([ellipse(0.02, -0.34, 0.35, 0.27), ellipse(-0.12, -0.66, 0.28, 0.26)], coat)
    pen.patch(ellipse(-0.1, -0.25, 0.19, 0.14), tint(coat))
    pen.body([blob(0.02, -0.42, 0.28, -0.46, 0.36, -0.28, 0.2, -0.18, 0.06, -0.26)], shade(coat))
    pen.body([polygon(-0.36, -0.72, -0.56, -0.63, -0.36, -0.55)], BEAK)
    eyes(pen, 0, -0.71, 0.072, outfit, wide=True, x=-0.19)
    pen.patch(ellipse(-0.08, -0.55, 0.06, 0.045), BLUSH)
    dress(pen, outfit, Peg(-0.1, -0.89, 0.23), Peg(-0.06, -0.43, 0.27))


def owl(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """An owl facing us, wings folded."""
    tufts = both(polygon(0.3, -0.7, 0.34, -0.99, 0.07, -0.84))
    trunk = blob(
        -0.24, -0.03, -0.35, -0.4, -0.29, -0.76, 0, -0.87, 0.29, -0.76, 0.35, -0.4,
        0.24, -0.03, 0, 0,
    )  # fmt: skip
    pen.body([*tufts, trunk], coat)
    for foot in both(ellipse(0.12, -0.02, 0.085, 0.045)):
        pen.body([foot], BEAK)
    pen.patch(ellipse(0, -0.25, 0.2, 0.2), tint(coat, 0.55))
    for x, y in ((-0.09, -0.28), (0.09, -0.28), (0, -0.18)):
        pen.stroke(curve(x - 0.055, y, x, y + 0.045, x + 0.055, y))
    for wing in both(blob(0.31, -0.52, 0.42, -0.3, 0.3, -0.09, 0.21, -0.3)):
        pen.body([wing], shade(coat))
    if outfit.glasses is None:
        for disc in both(ellipse(0.155, -0.62, 0.15, 0.15)):
            pen.body([disc], EYEBALL, 0.8)
    eyes(pen, 0.155, -0.62, 0.082, outfit)
    pen.body([polygon(-0.06, -0.57, 0.06, -0.57, 0, -0.45)], BEAK, 0.8)
    dress(pen, outfit, Peg(0, -0.85, 0.24), Peg(0, -0.39, 0.3))


def fish(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A fish in profile, swimming left."""
    tail = blob(0.24, -0.45, 0.48, -0.72, 0.58, -0.68, 0.5, -0.45, 0.58, -0.22, 0.48, -0.18)
    trunk = blob(-0.52, -0.45, -0.32, -0.7, 0.05, -0.7, 0.34, -0.45, 0.05, -0.2, -0.32, -0.2)
    pen.body([tail], shade(coat))
    pen.body([blob(-0.14, -0.66, -0.02, -0.83, 0.18, -0.84, 0.2, -0.62)], shade(coat))
    pen.body([trunk], coat)
    pen.patch(blob(-0.38, -0.29, -0.1, -0.32, 0.16, -0.32, 0.02, -0.23, -0.26, -0.22), tint(coat))
    for x in (0.03, 0.16):
        pen.stroke(curve(x, -0.58, x + 0.05, -0.47, x, -0.36), weight=0.9)
    pen.body([blob(-0.12, -0.42, 0.06, -0.38, 0.05, -0.23, -0.1, -0.29)], shade(coat), 0.8)
    eyes(pen, 0, -0.52, 0.078, outfit, wide=True, x=-0.29)
    pen.stroke(curve(-0.49, -0.41, -0.43, -0.36, -0.35, -0.37))


def robot(pen: Pen, coat: Colour, outfit: Outfit) -> None:
    """A robot with a screen for a face."""
    legs, arms = both(box(0.05, -0.16, 0.19, 0, 0.03)), both(box(0.27, -0.45, 0.41, -0.19, 0.055))
    for limb in (*legs, *arms):
        pen.body([limb], METAL)
    pen.body([box(-0.27, -0.5, 0.27, -0.11, 0.06)], coat)
    pen.body([box(-0.16, -0.39, 0.16, -0.2, 0.03)], tint(coat, 0.65), 0.8)
    pen.patch(ellipse(-0.07, -0.295, 0.046, 0.046), (226, 62, 60))
    pen.patch(ellipse(0.07, -0.295, 0.046, 0.046), (96, 184, 84))
    pen.stroke(path(0, -0.9, 0, -0.98), weight=1.8)
    pen.body([ellipse(0, -1.0, 0.055, 0.055)], (250, 212, 66), 0.8)
    pen.body([box(-0.34, -0.92, 0.34, -0.53, 0.09)], coat)
    pen.body([box(-0.27, -0.86, 0.27, -0.6, 0.07)], SCREEN, 0.8)
    if outfit.glasses is None:
        for light in both(ellipse(0.125, -0.755, 0.062, 0.068)):
            pen.patch(light, GLOW)
    else:
        eyes(pen, 0.14, -0.745, 0.058, outfit)
    pen.stroke(curve(-0.08, -0.655, 0, -0.63, 0.08, -0.655), GLOW, 1.2)
    dress(pen, outfit, Peg(0, -0.93, 0.25), Peg(0, -0.49, 0.27))
