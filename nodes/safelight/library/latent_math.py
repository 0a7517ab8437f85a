"""Nodes that compute with the numbers of latents."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from torch import Tensor

from safelight.diffusion.darkroom.tones import interpolated, reinhard, sharper
from safelight.diffusion.guidance import Guided, Look
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.latent_tools import matched
from safelight.library.values import Latent, Model

Made = Annotated[Latent, Output("LATENT")]
First = Annotated[Latent, Label("First")]
Second = Annotated[Latent, Label("Second")]
Share = Annotated[float, Range(0.0, 1.0, step=0.01), Label("Share of the first")]


@dataclass(frozen=True, eq=False)
class LatentOperation:
    """Something to do with a latent, once or at every step of a walk."""

    wire: ClassVar[str] = "LATENT_OPERATION"
    apply: Callable[[Tensor], Tensor]


Operation = Annotated[LatentOperation, Output("LATENT_OPERATION")]


class LatentAdd(Node):
    """Add two latents."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Add latents"
    samples1: First
    samples2: Second

    def run(self, ctx: Context) -> Made:
        """Add; the second one follows the size of the first."""
        a, b, form = matched(self.samples1, self.samples2)
        return self.samples1.with_samples(a + b, form)


class LatentSubtract(Node):
    """Subtract a latent from another."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Subtract latents"
    samples1: First
    samples2: Second

    def run(self, ctx: Context) -> Made:
        """Subtract; the second one follows the size of the first."""
        a, b, form = matched(self.samples1, self.samples2)
        return self.samples1.with_samples(a - b, form)


class LatentMultiply(Node):
    """Multiply a latent: more than 1 raises contrast."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Multiply latent"
    samples: Annotated[Latent, Label("Latent")]
    multiplier: Annotated[float, Range(-10.0, 10.0, step=0.01), Label("By")] = 1.0

    def run(self, ctx: Context) -> Made:
        """Multiply."""
        return self.samples.with_samples(self.samples.samples * self.multiplier)


class LatentInterpolate(Node):
    """Mix two latents so that no contrast is lost: directions and lengths apart."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Interpolate latents"
    samples1: First
    samples2: Second
    ratio: Share = 1.0

    def run(self, ctx: Context) -> Made:
        """Mix."""
        a, b, form = matched(self.samples1, self.samples2)
        return self.samples1.with_samples(interpolated(a, b, self.ratio), form)


class LatentBlend(Node):
    """Mix two latents, number by number."""

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Blend latents"
    samples1: First
    samples2: Second
    blend_factor: Share = 0.5

    def run(self, ctx: Context) -> Made:
        """Mix; the second one follows the size of the first."""
        a, b, form = matched(self.samples1, self.samples2, "bicubic")
        share = self.blend_factor
        return self.samples1.with_samples(share * a + (1 - share) * b, form)


class LatentOperationTonemapReinhard(Node):
    """Press strong latent vectors together, as film does with bright light.

    With it a walk can follow its prompt more closely before colours burn out.
    """

    category: ClassVar[str] = "latent/advanced/operations"
    title: ClassVar[str] = "Tone mapping of latents"
    multiplier: Annotated[
        float, Range(0.0, 100.0, step=0.01), Help("Smaller presses harder; 0 leaves nothing.")
    ] = 1.0

    def run(self, ctx: Context) -> Operation:
        """Name the operation."""
        return LatentOperation(lambda x: reinhard(x, self.multiplier))


class LatentOperationSharpen(Node):
    """Sharpen the directions of latent vectors, keeping their lengths."""

    category: ClassVar[str] = "latent/advanced/operations"
    title: ClassVar[str] = "Sharpening of latents"
    sharpen_radius: Annotated[int, Range(1, 31, step=1), Label("Radius")] = 9
    sigma: Annotated[
        float, Range(0.1, 10.0, step=0.1), Label("Width"), Help("Where 1 is the radius.")
    ] = 1.0
    alpha: Annotated[float, Range(0.0, 5.0, step=0.01), Label("Strength")] = 0.1

    def run(self, ctx: Context) -> Operation:
        """Name the operation."""
        return LatentOperation(lambda x: sharper(x, self.sharpen_radius, self.sigma, self.alpha))


class LatentApplyOperation(Node):
    """Do something with a latent now."""

    category: ClassVar[str] = "latent/advanced/operations"
    title: ClassVar[str] = "Apply operation to latent"
    samples: Annotated[Latent, Label("Latent")]
    operation: LatentOperation

    def run(self, ctx: Context) -> Made:
        """Apply it."""
        return self.samples.with_samples(self.operation.apply(self.samples.samples))


class LatentApplyOperationCFG(Node):
    """Do something with what the prompt adds to a guess, at every step of a walk."""

    category: ClassVar[str] = "latent/advanced/operations"
    title: ClassVar[str] = "Apply operation to guidance"
    model: Model
    operation: LatentOperation

    def run(self, ctx: Context) -> Annotated[Model, Output("MODEL")]:
        """Add it to the model's guidance."""

        def mend(look: Look) -> Look:
            added = self.operation.apply(look.wanted - look.unwanted)
            return replace(look, wanted=added + look.unwanted)

        def technique(guided: Guided) -> Guided:
            return replace(guided, before=(*guided.before, mend))

        return self.model.guided(technique)
