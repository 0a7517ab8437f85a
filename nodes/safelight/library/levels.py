"""Nodes that say how a network was trained: what it predicts, on which levels of noise."""

import math
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from safelight.diffusion.continuous import ContinuousSchedule
from safelight.diffusion.distilled import DistilledSchedule
from safelight.diffusion.reading import Reading
from safelight.diffusion.schedule import NoiseSchedule, without_signal
from safelight.graph.node import Context, Label, Node, Output, Range
from safelight.library.values import Model

Told = Annotated[Model, Output("MODEL")]
Sigma = Annotated[float, Range(0.0, 1000.0, step=0.001)]
LCM_STRIDE = 20  # of a table of 1000 levels, a distilled model knows 50
EDM_SPREAD = 0.5
CATEGORY: str = "advanced/model"


class NoTable(ValueError):
    """A model's levels of noise were to be changed in a way that needs a table of them."""


class ModelSamplingDiscrete(Node):
    """Say what a model predicts, where its file does not.

    "eps" is noise and "v_prediction" velocity; "lcm" is for models distilled to a few steps,
    "x0" and "img_to_img" for those that give the picture itself. Zero terminal SNR stretches
    the levels of noise up to noise alone.
    """

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "What a model predicts"
    model: Model
    sampling: Annotated[
        Literal["eps", "v_prediction", "lcm", "x0", "img_to_img"], Label("Predicts")
    ]
    zsnr: Annotated[bool, Label("Zero terminal SNR")] = False

    def run(self, ctx: Context) -> Told:
        """Return the same network, read in another way."""
        levels = self.model.denoiser.schedule
        if not isinstance(levels, NoiseSchedule):
            raise NoTable(f"{self.model.family} has no table of noise levels to choose from")
        if self.zsnr:
            levels = replace(
                levels, sigmas=NoiseSchedule.of(without_signal(1 / (1 + levels.sigmas**2))).sigmas
            )
        if self.sampling == "lcm":
            levels = DistilledSchedule.every(LCM_STRIDE, levels)
        return reading(self.model, levels, READINGS[self.sampling])


class ModelSamplingContinuousEDM(Node):
    """Say that a model was trained on all levels of noise, and told their logarithm.

    CosXL predicts velocity this way, Playground 2.5 is of the "edm" kind.
    """

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "Continuous noise levels"
    model: Model
    sampling: Annotated[
        Literal["v_prediction", "edm", "edm_playground_v2.5", "eps"], Label("Predicts")
    ]
    sigma_max: Annotated[Sigma, Label("Most noise")] = 120.0
    sigma_min: Annotated[Sigma, Label("Least noise")] = 0.002

    def run(self, ctx: Context) -> Told:
        """Return the same network on these levels."""
        least, most = ends(self.sigma_min, self.sigma_max)
        kind = "edm" if self.sampling.startswith("edm") else self.sampling
        return reading(self.model, ContinuousSchedule(least, most), READINGS[kind])


class ModelSamplingContinuousV(Node):
    """Say that a model predicts velocity on all levels of noise, and is told their angle."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "Continuous velocity"
    model: Model
    sampling: Annotated[Literal["v_prediction"], Label("Predicts")]
    sigma_max: Annotated[Sigma, Label("Most noise")] = 500.0
    sigma_min: Annotated[Sigma, Label("Least noise")] = 0.03

    def run(self, ctx: Context) -> Told:
        """Return the same network on these levels."""
        least, most = ends(self.sigma_min, self.sigma_max)
        schedule = ContinuousSchedule(least, most, "arctan")
        return reading(self.model, schedule, READINGS["v_prediction"])


class ModelComputeDtype(Node):
    """Choose the number format that a network computes in.

    fp32 is exact, bf16 and fp16 take half the memory; "default" is what suits the machine.
    """

    category: ClassVar[str] = "advanced/debug/model"
    title: ClassVar[str] = "Number format"
    model: Model
    dtype: Annotated[Literal["default", "fp32", "fp16", "bf16"], Label("Format")]

    def run(self, ctx: Context) -> Told:
        """Say so to the model."""
        return replace(self.model, precision=FORMATS[self.dtype])


READINGS = {
    "eps": Reading("eps"),
    "v_prediction": Reading("v"),
    "edm": Reading("edm", EDM_SPREAD),
    "x0": Reading("x0"),
    "img_to_img": Reading("direct"),
    "lcm": Reading("lcm"),
}
FORMATS = {"default": None, "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


def reading(model: Model, schedule: NoiseSchedule | ContinuousSchedule, how: Reading) -> Model:
    """Return a model on other levels whose answers are read in another way."""
    return replace(model, denoiser=replace(model.denoiser, schedule=schedule, reading=how))


def ends(least: float, most: float) -> tuple[float, float]:
    """Return the ends of a continuous schedule.

    Raises:
        ValueError: they are not above 0, or in the wrong order.
    """
    if not 0 < least < most or not math.isfinite(most):
        raise ValueError(f"noise levels go from above 0 up, got {least} to {most}")
    return least, most
