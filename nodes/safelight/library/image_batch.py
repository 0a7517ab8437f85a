"""Nodes on several pictures at once: put them together, take them apart."""

from typing import Annotated, ClassVar

import torch

from safelight.diffusion.darkroom.colour import of_number
from safelight.diffusion.darkroom.geometry import repeated
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.picture_tools import alike, flat
from safelight.library.values import Image

Made = Annotated[Image, Output("IMAGE")]
Count = Annotated[int, Range(1, 4096), Help("How many.")]


class EmptyImage(Node):
    """Start from a sheet of one colour."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Empty picture"
    width: Annotated[int, Range(1, 16384, step=1), Help("In pixels.")] = 512
    height: Annotated[int, Range(1, 16384, step=1), Help("In pixels.")] = 512
    batch_size: Annotated[int, Range(1, 4096), Label("Pictures"), Help("How many.")] = 1
    color: Annotated[
        int, Range(0, 0xFFFFFF, step=1), Label("Colour"), Help("Red, green, blue: 0xRRGGBB.")
    ] = 0

    def run(self, ctx: Context) -> Made:
        """Fill."""
        planes = flat(of_number(self.color), self.batch_size, self.height, self.width)
        return Image.from_planes(planes)


class ImageBatch(Node):
    """Put two batches of pictures together; the second is resized to the first."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Join batches of pictures"
    image1: Annotated[Image, Label("First")]
    image2: Annotated[Image, Label("Second")]

    def run(self, ctx: Context) -> Made:
        """Join."""
        return Image.from_planes(torch.cat(alike(self.image1, self.image2, batch=False)))


class RepeatImageBatch(Node):
    """Repeat a batch of pictures, all of them again and again."""

    category: ClassVar[str] = "image/batch"
    title: ClassVar[str] = "Repeat pictures"
    image: Annotated[Image, Label("Picture")]
    amount: Count = 1

    def run(self, ctx: Context) -> Made:
        """Repeat."""
        return Image(repeated(self.image.pixels, len(self.image.pixels) * self.amount))


class ImageFromBatch(Node):
    """Take some pictures out of a batch; what lies beyond its end is left away."""

    category: ClassVar[str] = "image/batch"
    title: ClassVar[str] = "Take pictures from batch"
    image: Annotated[Image, Label("Pictures")]
    batch_index: Annotated[int, Range(0, 4095), Label("First"), Help("Counted from 0.")] = 0
    length: Count = 1

    def run(self, ctx: Context) -> Made:
        """Cut the batch."""
        first = min(self.batch_index, len(self.image.pixels) - 1)
        return Image(self.image.pixels[first : first + self.length])
