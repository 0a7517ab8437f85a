"""Nodes on latents: make, resize, and go to and from pictures."""

from typing import Annotated, ClassVar

import torch

from safelight.diffusion.resample import METHODS, crop_to_aspect, resize
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range
from safelight.library.developing import developed, exposed
from safelight.library.values import Image, Latent, Vae, empty_latent

DOWNSCALE = 8  # picture pixels along a latent pixel, in every family that has an empty latent
CROPS = ("disabled", "center")
Side = Annotated[int, Range(16, 16384, step=8), Help("In pixels.")]


class EmptyLatentImage(Node):
    """Start from nothing: an empty latent of the size the picture shall have.

    Every model has a size it was trained on and draws best: 128 for Safelight's own, 512
    for Stable Diffusion 1.
    """

    category: ClassVar[str] = "latent"
    title: ClassVar[str] = "Empty latent"
    width: Side = 512
    height: Side = 512
    batch_size: Annotated[
        int, Range(1, 4096), Label("Pictures"), Help("How many to make at once.")
    ] = 1

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Return zeros."""
        return empty_latent(self.batch_size, self.height // DOWNSCALE, self.width // DOWNSCALE)


class LatentUpscale(Node):
    """Resize a latent without decoding it, ready for a second pass of the sampler.

    "bislerp" keeps contrast best. With one side 0 the shape is kept; with both 0 nothing
    changes.
    """

    category: ClassVar[str] = "latent"
    title: ClassVar[str] = "Resize latent"
    samples: Annotated[Latent, Label("Latent")]
    upscale_method: Annotated[
        str, Choice(("nearest-exact", "bilinear", "area", "bicubic", "bislerp")), Label("Method")
    ]
    width: Annotated[int, Range(0, 16384, step=8), Help("In pixels of the picture.")] = 512
    height: Annotated[int, Range(0, 16384, step=8), Help("In pixels of the picture.")] = 512
    crop: Annotated[str, Choice(CROPS), Help("Cut to the new shape first, instead of stretching.")]

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Resample every channel."""
        x = self.samples.samples
        width, height = kept_shape(self.width // DOWNSCALE, self.height // DOWNSCALE, x)
        if self.crop == "center":
            x = crop_to_aspect(x, height, width)
        assert self.upscale_method in METHODS
        return self.samples.with_samples(resize(x, height, width, self.upscale_method))


class VAEDecode(Node):
    """Develop the picture: turn a latent back into pixels."""

    category: ClassVar[str] = "latent"
    title: ClassVar[str] = "Decode picture"
    samples: Annotated[Latent, Label("Latent")]
    vae: Vae

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")]:
        """Decode, in tiles if memory does not suffice."""
        return developed(ctx, self.samples, self.vae)


class VAEEncode(Node):
    """Turn a picture into a latent, to start from it instead of from nothing.

    Sides that are no multiple of 8 lose up to 7 pixels at their edges.
    """

    category: ClassVar[str] = "latent"
    title: ClassVar[str] = "Encode picture"
    pixels: Annotated[Image, Label("Picture")]
    vae: Vae

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Encode the middle of the picture, in tiles if memory does not suffice."""
        return exposed(ctx, self.pixels.planes, self.vae)


def kept_shape(width: int, height: int, x: torch.Tensor) -> tuple[int, int]:
    """Return the size to resize to, where 0 stands for "as the other side wants it"."""
    rows, columns = x.shape[2:]
    if not width and not height:
        return columns, rows
    width = width or max(1, round(columns * height / rows))
    return width, height or max(1, round(rows * width / columns))
