"""Nodes for samplers that step along the slope where they stand, by Euler's rule."""

from functools import partial
from typing import Annotated, ClassVar, Literal

from safelight.diffusion.samplers.ancestral import euler_ancestral
from safelight.diffusion.samplers.cfg_pp import euler_ancestral_cfg_pp, euler_beyond
from safelight.diffusion.sampling import Method
from safelight.graph.node import Context, Help, KnownAs, Label, Node, Range
from safelight.library.samplers import CATEGORY, Chosen, Eta, NoiseScale
from safelight.library.walks import Sampler


class SamplerEulerAncestral(Node):
    """Step lower than asked by Euler, then stir fresh noise in."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "Euler ancestral"
    eta: Eta = 1.0
    s_noise: NoiseScale = 1.0

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        sampler = partial(euler_ancestral, eta=self.eta, noise_scale=self.s_noise)
        return Sampler(Method("euler_ancestral", sampler))


class SamplerEulerAncestralCFGPP(Node):
    """Euler ancestral that keeps the noise a picture had without guidance.

    Guidance is to be small with it, between 1 and 2.
    """

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "Euler ancestral, CFG++"
    eta: Annotated[
        float,
        Range(0.0, 1.0, step=0.01),
        Label("Fresh noise"),
        Help("The share of each step's noise that is fresh; 0 stirs none in."),
    ] = 1.0
    s_noise: Annotated[
        float,
        Range(0.0, 10.0, step=0.01),
        Label("Noise scale"),
        Help("What fresh noise is multiplied by."),
    ] = 1.0

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        sampler = partial(euler_ancestral_cfg_pp, eta=self.eta, noise_scale=self.s_noise)
        return Sampler(Method("euler_ancestral_cfg_pp", sampler))


class SamplerEulerCFGpp(Node):
    """Euler that keeps the noise a picture had without guidance.

    Guidance is to be small with it, between 1 and 2. The alternative adds what guidance adds
    twice instead.
    """

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Euler, CFG++"
    rule: Annotated[Literal["regular", "alternative"], KnownAs("version"), Label("Rule")]

    def run(self, ctx: Context) -> Chosen:
        """Choose one of two."""
        if self.rule == "alternative":
            return Sampler(Method("euler_beyond", euler_beyond))
        return Sampler(Method.named("euler_cfg_pp"))
