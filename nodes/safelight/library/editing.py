"""Conditioning for models that were trained to edit: they are shown what is to be changed."""

from typing import Annotated, ClassVar

import torch

from safelight.graph.node import Context, Help, Label, Node
from safelight.library.developing import divisible, exposed
from safelight.library.inpainting import Repainted
from safelight.library.values import Conditioning, Image, Latent, Vae


class InstructPixToPixConditioning(Node):
    """Show a picture to a model that was trained to edit it as the prompt says.

    For InstructPix2Pix. Its prompts are guided best by three prompts: from no picture to the
    picture, and from there to what is wanted.
    """

    category: ClassVar[str] = "conditioning/instructpix2pix"
    title: ClassVar[str] = "Tell editing model"
    positive: Annotated[Conditioning, Help("What to change.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    vae: Vae
    pixels: Annotated[Image, Label("Picture")]

    def run(self, ctx: Context) -> Repainted:
        """Encode the picture; the walk starts from noise alone."""
        beside = exposed(ctx, divisible(self.pixels.planes, self.vae), self.vae).samples
        positive, negative = (
            Conditioning(said.whole.each(lambda one: one.with_beside(beside)))
            for said in (self.positive, self.negative)
        )
        return Repainted(positive, negative, Latent(torch.zeros_like(beside)))
