"""Nodes that cut, turn, resize and join latents, counting in pixels of the picture."""

from typing import Annotated, ClassVar, Literal

import torch

from safelight.diffusion.darkroom.geometry import (
    Sides,
    feather,
    flipped,
    repeated,
    rotated,
    window,
)
from safelight.diffusion.darkroom.pasting import pasted
from safelight.diffusion.resample import METHODS, resize
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range
from safelight.library.compositing import laid
from safelight.library.image_layout import Flip, Rotation, quarters
from safelight.library.latent import DOWNSCALE
from safelight.library.latent_tools import together
from safelight.library.values import Latent, Mask

Made = Annotated[Latent, Output("LATENT")]
Samples = Annotated[Latent, Label("Latent")]
Place = Annotated[int, Range(0, 16384, step=8), Help("In pixels of the picture.")]
Length = Annotated[int, Range(64, 16384, step=8), Help("In pixels of the picture.")]
LEAST = 8  # latent pixels that a crop always finds


class LatentUpscaleBy(Node):
    """Resize a latent by a factor, without decoding it; "bislerp" keeps contrast best."""

    category: ClassVar[str] = "latent"
    title: ClassVar[str] = "Resize latent by factor"
    samples: Samples
    upscale_method: Annotated[
        str, Choice(("nearest-exact", "bilinear", "area", "bicubic", "bislerp")), Label("Method")
    ]
    scale_by: Annotated[float, Range(0.01, 8.0, step=0.01), Label("Factor")] = 1.5

    def run(self, ctx: Context) -> Made:
        """Multiply both sides."""
        x = self.samples.samples
        height, width = (max(1, round(side * self.scale_by)) for side in x.shape[2:])
        assert self.upscale_method in METHODS
        return self.samples.with_samples(resize(x, height, width, self.upscale_method))


class LatentCrop(Node):
    """Cut a rectangle out of a latent."""

    category: ClassVar[str] = "latent/transform"
    title: ClassVar[str] = "Crop latent"
    samples: Samples
    width: Length = 512
    height: Length = 512
    x: Place = 0
    y: Place = 0

    def run(self, ctx: Context) -> Made:
        """Cut; at least 64 pixels remain, if the latent has them."""
        rows, columns = self.samples.samples.shape[2:]
        left = min(self.x // DOWNSCALE, max(columns - LEAST, 0))
        top = min(self.y // DOWNSCALE, max(rows - LEAST, 0))
        width, height = self.width // DOWNSCALE, self.height // DOWNSCALE
        return self.samples.with_samples(window(self.samples.samples, left, top, width, height))


class LatentRotate(Node):
    """Turn a latent clockwise. The picture turns with it, though its details may suffer."""

    category: ClassVar[str] = "latent/transform"
    title: ClassVar[str] = "Rotate latent"
    samples: Samples
    rotation: Rotation

    def run(self, ctx: Context) -> Made:
        """Turn."""
        return self.samples.with_samples(rotated(self.samples.samples, quarters(self.rotation)))


class LatentFlip(Node):
    """Mirror a latent: around the x axis upside down, around the y axis left to right."""

    category: ClassVar[str] = "latent/transform"
    title: ClassVar[str] = "Flip latent"
    samples: Samples
    flip_method: Flip

    def run(self, ctx: Context) -> Made:
        """Mirror."""
        upside_down = self.flip_method.startswith("x")
        return self.samples.with_samples(flipped(self.samples.samples, upside_down=upside_down))


class LatentComposite(Node):
    """Lay a latent over another, fading in over some pixels where it meets the other."""

    category: ClassVar[str] = "latent"
    title: ClassVar[str] = "Lay latent over latent"
    samples_to: Annotated[Latent, Label("Below")]
    samples_from: Annotated[Latent, Label("Above")]
    x: Place = 0
    y: Place = 0
    feather: Annotated[
        int, Range(0, 16384, step=8), Label("Feather"), Help("Width of the seam in pixels.")
    ] = 0

    def run(self, ctx: Context) -> Made:
        """Paste; at the edges of the lower latent there is no seam."""
        below, above, form = together(self.samples_to, self.samples_from)
        left, top, soft = (n // DOWNSCALE for n in (self.x, self.y, self.feather))
        rows, columns = (min(a, b) for a, b in zip(above.shape[2:], below.shape[2:], strict=True))
        ends_right = left + columns >= below.shape[3]
        ends_below = top + rows >= below.shape[2]
        sides = Sides(
            soft if left else 0,
            soft if top else 0,
            0 if ends_right else soft,
            0 if ends_below else soft,
        )
        patch = repeated(above, len(below))
        mask = feather(above.shape[2], above.shape[3], sides)
        return self.samples_to.with_samples(pasted(below, patch, left, top, mask), form)


class LatentCompositeMasked(Node):
    """Lay a latent over another, where a mask says so."""

    category: ClassVar[str] = "latent"
    title: ClassVar[str] = "Lay latent over latent by mask"
    destination: Annotated[Latent, Label("Below")]
    source: Annotated[Latent, Label("Above")]
    x: Place = 0
    y: Place = 0
    resize_source: Annotated[
        bool, Label("Stretch"), Help("Stretch the upper latent over the whole lower one.")
    ] = False
    mask: Mask | None = None

    def run(self, ctx: Context) -> Made:
        """Paste."""
        below, above, form = together(self.destination, self.source)
        left, top = self.x // DOWNSCALE, self.y // DOWNSCALE
        whole = laid(below, above, left, top, self.mask, stretched=self.resize_source)
        return self.destination.with_samples(whole, form)


class TimeError(ValueError):
    """A still picture was asked for its time axis."""


AXES = {"x": 3, "y": 2}


def axis(name: str) -> int:
    """Return the axis of a latent that a choice names."""
    if name not in AXES:
        raise TimeError("these latents are still pictures: they have axes x and y, but no t")
    return AXES[name]


class LatentConcat(Node):
    """Put two latents beside each other; with a minus the second one comes first."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Join latents"
    samples1: Annotated[Latent, Label("First")]
    samples2: Annotated[Latent, Label("Second")]
    dim: Annotated[Literal["x", "-x", "y", "-y", "t", "-t"], Label("Along")]

    def run(self, ctx: Context) -> Made:
        """Join; the second batch is repeated to the length of the first."""
        first, second, form = together(self.samples1, self.samples2)
        pair = [first, repeated(second, len(first))]
        if self.dim.startswith("-"):
            pair.reverse()
        joined = torch.cat(pair, dim=axis(self.dim.removeprefix("-")))
        return self.samples1.with_samples(joined, form)


class LatentCut(Node):
    """Cut a stripe out of a latent, counted in latent pixels; a negative start from the end."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Cut latent"
    samples: Samples
    dim: Annotated[Literal["x", "y", "t"], Label("Along")]
    index: Annotated[int, Range(-16384, 16384, step=1), Label("From")] = 0
    amount: Annotated[int, Range(1, 16384, step=1), Label("Pixels")] = 1

    def run(self, ctx: Context) -> Made:
        """Cut what is there."""
        x = self.samples.samples
        size = x.shape[axis(self.dim)]
        start = max(self.index + size, 0) if self.index < 0 else min(self.index, size - 1)
        amount = min(self.amount, size - start)
        return self.samples.with_samples(x.narrow(axis(self.dim), start, amount))
