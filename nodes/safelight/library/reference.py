"""A node that lets a model look at another picture while it draws."""

from dataclasses import replace
from typing import Annotated, ClassVar

from safelight.diffusion.change import during
from safelight.diffusion.changes.reference import Reference, self_attentions
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.values import Conditioning, Latent, Model

Share = Annotated[float, Range(0.0, 1.0, step=0.001), Help("As a share of the walk.")]


class ReferenceOnly(Node):
    """Let what is drawn look like another picture: its colours, its hand, its figures.

    Every pixel also listens to those of the reference, as the model itself sees it. Nothing was
    trained for it, so it works with every U-Net, and costs one look more at each step. What is
    told of the reference may be nothing.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Follow reference"
    model: Model
    reference: Annotated[Latent, Help("The picture to look at; the first of a batch.")]
    conditioning: Annotated[Conditioning, Label("Told of it"), Help("What the reference shows.")]
    weight: Annotated[float, Range(0.0, 5.0, step=0.05), Help("0 does not look at it.")] = 1.0
    start_percent: Share = 0.0
    end_percent: Share = 1.0
    seed: Annotated[int, Range(0, 2**64 - 1), Help("Which noise lies over the reference.")] = 0

    def run(self, ctx: Context) -> Annotated[Model, Output("MODEL")]:
        """Give the network ears for it."""
        form = self.model.format
        latent = form.to_diffusion(self.reference.fitting(form, "model"))[:1]
        self_attentions(self.model.network)
        if self.weight == 0:
            return self.model
        told = self.model.denoiser.told(self.conditioning.whole)
        change = during(
            Reference(told, latent.float(), self.weight, self.seed),
            *(self.model.denoiser.schedule, self.start_percent, self.end_percent),
        )
        return replace(self.model, changes=(*self.model.changes, change))
