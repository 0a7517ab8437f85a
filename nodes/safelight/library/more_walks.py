"""Further parts of walks: noise added by hand, and stops of special kinds."""

from typing import Annotated, ClassVar, Literal

import torch

from safelight.diffusion import published, spacing
from safelight.diffusion.noise import initial
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.sampling import Strength
from safelight.library.values import Latent, Model
from safelight.library.walks import Noise, Sigmas

Made = Annotated[Sigmas, Output("SIGMAS")]


class AddNoise(Node):
    """Lay noise over a latent, as much as a walk over these sigmas takes away.

    A sampler node without noise of its own can then start from it.
    """

    category: ClassVar[str] = "_for_testing/custom_sampling/noise"
    title: ClassVar[str] = "Add noise"
    model: Model
    noise: Noise
    sigmas: Sigmas
    latent_image: Annotated[Latent, Label("Latent")]

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Add it in the scale of diffusion."""
        levels, form = self.sigmas.levels, self.model.format
        if not len(levels):
            return self.latent_image
        x = form.to_diffusion(self.latent_image.fitting(form, "model")).float()
        fresh = initial(self.noise.seed, tuple(x.shape))
        if self.noise.silent:
            fresh = torch.zeros_like(fresh)
        scale = (levels[0] - levels[-1]).abs() if len(levels) > 1 else levels[0]
        noised = self.model.denoiser.schedule.path.noised(x, fresh, scale.to(x))
        return Latent(form.to_autoencoder(noised), form, self.latent_image.mask)


class OptimalStepsScheduler(Node):
    """Place the steps where they were found to lose least, for Flux."""

    category: ClassVar[str] = "sampling/custom_sampling/schedulers"
    title: ClassVar[str] = "Optimal steps"
    model_type: Annotated[Literal["FLUX"], Label("Family"), Help("Which models they are for.")]
    steps: Annotated[int, Range(3, 1000), Help("How many times to ask the network.")] = 20
    denoise: Strength = 1.0

    def run(self, ctx: Context) -> Made:
        """Read the sigmas off the published stops."""
        return Sigmas(published.optimal_steps(self.steps, self.denoise))


class ExtendIntermediateSigmas(Node):
    """Put further stops between those of a walk, where its noise lies between two levels."""

    category: ClassVar[str] = "sampling/custom_sampling/sigmas"
    title: ClassVar[str] = "Stops between"
    sigmas: Sigmas
    steps: Annotated[int, Range(1, 100), Help("How many steps each becomes.")] = 2
    start_at_sigma: Annotated[
        float, Range(-1.0, 20_000.0, step=0.01), Label("From"), Help("-1: from the start.")
    ] = -1.0
    end_at_sigma: Annotated[
        float, Range(0.0, 20_000.0, step=0.01), Label("Down to"), Help("The last such level.")
    ] = 12.0
    spacing: Annotated[
        Literal["linear", "cosine", "sine"], Help("Even, or more of them at the end or start.")
    ]

    def run(self, ctx: Context) -> Made:
        """Put them in."""
        top = float("inf") if self.start_at_sigma < 0 else self.start_at_sigma
        span = (top, self.end_at_sigma)
        return Sigmas(spacing.extended(self.sigmas.levels, self.steps, span, self.spacing))
