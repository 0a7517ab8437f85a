r"""Hints: what control networks are shown, made from pictures.

A control network was trained on pairs of a picture and a hint made from it, and wants hints
made in the same way.  Those here need no network of their own:

    soft edges   how steeply the picture changes (Sobel), smooth instead of thin
    scribble     thick soft edges of a blurred picture: what a quick hand would draw
    line art     where the picture is darker than around it: (blur - g) / scale, at least 0
    tile         the picture without its details: shrunk, and enlarged again
    blur         the picture behind a Gaussian
    colour       the mean colour of each cell of a grid
    pose         a skeleton of 18 joints, its bones in the colours of OpenPose

Symbols: B batch, H x W pixels; J joints.

Source: Zhang et al. 2023 (arXiv:2302.05543), section 4 and appendix; Cao et al. 2019
(arXiv:1812.08008) for the order of joints; `edges`.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.edges import blurred, grey, sobel
from safelight.diffusion.resample import resize

# Joints: nose, neck, right shoulder, elbow, wrist, left ones, right hip, knee, ankle, left
# ones, right eye, left eye, right ear, left ear.
JOINTS = 18
BONES = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11),
    (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
HUES = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
BONE_LIGHT = 0.6  # bones are darker than joints
Joint = tuple[float, float]  # (x, y) as shares of width and height


def soft_edges(pictures: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Draw soft edges, white on black."""
    return sobel(pictures)


def scribble(pictures: Float[Tensor, "B 3 H W"], thickness: int) -> Float[Tensor, "B 1 H W"]:
    """Draw strong edges as thick white lines on black."""
    calm = blurred(pictures, 2.0, 4)
    strong = (sobel(calm) > 0.25).float()
    return torch.nn.functional.max_pool2d(strong, 2 * thickness + 1, 1, thickness)


def line_art(
    pictures: Float[Tensor, "B 3 H W"], deviation: float, strength: float
) -> Float[Tensor, "B 1 H W"]:
    """Draw dark lines of a picture as white lines on black."""
    light = grey(pictures)
    darker = blurred(light, deviation, math.ceil(3 * deviation)) - light
    return (strength * darker).clamp(0, 1)


def tile(pictures: Float[Tensor, "B 3 H W"], factor: float) -> Float[Tensor, "B 3 H W"]:
    """Take the details away: shrink by `factor`, then enlarge again."""
    height, width = pictures.shape[2:]
    rows, columns = (max(1, round(side / factor)) for side in (height, width))
    small = resize(pictures, rows, columns, "area")
    return resize(small, height, width, "bicubic").clamp(0, 1)


def blur(pictures: Float[Tensor, "B 3 H W"], deviation: float) -> Float[Tensor, "B 3 H W"]:
    """Blur with a Gaussian of so many pixels."""
    return blurred(pictures, deviation, math.ceil(3 * deviation))


def colour_grid(pictures: Float[Tensor, "B 3 H W"], cell: int) -> Float[Tensor, "B 3 H W"]:
    """Fill each cell of a grid with its mean colour."""
    height, width = pictures.shape[2:]
    small = resize(pictures, -(-height // cell), -(-width // cell), "area")
    return resize(small, height, width, "nearest-exact")


def pose(
    figures: Sequence[Sequence[Joint | None]], height: int, width: int, thickness: float
) -> Float[Tensor, "1 3 {height} {width}"]:
    """Draw skeletons, each of 18 joints, of which some may be hidden (None).

    Raises:
        ValueError: a skeleton has another number of joints.
    """
    canvas = torch.zeros(1, 3, height, width)
    for joints in figures:
        if len(joints) != JOINTS:
            raise ValueError(f"a skeleton has {JOINTS} joints, this one {len(joints)}")
        seen = [None if one is None else (one[0] * width, one[1] * height) for one in joints]
        for colour, (first, last) in zip(HUES[: len(BONES)], BONES, strict=True):
            ends = (seen[first], seen[last])
            if ends[0] is not None and ends[1] is not None:
                _paint(
                    canvas,
                    colour,
                    BONE_LIGHT,
                    _near_line(ends[0], ends[1], height, width) < thickness,
                )
        for colour, joint in zip(HUES, seen, strict=True):
            if joint is not None:
                _paint(canvas, colour, 1.0, _near_line(joint, joint, height, width) < thickness)
    return canvas


def _near_line(start: Joint, end: Joint, height: int, width: int) -> Float[Tensor, "H W"]:
    """Return how far each pixel's centre is from a line between two points, in pixels."""
    y = torch.arange(height)[:, None] + 0.5
    x = torch.arange(width)[None] + 0.5
    across, down = end[0] - start[0], end[1] - start[1]
    length = across**2 + down**2
    along = ((x - start[0]) * across + (y - start[1]) * down) / length if length else x * 0.0
    share = along.clamp(0, 1) if length else x * 0.0
    return ((x - start[0] - share * across) ** 2 + (y - start[1] - share * down) ** 2).sqrt()


def _paint(canvas: Tensor, colour: tuple[int, int, int], light: float, where: Tensor) -> None:
    """Lay a colour where it is wanted."""
    paint = torch.tensor(colour)[:, None] * (light / 255)
    canvas[0][:, where] = paint
