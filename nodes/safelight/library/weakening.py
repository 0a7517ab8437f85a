"""Nodes that guide by what the network does wrong, or by more prompts than two."""

import re
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch

from safelight.diffusion.change import Change, during
from safelight.diffusion.changes.attention import Witness, identity, witnessed
from safelight.diffusion.changes.skipping import skipping
from safelight.diffusion.denoiser import Denoiser, LatentModel
from safelight.diffusion.guidance import refined
from safelight.diffusion.guides import blurred, negative, prompts, weaker
from safelight.diffusion.guides.leading import Leading
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.sampling import Guidance
from safelight.library.values import Conditioning, Model
from safelight.library.walks import Guider

Guided = Annotated[Model, Output("MODEL")]
Scale = Annotated[float, Range(0.0, 10.0, step=0.1), Label("Strength"), Help("0 does nothing.")]
Layers = Annotated[str, Help("Numbers of blocks, the first is 0; others are ignored.")]
NOTHING_SAID = torch.zeros(1, 1, 1)
Share = Annotated[float, Range(0.0, 1.0, step=0.001), Help("As a share of the walk.")]


class PerturbedAttentionGuidance(Node):
    """Show the network how it would draw if its pixels did not listen, and push away from that.

    It tidies what is drawn, with low guidance and even without a prompt, and costs one look
    more at each step. For U-Nets and the transformers of Stable Diffusion 3 and Flux.
    """

    category: ClassVar[str] = "model_patches/unet"
    title: ClassVar[str] = "Perturbed attention"
    model: Model
    scale: Annotated[
        float,
        Range(0.0, 100.0, step=0.01, round=0.01),
        Label("Strength"),
        Help("3 is usual; 0 does nothing."),
    ] = 3.0

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        fits(self.model, identity)
        return self.model.guided(partial(weaker.weakened, weak=identity, scale=self.scale))


class SelfAttentionGuidance(Node):
    """Blur what the network looks at most, and push towards the detail that it misses then.

    It costs one look more at each step. For U-Nets.
    """

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Self-attention guidance"
    model: Model
    scale: Annotated[float, Range(-2.0, 5.0, step=0.01), Label("Strength")] = 0.5
    blur_sigma: Annotated[
        float, Range(0.0, 10.0, step=0.1), Label("Blur"), Help("In latent pixels.")
    ] = 2.0

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        fits(self.model, witnessed(Witness()))
        return self.model.guided(
            partial(blurred.blur_guided, scale=self.scale, blur=self.blur_sigma)
        )


class AttentionNegative(Node):
    """Say the negative prompt inside of the network, where guidance of 1 would not ask for it.

    For models that draw in a few steps without guidance. For U-Nets and the transformers of
    Stable Diffusion 3 and Flux.
    """

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Negative within attention"
    model: Model
    scale: Annotated[
        float, Range(0.0, 20.0, step=0.1), Label("Strength"), Help("0 does nothing.")
    ] = 4.0
    bound: Annotated[
        float, Range(1.0, 10.0, step=0.1), Help("How much stronger anything may become.")
    ] = 2.5
    mix: Annotated[float, Range(0.0, 1.0, step=0.01), Help("The share that is led away.")] = 0.5

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        fits(self.model, negative.saying(NOTHING_SAID, Leading(self.scale)))
        return self.model.guided(
            partial(negative.attention_guided, scale=self.scale, bound=self.bound, mix=self.mix)
        )


class SkipLayerGuidanceDiT(Node):
    """Leave out some layers of a transformer, and push away from what it draws then.

    It mends anatomy above all, and costs one look more while it is at work.
    """

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Skip layers, with strength"
    model: Model
    double_layers: Layers = "7, 8, 9"
    single_layers: Layers = "7, 8, 9"
    scale: Scale = 3.0
    start_percent: Share = 0.01
    end_percent: Share = 0.15
    rescaling_scale: Annotated[
        float,
        Range(0.0, 10.0, step=0.01),
        Label("Rescale"),
        Help("How far to bring the contrast back."),
    ] = 0.0

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        skip = skipping(numbers(self.double_layers), numbers(self.single_layers))
        span = (self.start_percent, self.end_percent)
        return weakened(self.model, skip, self.scale, span, self.rescaling_scale)


