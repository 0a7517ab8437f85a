"""Conditioning for models that were trained to repaint: they are shown the picture."""

from dataclasses import replace
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from safelight.diffusion.darkroom.geometry import repeated
from safelight.diffusion.latent import CHANNELS, FLUX
from safelight.diffusion.resample import resize
from safelight.graph.node import Context, Help, Label, Node, Output
from safelight.library.developing import divisible, exposed
from safelight.library.latent_developing import GREY
from safelight.library.values import Conditioning, Image, Latent, Mask, Vae


class Repainted(NamedTuple):
    """Prompts that know the picture, and where to start."""

    positive: Annotated[Conditioning, Output("positive")]
    negative: Annotated[Conditioning, Output("negative")]
    latent: Annotated[Latent, Output("latent", "The picture, with its mask.")]


class InpaintModelConditioning(Node):
    """Show a picture, grey under a mask, to a model that was trained to fill it.

    For Stable Diffusion's inpainting models and Flux fill. With "noise mask" the rest of the
    picture is kept bit for bit; without, the model may retouch it to fit.
    """

    category: ClassVar[str] = "conditioning/inpaint"
    title: ClassVar[str] = "Tell inpainting model"
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    vae: Vae
    pixels: Annotated[Image, Label("Picture")]
    mask: Annotated[Mask, Help("White where to paint anew.")]
    noise_mask: Annotated[bool, Label("Noise mask"), Help("Keep the rest as it is.")] = True

    def run(self, ctx: Context) -> Repainted:
        """Encode the picture twice, whole and with the hole."""
        planes = self.pixels.planes
        mask = resize(self.mask.pixels[:, None], planes.shape[2], planes.shape[3], "bilinear")
        planes, mask = divisible(planes, self.vae), divisible(mask, self.vae)
        hole = repeated(mask.round(), len(planes))
        seen = exposed(ctx, (planes - GREY) * (1 - hole) + GREY, self.vae)
        start = exposed(ctx, planes, self.vae)
        if self.noise_mask:
            start = replace(start, mask=mask[:, 0])
        beside = shown(seen, hole)
        positive, negative = (
            Conditioning(said.whole.each(lambda one: one.with_beside(beside)))
            for said in (self.positive, self.negative)
        )
        return Repainted(positive, negative, start)


def shown(latent: Latent, hole: Tensor) -> Tensor:
    """Return the channels that lie beside the noisy latent.

    Stable Diffusion's models see the mask at the latent's size and then the latent; Flux,
    alone among those with sixteen channels, the latent and then all pixels of the mask.
    """
    assert latent.format is not None
    x = latent.samples
    if x.shape[1] == CHANNELS:
        mask = F.pixel_unshuffle(hole, hole.shape[2] // x.shape[2])
        return torch.cat((FLUX.to_diffusion(x), mask), dim=1)
    small = resize(hole, x.shape[2], x.shape[3], "bilinear").round()
    return torch.cat((small, latent.format.to_diffusion(x)), dim=1)
