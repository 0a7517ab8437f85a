"""Nodes between latents and pictures for large pictures and for repainting."""

from dataclasses import replace
from typing import Annotated, ClassVar

from safelight.diffusion.darkroom.filters import dilated
from safelight.diffusion.darkroom.geometry import repeated
from safelight.diffusion.resample import resize
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.developing import developed, divisible, exposed
from safelight.library.values import Image, Latent, Mask, Vae

Made = Annotated[Latent, Output("LATENT")]
Overlap = Annotated[
    int,
    Range(0, 4096, step=32),
    Help("Kept for existing workflows: tiles agree exactly here, and need none."),
]
KEPT = Help("Kept for existing workflows; for video only.")
Frames = Annotated[int, Range(8, 4096, step=4), KEPT]
FrameOverlap = Annotated[int, Range(4, 4096, step=4), KEPT]
GREY = 0.5  # what a model is shown where it shall paint


class VAEDecodeTiled(Node):
    """Develop a large picture by small pieces, in little memory.

    The result is that of decoding it whole: what looks at all of the picture is worked out
    for all of it, so there are no seams.
    """

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Decode picture in tiles"
    samples: Annotated[Latent, Label("Latent")]
    vae: Vae
    tile_size: Annotated[int, Range(64, 4096, step=32), Label("Tile"), Help("In pixels.")] = 512
    overlap: Overlap = 64
    temporal_size: Frames = 64
    temporal_overlap: FrameOverlap = 8

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")]:
        """Decode tile by tile."""
        return developed(ctx, self.samples, self.vae, self.tile_size)


class VAEEncodeTiled(Node):
    """Turn a large picture into a latent by small pieces, with the result of the whole."""

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Encode picture in tiles"
    pixels: Annotated[Image, Label("Picture")]
    vae: Vae
    tile_size: Annotated[int, Range(64, 4096, step=64), Label("Tile"), Help("In pixels.")] = 512
    overlap: Overlap = 64
    temporal_size: Frames = 64
    temporal_overlap: FrameOverlap = 8

    def run(self, ctx: Context) -> Made:
        """Encode tile by tile."""
        return exposed(ctx, self.pixels.planes, self.vae, self.tile_size)


class VAEEncodeForInpaint(Node):
    """Turn a picture into a latent that is to be painted anew under a mask.

    What the mask marks is made grey before, so that models trained for inpainting do not see
    it. The mask may grow a little, for latent pixels at its edge see both sides.
    """

    category: ClassVar[str] = "latent/inpaint"
    title: ClassVar[str] = "Encode picture for inpainting"
    pixels: Annotated[Image, Label("Picture")]
    vae: Vae
    mask: Mask
    grow_mask_by: Annotated[int, Range(0, 64, step=1), Label("Grow mask by")] = 6

    def run(self, ctx: Context) -> Made:
        """Grey out, encode, and attach the mask."""
        planes = self.pixels.planes
        mask = resize(self.mask.pixels[:, None], planes.shape[2], planes.shape[3], "bilinear")
        planes, mask = divisible(planes, self.vae), divisible(mask, self.vae).round()
        grey = (planes - GREY) * (1 - repeated(mask, len(planes))) + GREY
        grown = dilated(mask, self.grow_mask_by) if self.grow_mask_by else mask
        return replace(exposed(ctx, grey, self.vae), mask=grown[:, 0])