class SkipLayerGuidanceSD3(Node):
    """Leave out some layers of Stable Diffusion 3, and push away from what it draws then.

    Layers 7 to 9 suit the medium model of version 3.5.
    """

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Skip layers of SD 3"
    model: Model
    layers: Layers = "7, 8, 9"
    scale: Scale = 3.0
    start_percent: Share = 0.01
    end_percent: Share = 0.15

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        span = (self.start_percent, self.end_percent)
        return weakened(self.model, skipping(numbers(self.layers)), self.scale, span)


class SkipLayerGuidanceDiTSimple(Node):
    """Leave out some layers where the negative is asked: at no cost.

    It works as far as guidance is above 1.
    """

    category: ClassVar[str] = "advanced/guidance"
    title: ClassVar[str] = "Skip layers of the negative"
    model: Model
    double_layers: Layers = "7, 8, 9"
    single_layers: Layers = "7, 8, 9"
    start_percent: Share = 0.0
    end_percent: Share = 1.0

    def run(self, ctx: Context) -> Guided:
        """Add it to the model's guidance."""
        skip = skipping(numbers(self.double_layers), numbers(self.single_layers))
        fits(self.model, skip)
        schedule = self.model.denoiser.schedule
        weak = during(skip, schedule, self.start_percent, self.end_percent)
        return self.model.guided(partial(weaker.with_weak_negative, weak=weak))


class DualCFGGuider(Node):
    """Guide from the negative to a second prompt, and from there to the first.

    Each step has its scale. "nested" scales the first step by both.
    """

    category: ClassVar[str] = "sampling/custom_sampling/guiders"
    title: ClassVar[str] = "Guide by three prompts"
    model: Model
    cond1: Annotated[Conditioning, Help("What to draw.")]
    cond2: Annotated[Conditioning, Help("What lies on the way there.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    cfg_conds: Annotated[Guidance, Help("From the second prompt to the first.")] = 8.0
    cfg_cond2_negative: Annotated[Guidance, Help("From the negative to the second prompt.")] = 8.0
    style: Literal["regular", "nested"]

    def run(self, ctx: Context) -> Annotated[Guider, Output("GUIDER")]:
        """Bind all prompts to the model."""

        def guide(network: LatentModel) -> Denoiser:
            wanted, middle = (network.told(said.whole) for said in (self.cond1, self.cond2))
            away = network.told(self.negative.whole, wanted=False)
            scales = (self.cfg_conds, self.cfg_cond2_negative)
            ask = prompts.dual(wanted, middle, away, scales, nested=self.style == "nested")
            return refined(ask, self.model.guidance)

        return Guider(self.model, guide)


class PerpNegGuider(Node):
    """Stay away only from what the negative prompt says and the positive one does not.

    So a negative that shares words with the positive does not weaken it.
    """

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Guide by a perpendicular negative"
    model: Model
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    empty_conditioning: Annotated[Conditioning, Label("Empty prompt"), Help("An empty prompt.")]
    cfg: Guidance = 8.0
    neg_scale: Annotated[
        float, Range(0.0, 100.0, step=0.01), Label("Negative strength"), Help("0 ignores it.")
    ] = 1.0

    def run(self, ctx: Context) -> Annotated[Guider, Output("GUIDER")]:
        """Bind all prompts to the model."""

        def guide(network: LatentModel) -> Denoiser:
            wanted = network.told(self.positive.whole)
            unwanted, empty = (
                network.told(said.whole, wanted=False)
                for said in (self.negative, self.empty_conditioning)
            )
            ask = prompts.perpendicular(wanted, unwanted, empty, self.cfg, self.neg_scale)
            return refined(ask, self.model.guidance)

        return Guider(self.model, guide)


def weakened(
    model: Model, weak: Change, scale: float, span: tuple[float, float], rescale: float = 0.0
) -> Model:
    """Return a model pushed away from its weakened self during a span of the walk.

    Raises:
        CannotChange: its network has nothing that could be weakened so.
    """
    fits(model, weak)
    start, end = map(model.denoiser.schedule.percent, span)
    technique = partial(weaker.weakened, weak=weak, scale=scale, span=(start, end), rescale=rescale)
    return model.guided(technique)


def fits(model: Model, change: Change) -> None:
    """Try a change on a model, so that what does not fit is refused where it is asked for.

    Raises:
        CannotChange: its network has no part that could be changed so.
    """
    model.changed(change)


def numbers(text: str) -> tuple[int, ...]:
    """Read the whole numbers in a text, whatever stands between them."""
    return tuple(int(found) for found in re.findall(r"\d+", text))
