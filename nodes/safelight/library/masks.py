"""Nodes on masks: make them, change their edges, combine them."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from safelight.diffusion.darkroom.colour import where_colour
from safelight.diffusion.darkroom.filters import grown
from safelight.diffusion.darkroom.geometry import Sides, feather, repeated, window
from safelight.diffusion.darkroom.pasting import combined
from safelight.graph.node import Choice, Context, Folder, Help, Label, Node, Output, Range, Shown
from safelight.library.image import Written, written
from safelight.library.pictures import read_picture
from safelight.library.values import Image, Mask

Made = Annotated[Mask, Output("MASK")]
Place = Annotated[int, Range(0, 16384, step=1), Help("In pixels.")]
Length = Annotated[int, Range(1, 16384, step=1), Help("In pixels.")]
Level = Annotated[float, Range(0.0, 1.0, step=0.01)]
CHANNELS = ("red", "green", "blue", "alpha")


def _truth(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return an operation on truths as one on masks, which are true from about 1/2."""
    return lambda a, b: combine(a.round().bool(), b.round().bool()).float()


OPERATIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "multiply": lambda a, b: a * b,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "and": _truth(torch.logical_and),
    "or": _truth(torch.logical_or),
    "xor": _truth(torch.logical_xor),
}


class ChannelError(ValueError):
    """A picture has no such channel."""


class LoadImageMask(Node):
    """Bring one channel of a picture in as a mask.

    From the opacity ("alpha") it takes what is transparent: white where the picture is not.
    """

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Load mask"
    image: Annotated[str, Folder("input", upload=True), Label("Picture"), Help("The file.")]
    channel: Annotated[str, Choice(("alpha", "red", "green", "blue"))]

    def run(self, ctx: Context) -> Made:
        """Read the file."""
        pixels, mask = read_picture(ctx.folders.resolve("input", self.image))
        return Mask(mask if self.channel == "alpha" else pixels[..., CHANNELS.index(self.channel)])


class MaskToImage(Node):
    """Show a mask as a grey picture."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Mask to picture"
    mask: Mask

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")]:
        """Repeat it for every colour."""
        return Image(self.mask.pixels[..., None].expand(-1, -1, -1, 3))


class ImageToMask(Node):
    """Take one channel of a picture as a mask."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Picture to mask"
    image: Annotated[Image, Label("Picture")]
    channel: Annotated[str, Choice(CHANNELS)]

    def run(self, ctx: Context) -> Made:
        """Take it out."""
        channel = CHANNELS.index(self.channel)
        if channel >= self.image.pixels.shape[-1]:
            raise ChannelError(f"this picture has no channel {self.channel}")
        return Mask(self.image.pixels[..., channel])


class ImageColorToMask(Node):
    """Mark the pixels that have exactly one colour."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Colour to mask"
    image: Annotated[Image, Label("Picture")]
    color: Annotated[
        int, Range(0, 0xFFFFFF, step=1), Label("Colour"), Help("Red, green, blue: 0xRRGGBB.")
    ] = 0

    def run(self, ctx: Context) -> Made:
        """Compare in 8 bits."""
        return Mask(where_colour(self.image.planes, self.color))


class SolidMask(Node):
    """Make a mask that is the same everywhere."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Solid mask"
    value: Level = 1.0
    width: Length = 512
    height: Length = 512

    def run(self, ctx: Context) -> Made:
        """Fill."""
        return Mask(torch.full((1, self.height, self.width), float(self.value)))


class InvertMask(Node):
    """Swap what a mask marks and what it leaves."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Invert mask"
    mask: Mask

    def run(self, ctx: Context) -> Made:
        """Subtract from 1."""
        return Mask(1 - self.mask.pixels)


class CropMask(Node):
    """Cut a rectangle out of a mask; what sticks out of it is left away."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Crop mask"
    mask: Mask
    x: Place = 0
    y: Place = 0
    width: Length = 512
    height: Length = 512

    def run(self, ctx: Context) -> Made:
        """Cut."""
        return Mask(window(self.mask.pixels, self.x, self.y, self.width, self.height))


class MaskComposite(Node):
    """Combine a mask with another that is laid on it: as numbers, or as truths.

    "and", "or" and "xor" take what is at least half white as true.
    """

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Combine masks"
    destination: Annotated[Mask, Label("Below")]
    source: Annotated[Mask, Label("Above")]
    x: Place = 0
    y: Place = 0
    operation: Annotated[str, Choice(tuple(OPERATIONS))]

    def run(self, ctx: Context) -> Made:
        """Combine where they overlap, and stay within 0..1."""
        below, above = self.destination.pixels, self.source.pixels
        batch = max(len(below), len(above))
        below, above = repeated(below, batch), repeated(above, batch)
        return Mask(combined(below, above, self.x, self.y, OPERATIONS[self.operation]).clamp(0, 1))


class FeatherMask(Node):
    """Let a mask fade out towards its sides."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Feather mask"
    mask: Mask
    left: Place = 0
    top: Place = 0
    right: Place = 0
    bottom: Place = 0

    def run(self, ctx: Context) -> Made:
        """Multiply by a ramp from each side."""
        sides = Sides(self.left, self.top, self.right, self.bottom)
        height, width = self.mask.pixels.shape[1:]
        return Mask(self.mask.pixels * feather(height, width, sides))


class GrowMask(Node):
    """Let what a mask marks grow by some pixels, or shrink by a number below 0."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Grow mask"
    mask: Mask
    expand: Annotated[int, Range(-16384, 16384, step=1), Label("By"), Help("In pixels.")] = 0
    tapered_corners: Annotated[
        bool, Label("Tapered corners"), Help("Grow along rows and columns only.")
    ] = True

    def run(self, ctx: Context) -> Made:
        """Grow."""
        return Mask(grown(self.mask.pixels, self.expand, diamond=self.tapered_corners))


class ThresholdMask(Node):
    """Make a mask hard: 1 above a threshold, 0 elsewhere."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Threshold mask"
    mask: Mask
    value: Annotated[Level, Label("Threshold")] = 0.5

    def run(self, ctx: Context) -> Made:
        """Compare."""
        return Mask((self.mask.pixels > self.value).float())


class MaskPreview(Node):
    """Look at a mask without keeping it."""

    category: ClassVar[str] = "mask"
    title: ClassVar[str] = "Preview mask"
    effect: ClassVar[bool] = True
    mask: Mask

    def run(self, ctx: Context) -> Shown:
        """Write it as grey pictures to the folder that is emptied at each start."""
        grey = Image(self.mask.pixels[..., None].expand(-1, -1, -1, 3))
        return written(ctx, grey, "temp", "preview")

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what was cleared away since."""
        return isinstance(result, Written) and result.still_there
