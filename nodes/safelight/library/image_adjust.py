"""Nodes that change the colours of pictures, pixel by pixel or by their neighbours."""

from typing import Annotated, ClassVar, NamedTuple

import torch

from safelight.diffusion.darkroom import colour
from safelight.diffusion.darkroom.blending import BLENDS, blended
from safelight.diffusion.darkroom.filters import MORPHOLOGY, blurred, sharpened
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range, Seed
from safelight.library.picture_tools import alike
from safelight.library.pictures import quantized
from safelight.library.values import Image

Picture = Annotated[Image, Label("Picture")]
Made = Annotated[Image, Output("IMAGE")]
Radius = Annotated[int, Range(1, 31, step=1), Label("Radius"), Help("In pixels.")]
SPREAD = Help("How wide the bell is, where 1 is the radius.")
DITHERS = ("none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16")


class ImageInvert(Node):
    """Turn a picture into its negative."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Invert picture"
    image: Picture

    def run(self, ctx: Context) -> Made:
        """Subtract from white."""
        return Image(1 - self.image.pixels)


class ImageBlend(Node):
    """Lay a second picture over the first in one of the usual ways."""

    category: ClassVar[str] = "image/postprocessing"
    title: ClassVar[str] = "Blend pictures"
    image1: Annotated[Image, Label("Below")]
    image2: Annotated[Image, Label("Above")]
    blend_factor: Annotated[
        float, Range(0.0, 1.0, step=0.01), Label("Share"), Help("0 keeps the first picture.")
    ] = 0.5
    blend_mode: Annotated[str, Choice(tuple(BLENDS)), Label("Mode")]

    def run(self, ctx: Context) -> Made:
        """Blend; the second picture follows the size of the first."""
        a, b = alike(self.image1, self.image2, "bicubic")
        return Image.from_planes(blended(a, b, self.blend_factor, self.blend_mode))


class ImageBlur(Node):
    """Soften a picture by a bell-shaped mean of neighbours."""

    category: ClassVar[str] = "image/postprocessing"
    title: ClassVar[str] = "Blur picture"
    image: Picture
    blur_radius: Radius = 1
    sigma: Annotated[float, Range(0.1, 10.0, step=0.1), Label("Width"), SPREAD] = 1.0

    def run(self, ctx: Context) -> Made:
        """Blur."""
        return Image.from_planes(blurred(self.image.all_planes, self.blur_radius, self.sigma))


class ImageSharpen(Node):
    """Bring out fine detail: add what a blur would take away."""

    category: ClassVar[str] = "image/postprocessing"
    title: ClassVar[str] = "Sharpen picture"
    image: Picture
    sharpen_radius: Radius = 1
    sigma: Annotated[float, Range(0.1, 10.0, step=0.01), Label("Width"), SPREAD] = 1.0
    alpha: Annotated[
        float, Range(0.0, 5.0, step=0.01), Label("Strength"), Help("Ten times the detail at 1.")
    ] = 1.0

    def run(self, ctx: Context) -> Made:
        """Sharpen."""
        planes = self.image.all_planes
        return Image.from_planes(sharpened(planes, self.sharpen_radius, self.sigma, self.alpha))


class ImageQuantize(Node):
    """Draw a picture with few colours, chosen for each picture.

    Dithering mixes them finely where the right one is missing: Floyd and Steinberg's spreads
    each pixel's error over its neighbours, Bayer's lays a regular pattern.
    """

    category: ClassVar[str] = "image/postprocessing"
    title: ClassVar[str] = "Reduce colours"
    image: Picture
    colors: Annotated[int, Range(1, 256, step=1), Label("Colours"), Help("How many.")] = 256
    dither: Annotated[str, Choice(DITHERS), Label("Dithering")]

    def run(self, ctx: Context) -> Made:
        """Choose a palette, then give every pixel one of its colours."""
        pictures = self.image.pixels[..., :3]
        return Image(torch.stack([quantized(one, self.colors, self.dither) for one in pictures]))


class ImageAddNoise(Node):
    """Add grain to a picture."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Add grain"
    image: Picture
    seed: Annotated[int, Range(0, 2**64 - 1), Seed(), Help("Which grain.")] = 0
    strength: Annotated[float, Range(0.0, 1.0, step=0.01), Help("Its standard deviation.")] = 0.5

    def run(self, ctx: Context) -> Made:
        """Add normal noise."""
        return Image(colour.with_grain(self.image.pixels, self.seed, self.strength))


class Morphology(Node):
    """Let the bright or the dark parts of a picture grow, or show where they would."""

    category: ClassVar[str] = "image/postprocessing"
    title: ClassVar[str] = "Morphology"
    image: Picture
    operation: Annotated[str, Choice(tuple(MORPHOLOGY))]
    kernel_size: Annotated[
        int, Range(3, 999, step=1), Label("Window"), Help("Its side in pixels.")
    ] = 3

    def run(self, ctx: Context) -> Made:
        """Look at every window."""
        planes = self.image.planes
        return Image.from_planes(MORPHOLOGY[self.operation](planes, self.kernel_size))


class Yuv(NamedTuple):
    """Brightness and colour, each as a grey picture."""

    y: Annotated[Image, Output("Y", "Brightness.")]
    u: Annotated[Image, Output("U", "How blue.")]
    v: Annotated[Image, Output("V", "How red.")]


class ImageRGBToYUV(Node):
    """Take a picture apart into its brightness, its blueness and its redness."""

    category: ClassVar[str] = "image/batch"
    title: ClassVar[str] = "Split brightness and colour"
    image: Picture

    def run(self, ctx: Context) -> Yuv:
        """Split."""
        planes = colour.to_yuv(self.image.planes).chunk(3, dim=1)
        return Yuv(*(Image.from_planes(plane.expand(-1, 3, -1, -1)) for plane in planes))


class ImageYUVToRGB(Node):
    """Put a picture together from its brightness, its blueness and its redness."""

    category: ClassVar[str] = "image/batch"
    title: ClassVar[str] = "Join brightness and colour"
    Y: Annotated[Image, Help("Brightness.")]
    U: Annotated[Image, Help("How blue.")]
    V: Annotated[Image, Help("How red.")]

    def run(self, ctx: Context) -> Made:
        """Join."""
        planes = [image.planes.mean(dim=1) for image in (self.Y, self.U, self.V)]
        return Image.from_planes(colour.from_yuv(torch.stack(planes, dim=1)))
