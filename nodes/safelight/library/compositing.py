"""Nodes that lay pictures over one another, by place, by mask or by opacity."""

from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor

from safelight.diffusion.darkroom.blending import OPERATORS, composed
from safelight.diffusion.darkroom.geometry import repeated, same_channels
from safelight.diffusion.darkroom.pasting import pasted
from safelight.diffusion.resample import resize
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range
from safelight.library.picture_tools import alike
from safelight.library.values import Image, Mask

Place = Annotated[int, Range(0, 16384, step=1), Help("In pixels.")]
Made = Annotated[Image, Output("IMAGE")]


def laid(
    base: Tensor, patch: Tensor, left: int, top: int, mask: Mask | None, *, stretched: bool
) -> Tensor:
    """Lay planes [B, C, h, w] over others, under a mask of any size, repeated as needed."""
    if stretched:
        patch = resize(patch, base.shape[2], base.shape[3], "bilinear")
    patch = repeated(patch, len(base))
    if mask is None:
        return pasted(base, patch, left, top)
    return pasted(base, patch, left, top, repeated(fitted(mask, patch), len(base)))


def fitted(mask: Mask, planes: Tensor) -> Tensor:
    """Return a mask [B, 1, h, w] of the size of some planes."""
    return resize(mask.pixels[:, None], planes.shape[2], planes.shape[3], "bilinear")


class ImageCompositeMasked(Node):
    """Lay a picture over another, where a mask says so.

    The mask belongs to the upper picture, whatever its own size is.
    """

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Lay picture over picture"
    destination: Annotated[Image, Label("Below")]
    source: Annotated[Image, Label("Above")]
    x: Place = 0
    y: Place = 0
    resize_source: Annotated[
        bool, Label("Stretch"), Help("Stretch the upper picture over the whole lower one.")
    ] = False
    mask: Mask | None = None

    def run(self, ctx: Context) -> Made:
        """Paste."""
        base, patch = same_channels(self.destination.all_planes, self.source.all_planes)
        planes = laid(base, patch, self.x, self.y, self.mask, stretched=self.resize_source)
        return Image.from_planes(planes[:, : self.destination.pixels.shape[-1]])


class Composed(NamedTuple):
    """A picture and where it is transparent."""

    image: Annotated[Image, Output("IMAGE", "The colours.")]
    mask: Annotated[Mask, Output("MASK", "1 where the picture is transparent.")]


class PorterDuffImageComposite(Node):
    """Combine two pictures with opacities by one of Porter and Duff's operators.

    Masks are white where a picture is transparent, as they come from "Load picture".
    """

    category: ClassVar[str] = "mask/compositing"
    title: ClassVar[str] = "Porter-Duff composite"
    source: Annotated[Image, Label("Above")]
    source_alpha: Annotated[Mask, Label("Transparency above")]
    destination: Annotated[Image, Label("Below")]
    destination_alpha: Annotated[Mask, Label("Transparency below")]
    mode: Annotated[str, Choice(tuple(OPERATORS))] = "DST"

    def run(self, ctx: Context) -> Composed:
        """Combine; everything follows the size of the upper picture."""
        batch = min(
            len(x.pixels)
            for x in (self.source, self.source_alpha, self.destination, self.destination_alpha)
        )
        above, below = (
            planes[:batch, :3] for planes in alike(self.source, self.destination, "bicubic")
        )
        s, d = (
            1 - fitted(mask, above)[:batch] for mask in (self.source_alpha, self.destination_alpha)
        )
        colours, opacity = composed(above, s, below, d, self.mode)
        return Composed(Image.from_planes(colours), Mask(1 - opacity[:, 0]))


class SplitImageWithAlpha(Node):
    """Take a picture apart into its colours and where it is transparent."""

    category: ClassVar[str] = "mask/compositing"
    title: ClassVar[str] = "Split off transparency"
    image: Annotated[Image, Label("Picture")]

    def run(self, ctx: Context) -> Composed:
        """Split; a picture without opacity is opaque."""
        pixels = self.image.pixels
        opacity = pixels[..., 3] if pixels.shape[-1] > 3 else torch.ones(pixels.shape[:3])
        return Composed(Image(pixels[..., :3]), Mask(1 - opacity))


class JoinImageWithAlpha(Node):
    """Make a picture transparent where a mask is white."""

    category: ClassVar[str] = "mask/compositing"
    title: ClassVar[str] = "Join transparency"
    image: Annotated[Image, Label("Picture")]
    alpha: Annotated[Mask, Label("Transparency")]

    def run(self, ctx: Context) -> Made:
        """Put opacity beside the colours."""
        batch = min(len(self.image.pixels), len(self.alpha.pixels))
        planes = self.image.planes[:batch]
        opacity = 1 - fitted(self.alpha, planes)[:batch]
        return Image.from_planes(torch.cat((planes, opacity), dim=1))
