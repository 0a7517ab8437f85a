"""Nodes that make and cut sigmas: where a walk stops on its way from noise to a picture."""

from typing import Annotated, ClassVar, Literal, NamedTuple

import torch

from safelight.diffusion import published, schedule, spacing
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.sampling import SchedulerName, Steps, Strength
from safelight.library.values import Model
from safelight.library.walks import Sigmas

Made = Annotated[Sigmas, Output("SIGMAS")]
Top = Annotated[float, Range(0.0, 5000.0, step=0.01), Label("From"), Help("The first sigma.")]
Bottom = Annotated[
    float, Range(0.0, 5000.0, step=0.01), Label("Down to"), Help("The last one before 0.")
]
Bend = Annotated[
    float, Range(0.0, 100.0, step=0.01), Label("Bend"), Help("More: shorter steps at low noise.")
]
MAKING: str = "sampling/custom_sampling/schedulers"
CUTTING: str = "sampling/custom_sampling/sigmas"
NO_BOUND = 999_999_999.9  # what stands for "above every sigma" in a number


class BasicScheduler(Node):
    """Place the steps as the plain sampler node does, by one of its schedules."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Schedule"
    model: Model
    scheduler: SchedulerName
    steps: Steps = 20
    denoise: Strength = 1.0

    def run(self, ctx: Context) -> Made:
        """Read the sigmas off the model's levels."""
        levels = self.model.denoiser.schedule
        return Sigmas(schedule.ksampler_sigmas(levels, self.scheduler, self.steps, self.denoise))


class KarrasScheduler(Node):
    """Place the steps evenly in sigma^(1/rho): short ones at low noise, where detail forms."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Schedule by a power"
    steps: Steps = 20
    sigma_max: Top = 14.614642
    sigma_min: Bottom = 0.0291675
    rho: Bend = 7.0

    def run(self, ctx: Context) -> Made:
        """Space them."""
        sigmas = spacing.karras(self.steps, self.sigma_max, self.sigma_min, self.rho)
        return Sigmas(sigmas.float())


class ExponentialScheduler(Node):
    """Place the steps so that each divides the noise by the same number."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Exponential schedule"
    steps: Steps = 20
    sigma_max: Top = 14.614642
    sigma_min: Bottom = 0.0291675

    def run(self, ctx: Context) -> Made:
        """Space them."""
        return Sigmas(spacing.exponential(self.steps, self.sigma_max, self.sigma_min).float())


class PolyexponentialScheduler(Node):
    """Place the steps along a bent curve in the logarithm of the noise."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Bent exponential schedule"
    steps: Steps = 20
    sigma_max: Top = 14.614642
    sigma_min: Bottom = 0.0291675
    rho: Bend = 1.0

    def run(self, ctx: Context) -> Made:
        """Space them."""
        sigmas = spacing.polyexponential(self.steps, self.sigma_max, self.sigma_min, self.rho)
        return Sigmas(sigmas.float())


class LaplaceScheduler(Node):
    """Place most steps around one level of noise; the last sigma is not 0.

    The steps follow the quantiles of a Laplace distribution in ln sigma.
    """

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Laplace schedule"
    steps: Steps = 20
    sigma_max: Top = 14.614642
    sigma_min: Bottom = 0.0291675
    mu: Annotated[
        float, Range(-10.0, 10.0, step=0.1), Label("Centre"), Help("ln sigma of most steps.")
    ] = 0.0
    beta: Annotated[
        float, Range(0.0, 10.0, step=0.1), Label("Width"), Help("How far they spread.")
    ] = 0.5

    def run(self, ctx: Context) -> Made:
        """Space them."""
        ends = self.sigma_max, self.sigma_min
        return Sigmas(spacing.laplace(self.steps, *ends, self.mu, self.beta).float())


class VPScheduler(Node):
    """Place the steps evenly in the time of a variance-preserving process."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Variance-preserving schedule"
    steps: Steps = 20
    beta_d: Annotated[
        float, Range(0.0, 5000.0, step=0.01), Label("Slope"), Help("How the noise rate grows.")
    ] = 19.9
    beta_min: Annotated[
        float, Range(0.0, 5000.0, step=0.01), Label("First rate"), Help("The rate at time 0.")
    ] = 0.1
    eps_s: Annotated[
        float, Range(0.0, 1.0, step=0.0001), Label("Last time"), Help("Where time stops.")
    ] = 0.001

    def run(self, ctx: Context) -> Made:
        """Space them."""
        sigmas = spacing.variance_preserving(self.steps, self.beta_d, self.beta_min, self.eps_s)
        return Sigmas(sigmas.float())


