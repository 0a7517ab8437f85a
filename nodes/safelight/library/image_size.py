"""Nodes that resize pictures, each saying in its own way how large they shall be."""

from math import sqrt
from typing import Annotated, ClassVar, Literal, NamedTuple

from safelight.diffusion.darkroom.geometry import centred
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range
from safelight.library.picture_tools import resampled
from safelight.library.values import Image

Method = Annotated[
    str, Choice(("nearest-exact", "bilinear", "area", "bicubic", "lanczos")), Label("Method")
]
Picture = Annotated[Image, Label("Picture")]
Made = Annotated[Image, Output("IMAGE")]
MEGA = 1024 * 1024
COLOURS = {"white": 1.0, "black": 0.0}


class ImageScaleBy(Node):
    """Resize a picture by a factor."""

    category: ClassVar[str] = "image/upscaling"
    title: ClassVar[str] = "Resize picture by factor"
    image: Picture
    upscale_method: Method
    scale_by: Annotated[float, Range(0.01, 8.0, step=0.01), Label("Factor")] = 1.0

    def run(self, ctx: Context) -> Made:
        """Multiply both sides."""
        height, width = (max(1, round(side * self.scale_by)) for side in self.image.size)
        return resampled(self.image, height, width, self.upscale_method)


class ImageScaleToTotalPixels(Node):
    """Resize a picture to about so many pixels, keeping its shape.

    A megapixel is 1024 x 1024 pixels, the size that large models were trained on.
    """

    category: ClassVar[str] = "image/upscaling"
    title: ClassVar[str] = "Resize picture to megapixels"
    image: Picture
    upscale_method: Method
    megapixels: Annotated[float, Range(0.01, 16.0, step=0.01)] = 1.0

    def run(self, ctx: Context) -> Made:
        """Multiply both sides by the root of the ratio of the areas."""
        rows, columns = self.image.size
        factor = sqrt(int(self.megapixels * MEGA) / (rows * columns))
        height, width = (max(1, round(side * factor)) for side in (rows, columns))
        return resampled(self.image, height, width, self.upscale_method)


class ImageScaleToMaxDimension(Node):
    """Resize a picture so that its longer side has so many pixels, keeping its shape."""

    category: ClassVar[str] = "image/upscaling"
    title: ClassVar[str] = "Resize picture to longest side"
    image: Picture
    upscale_method: Annotated[
        str, Choice(("area", "lanczos", "bilinear", "nearest-exact", "bicubic")), Label("Method")
    ]
    largest_size: Annotated[int, Range(0, 16384, step=1), Label("Longest side")] = 512

    def run(self, ctx: Context) -> Made:
        """Give the longer side its size and the other one its share."""
        if not self.largest_size:
            return self.image
        longest = max(self.image.size)
        height, width = (max(1, round(s / longest * self.largest_size)) for s in self.image.size)
        return resampled(self.image, height, width, self.upscale_method)


class ResizeAndPadImage(Node):
    """Fit a picture into a size: keep its shape, and fill what is left with one colour."""

    category: ClassVar[str] = "image/transform"
    title: ClassVar[str] = "Fit picture into size"
    image: Picture
    target_width: Annotated[int, Range(1, 16384, step=1), Label("Width")] = 512
    target_height: Annotated[int, Range(1, 16384, step=1), Label("Height")] = 512
    padding_color: Annotated[Literal["white", "black"], Label("Fill with")]
    interpolation: Annotated[
        str, Choice(("area", "bicubic", "nearest-exact", "bilinear", "lanczos")), Label("Method")
    ]

    def run(self, ctx: Context) -> Made:
        """Shrink or grow until the tighter side fits, then pad the other evenly."""
        rows, columns = self.image.size
        factor = min(self.target_width / columns, self.target_height / rows)
        height, width = (max(1, int(side * factor)) for side in (rows, columns))
        small = resampled(self.image, height, width, self.interpolation)
        value = COLOURS[self.padding_color]
        return Image.from_planes(
            centred(small.all_planes, self.target_height, self.target_width, value)
        )


class Size(NamedTuple):
    """The size of pictures."""

    width: Annotated[int, Output("width", "In pixels.")]
    height: Annotated[int, Output("height", "In pixels.")]
    batch_size: Annotated[int, Output("batch_size", "How many pictures.")]


class GetImageSize(Node):
    """Read how large a picture is, and how many there are."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Picture size"
    image: Picture

    def run(self, ctx: Context) -> Size:
        """Read the shape."""
        height, width = self.image.size
        return Size(width, height, len(self.image.pixels))


# Width and height of what Kontext was trained on, all of about a megapixel.
KONTEXT_SIZES = (
    (672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184),
    (944, 1104), (1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752),
    (1456, 720), (1504, 688), (1568, 672),
)  # fmt: skip


class FluxKontextImageScale(Node):
    """Resize a picture to the size nearest in shape that Flux Kontext was trained on."""

    category: ClassVar[str] = "advanced/conditioning/flux"
    title: ClassVar[str] = "Resize picture for Kontext"
    image: Annotated[Image, Help("The picture that is to be edited.")]

    def run(self, ctx: Context) -> Made:
        """Cut to the nearest shape, then resample."""
        rows, columns = self.image.size
        width, height = min(KONTEXT_SIZES, key=lambda size: abs(size[0] / size[1] - columns / rows))
        return resampled(self.image, height, width, "lanczos", crop=True)
