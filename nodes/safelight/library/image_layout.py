"""Nodes that cut, pad, turn and join pictures."""

from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from safelight.diffusion.darkroom.geometry import (
    Sides,
    centred,
    flipped,
    outpainting_mask,
    padded,
    repeated,
    rotated,
    same_channels,
    window,
)
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range
from safelight.library.picture_tools import flat, resampled
from safelight.library.values import Image, Mask

Picture = Annotated[Image, Label("Picture")]
Made = Annotated[Image, Output("IMAGE")]
Place = Annotated[int, Range(0, 16384, step=1), Help("In pixels.")]
Length = Annotated[int, Range(1, 16384, step=1), Help("In pixels.")]
Rotation = Annotated[str, Choice(("none", "90 degrees", "180 degrees", "270 degrees"))]
Flip = Annotated[
    str, Choice(("x-axis: vertically", "y-axis: horizontally")), Label("Around"), Help("Which way.")
]
Margin = Annotated[int, Range(0, 16384, step=8), Help("Pixels to add there.")]
GREY = 0.5  # what a model is shown where there is no picture yet
SPACE = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}


def quarters(rotation: str) -> int:
    """Return how many quarters of a circle a choice of `Rotation` means."""
    return 0 if rotation == "none" else int(rotation.split()[0]) // 90


class ImageCrop(Node):
    """Cut a rectangle out of a picture; what sticks out of it is left away."""

    category: ClassVar[str] = "image/transform"
    title: ClassVar[str] = "Crop picture"
    image: Picture
    width: Length = 512
    height: Length = 512
    x: Place = 0
    y: Place = 0

    def run(self, ctx: Context) -> Made:
        """Cut."""
        planes = self.image.all_planes
        return Image.from_planes(window(planes, self.x, self.y, self.width, self.height))


class ImageRotate(Node):
    """Turn a picture clockwise."""

    category: ClassVar[str] = "image/transform"
    title: ClassVar[str] = "Rotate picture"
    image: Picture
    rotation: Rotation

    def run(self, ctx: Context) -> Made:
        """Turn."""
        return Image.from_planes(rotated(self.image.all_planes, quarters(self.rotation)))


class ImageFlip(Node):
    """Mirror a picture: around the x axis upside down, around the y axis left to right."""

    category: ClassVar[str] = "image/transform"
    title: ClassVar[str] = "Flip picture"
    image: Picture
    flip_method: Flip

    def run(self, ctx: Context) -> Made:
        """Mirror."""
        upside_down = self.flip_method.startswith("x")
        return Image.from_planes(flipped(self.image.all_planes, upside_down=upside_down))


class Wider(NamedTuple):
    """A picture with room around it."""

    image: Annotated[Image, Output("IMAGE", "The picture, grey where it is new.")]
    mask: Annotated[Mask, Output("MASK", "1 where there is something to paint.")]


class ImagePadForOutpaint(Node):
    """Make room around a picture, to be painted by an inpainting model.

    The mask is white in the new part and fades into the old picture over the feathering, so
    that the model may blend the seam.
    """

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Pad picture for outpainting"
    image: Picture
    left: Margin = 0
    top: Margin = 0
    right: Margin = 0
    bottom: Margin = 0
    feathering: Annotated[int, Range(0, 16384, step=1), Help("Width of the seam.")] = 40

    def run(self, ctx: Context) -> Wider:
        """Pad with grey."""
        sides = Sides(self.left, self.top, self.right, self.bottom)
        mask = outpainting_mask(*self.image.size, sides, self.feathering)
        return Wider(Image.from_planes(padded(self.image.all_planes, sides, GREY)), Mask(mask))


class ImageStitch(Node):
    """Put a second picture beside the first.

    With "match size" the second one is resized to the length of the seam; otherwise the
    smaller one stands in the middle of it, with black around.
    """

    category: ClassVar[str] = "image/transform"
    title: ClassVar[str] = "Stitch pictures"
    image1: Annotated[Image, Label("First")]
    direction: Annotated[
        Literal["right", "down", "left", "up"], Help("Where the second one goes.")
    ] = "right"
    match_image_size: Annotated[bool, Label("Match size")] = True
    spacing_width: Annotated[
        int, Range(0, 1024, step=2), Label("Gap"), Help("Pixels between them, an even number.")
    ] = 0
    spacing_color: Annotated[str, Choice(tuple(SPACE)), Label("Gap colour")] = "white"
    image2: Annotated[Image, Label("Second")] | None = None

    def run(self, ctx: Context) -> Made:
        """Line them up and join them."""
        if self.image2 is None:
            return self.image1
        beside = self.direction in ("left", "right")
        pair = list(_lined_up(self.image1, self.image2, beside, matched=self.match_image_size))
        if self.direction in ("left", "up"):
            pair.reverse()
        if self.spacing_width:
            gap, long = self.spacing_width + self.spacing_width % 2, pair[0].shape[-2:]
            size = (long[0], gap) if beside else (gap, long[1])
            pair.insert(1, flat(SPACE[self.spacing_color], len(pair[0]), *size))
        return Image.from_planes(torch.cat(same_channels(*pair), dim=3 if beside else 2))


def _lined_up(first: Image, second: Image, beside: bool, *, matched: bool) -> tuple[Tensor, Tensor]:
    """Return both pictures, as many of each, with sides of one length where they meet."""
    if matched:
        rows, columns = second.size
        factor = first.size[0] / rows if beside else first.size[1] / columns
        height, width = (max(1, round(side * factor)) for side in (rows, columns))
        second = resampled(second, height, width, "lanczos")
    batch = max(len(first.pixels), len(second.pixels))
    a, b = (_filled_up(image.all_planes, batch) for image in (first, second))
    height, width = (max(sides) for sides in zip(a.shape[2:], b.shape[2:], strict=True))
    a, b = (
        centred(x, height if beside else x.shape[2], x.shape[3] if beside else width)
        for x in (a, b)
    )
    return a, b


def _filled_up(planes: Tensor, batch: int) -> Tensor:
    """Repeat the last picture until there are enough."""
    return (
        torch.cat((planes, repeated(planes[-1:], batch - len(planes))))
        if batch > len(planes)
        else planes
    )