class BetaSamplingScheduler(Node):
    """Place the steps by the quantiles of a Beta distribution: short ones at both ends."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Beta schedule"
    model: Model
    steps: Steps = 20
    alpha: Annotated[
        float, Range(0.0, 50.0, step=0.01), Help("Less: shorter steps at low noise.")
    ] = 0.6
    beta: Annotated[
        float, Range(0.0, 50.0, step=0.01), Help("Less: shorter steps at high noise.")
    ] = 0.6

    def run(self, ctx: Context) -> Made:
        """Read the sigmas off the model's levels."""
        levels = self.model.denoiser.schedule
        return Sigmas(schedule.beta(levels, self.steps, self.alpha, self.beta).float())


class SDTurboScheduler(Node):
    """Place the few steps of a model that was distilled to ten or fewer."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Turbo schedule"
    model: Model
    steps: Annotated[int, Range(1, 10), Help("How many times to ask the network.")] = 1
    denoise: Strength = 1.0

    def run(self, ctx: Context) -> Made:
        """Read the sigmas off the model's levels."""
        return Sigmas(published.sd_turbo(self.model.denoiser.schedule, self.steps, self.denoise))


class AlignYourStepsScheduler(Node):
    """Place the steps where they were found to matter most for a family of models."""

    category: ClassVar[str] = MAKING
    title: ClassVar[str] = "Aligned schedule"
    model_type: Annotated[
        Literal["SD1", "SDXL", "SVD"], Label("Family"), Help("Which models they are for.")
    ]
    steps: Steps = 10
    denoise: Strength = 1.0

    def run(self, ctx: Context) -> Made:
        """Read the sigmas off the published stops."""
        return Sigmas(published.align_your_steps(self.model_type, self.steps, self.denoise))


class Parts(NamedTuple):
    """Sigmas cut in two, sharing the one at the cut."""

    high: Annotated[Sigmas, Output("high_sigmas")]
    low: Annotated[Sigmas, Output("low_sigmas")]


class SplitSigmas(Node):
    """Cut sigmas after some steps, for two samplers in a row."""

    category: ClassVar[str] = CUTTING
    title: ClassVar[str] = "Split sigmas"
    sigmas: Sigmas
    step: Annotated[int, Range(0, 10_000), Help("How many steps the first part has.")] = 0

    def run(self, ctx: Context) -> Parts:
        """Cut; both parts have the sigma of the cut."""
        levels = self.sigmas.levels
        return Parts(Sigmas(levels[: self.step + 1]), Sigmas(levels[self.step :]))


class SplitSigmasDenoise(Node):
    """Cut sigmas so that the second part has a share of the steps."""

    category: ClassVar[str] = CUTTING
    title: ClassVar[str] = "Split sigmas by strength"
    sigmas: Sigmas
    denoise: Annotated[
        float, Range(0.0, 1.0, step=0.01), Label("Strength"), Help("The share of the second part.")
    ] = 1.0

    def run(self, ctx: Context) -> Parts:
        """Cut; both parts have the sigma of the cut."""
        cut = self.sigmas.steps - round(self.sigmas.steps * self.denoise)
        levels = self.sigmas.levels
        return Parts(Sigmas(levels[: cut + 1]), Sigmas(levels[cut:]))


class FlipSigmas(Node):
    """Turn sigmas round, to walk from a picture to the noise it may come from."""

    category: ClassVar[str] = CUTTING
    title: ClassVar[str] = "Flip sigmas"
    sigmas: Sigmas

    def run(self, ctx: Context) -> Made:
        """Turn; a first 0 becomes 0.0001, for nothing can be divided by 0."""
        levels = self.sigmas.levels.flip(0)
        if len(levels) and levels[0] == 0:
            levels[0] = 0.0001
        return Sigmas(levels)


class SetFirstSigma(Node):
    """Start a walk from another level of noise."""

    category: ClassVar[str] = CUTTING
    title: ClassVar[str] = "Set first sigma"
    sigmas: Sigmas
    sigma: Annotated[float, Range(0.0, 20_000.0, step=0.001), Help("The new first one.")] = 136.0

    def run(self, ctx: Context) -> Made:
        """Replace the first level."""
        first = self.sigmas.levels.new_tensor([self.sigma])
        return Sigmas(torch.cat([first, self.sigmas.levels[1:]]))


class SamplingPercentToSigma(Node):
    """Tell which level of noise lies some way down a model's levels."""

    category: ClassVar[str] = CUTTING
    title: ClassVar[str] = "Sigma at a percentage"
    model: Model
    sampling_percent: Annotated[
        float, Range(0.0, 1.0, step=0.0001), Label("Share"), Help("0 is noise alone, 1 clean.")
    ] = 0.0
    return_actual_sigma: Annotated[
        bool, Label("Model's own ends"), Help("At 0 and 1, give the model's first and last level.")
    ] = False

    def run(self, ctx: Context) -> Annotated[float, Output("sigma_value")]:
        """Look it up."""
        levels = self.model.denoiser.schedule
        if self.return_actual_sigma and self.sampling_percent in (0.0, 1.0):
            return levels.sigma_max if self.sampling_percent == 0 else levels.sigma_min
        return min(levels.percent(self.sampling_percent), NO_BOUND)
