"""Nodes that refine guidance by mending its sum; see `safelight.diffusion.guides`."""

from functools import partial
from typing import Annotated, ClassVar

from safelight.diffusion.guides import exposure, frequency, interval, projection, scale
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.values import Model

Guided = Annotated[Model, Output("MODEL")]
Patched = Annotated[Model, Output("patched_model")]


class RescaleCFG(Node):
    """Keep high guidance from burning out: give each guess the contrast it has without.

    Meant for models that predict velocity and start from noise alone. 0 changes nothing, 1
    takes all of the contrast from the unguided guess.
    """

    category: ClassVar[str] = "advanced/model"
    title: ClassVar[str] = "Rescale guidance"
    model: Model
    multiplier: Annotated[float, Range(0.0, 1.0, step=0.01), Help("How much; 0.7 is usual.")] = 0.7

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        return self.model.guided(partial(scale.rescaled, share=self.multiplier))


class CFGNorm(Node):
    """Let guidance turn what is in a pixel, but not make it stronger than the prompt alone."""

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Norm of guidance"
    model: Model
    strength: Annotated[
        float, Range(0.0, 100.0, step=0.01), Help("What everything is multiplied by.")
    ] = 1.0

    def run(self, ctx: Context) -> Patched:
        """Add it to the model's guidance."""
        return self.model.guided(partial(scale.normed, strength=self.strength))


class CFGZeroStar(Node):
    """Scale the negative down to where it fits the positive best, before comparing them.

    Made for flow models, whose negative is often far too strong at the start.
    """

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Zero star"
    model: Model

    def run(self, ctx: Context) -> Patched:
        """Add it to the model's guidance."""
        return self.model.guided(projection.zero_star)


class TCFG(Node):
    """Drop from the negative what has nothing to do with the positive."""

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Tangential damping"
    model: Model

    def run(self, ctx: Context) -> Patched:
        """Add it to the model's guidance."""
        return self.model.guided(projection.damped)


class Mahiro(Node):
    """Follow the direction of the positive prompt more than its distance from the negative."""

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Guidance by direction"
    model: Model

    def run(self, ctx: Context) -> Patched:
        """Add it to the model's guidance."""
        return self.model.guided(exposure.directed)


class APG(Node):
    """Guide without over-saturating: weigh apart what guidance changes and what it inflates.

    With eta 1, threshold 0 and momentum 0 it is plain guidance.
    """

    category: ClassVar[str] = "sampling/custom_sampling"
    title: ClassVar[str] = "Adaptive projected guidance"
    model: Model
    eta: Annotated[
        float, Range(-10.0, 10.0, step=0.01), Help("What inflates is multiplied by it; 0 drops it.")
    ] = 1.0
    norm_threshold: Annotated[
        float, Range(0.0, 50.0, step=0.1), Help("The length guidance may have; 0 is no bound.")
    ] = 5.0
    momentum: Annotated[
        float,
        Range(-5.0, 1.0, step=0.01),
        Help("How much earlier steps count; below 0 they are avoided."),
    ] = 0.0

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance; each walk starts without a past."""
        eta, bound, momentum = self.eta, self.norm_threshold, self.momentum
        return self.model.guided(
            partial(projection.projected, eta=eta, bound=bound, momentum=momentum)
        )


class EpsilonScaling(Node):
    """Find a little less noise than the network says, which sharpens what is drawn.

    Networks walk on guesses of their own and see a little too much noise in them. 1 changes
    nothing.
    """

    known_as: ClassVar[str] = "Epsilon Scaling"
    category: ClassVar[str] = "model_patches/unet"
    title: ClassVar[str] = "Epsilon scaling"
    model: Model
    scaling_factor: Annotated[
        float, Range(0.5, 1.5, step=0.001), Label("Divide noise by"), Help("1.005 is usual.")
    ] = 1.005

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        return self.model.guided(partial(exposure.epsilon_scaled, factor=self.scaling_factor))


class FreSca(Node):
    """Guide large shapes and fine texture by different amounts."""

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Guidance by frequency"
    model: Model
    scale_low: Annotated[
        float, Range(0.0, 10.0, step=0.01), Label("Shapes"), Help("1 changes nothing.")
    ] = 1.0
    scale_high: Annotated[
        float, Range(0.0, 10.0, step=0.01), Label("Texture"), Help("1 changes nothing.")
    ] = 1.25
    freq_cutoff: Annotated[
        int, Range(1, 10_000, step=1), Label("Boundary"), Help("Frequencies that make shapes.")
    ] = 20

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        low, high, cutoff = self.scale_low, self.scale_high, self.freq_cutoff
        return self.model.guided(
            partial(frequency.frequency_scaled, low=low, high=high, cutoff=cutoff)
        )


class DynamicThresholding(Node):
    """Keep high guidance from burning out: cut off what sticks out, and shrink to what is usual.

    Usual is the range of the guess by the prompt alone.
    """

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Dynamic thresholding"
    model: Model
    quantile: Annotated[
        float, Range(0.5, 1.0, step=0.001), Help("The share of pixels that is not cut off.")
    ] = 0.995

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        return self.model.guided(partial(scale.thresholded, quantile=self.quantile))


class GuidanceInterval(Node):
    """Guide only for a part of the walk; in the rest the network is asked once, not twice.

    Leaving out the start keeps pictures varied, leaving out the end only saves time.
    """

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Interval of guidance"
    model: Model
    start_percent: Annotated[float, Range(0.0, 1.0, step=0.001), Help("Share of the walk.")] = 0.0
    end_percent: Annotated[float, Range(0.0, 1.0, step=0.001), Help("Share of the walk.")] = 1.0

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        percent = self.model.denoiser.schedule.percent
        high, low = percent(self.start_percent), percent(self.end_percent)
        return self.model.guided(partial(interval.within, high=high, low=low))
