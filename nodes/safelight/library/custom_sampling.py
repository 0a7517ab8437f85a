"""Nodes that take a walk apart: guiders, noise, and samplers that are given every part."""

from typing import Annotated, ClassVar

from safelight.diffusion.denoiser import Denoiser, LatentModel
from safelight.diffusion.guidance import guided, refined
from safelight.graph.node import Context, Help, Label, Node, Output, Range, Seed
from safelight.library.sampling import Guidance
from safelight.library.values import Conditioning, Latent, Mask, Model
from safelight.library.walks import Guider, Noise, Sampler, Sigmas, Walked, by_prompts, walked

Start = Annotated[Latent, Label("Latent"), Help("Where to start, and how large.")]


class SamplerCustom(Node):
    """Walk from noise to a picture with a sampler and sigmas of your own.

    Besides the end of the walk it gives the last guess of the clean picture, which is the
    same unless the sigmas stop above 0.
    """

    category: ClassVar[str] = "sampling/custom_sampling"
    title: ClassVar[str] = "Sample with parts"
    model: Model
    add_noise: Annotated[bool, Help("Off: go on where another node stopped.")] = True
    noise_seed: Annotated[int, Range(0, 2**64 - 1), Seed(), Help("Which noise to start from.")] = 0
    cfg: Guidance = 8.0
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    sampler: Sampler
    sigmas: Sigmas
    latent_image: Start

    def run(self, ctx: Context) -> Walked:
        """Walk."""
        guider = by_prompts(self.model, self.positive, self.negative, self.cfg)
        noise = Noise(self.noise_seed, silent=not self.add_noise)
        return walked(ctx, guider, self.sampler.method, self.sigmas, noise, self.latent_image)


class SamplerCustomAdvanced(Node):
    """Walk from noise to a picture with every part given: noise, guider, sampler, sigmas.

    Besides the end of the walk it gives the last guess of the clean picture, which is the
    same unless the sigmas stop above 0.
    """

    category: ClassVar[str] = "sampling/custom_sampling"
    title: ClassVar[str] = "Sample with all parts"
    noise: Noise
    guider: Guider
    sampler: Sampler
    sigmas: Sigmas
    latent_image: Start

    def run(self, ctx: Context) -> Walked:
        """Walk."""
        return walked(
            ctx, self.guider, self.sampler.method, self.sigmas, self.noise, self.latent_image
        )


class BasicGuider(Node):
    """Tell a model what to draw, without a negative prompt.

    For models that need no guidance of this kind, such as Flux and distilled ones.
    """

    category: ClassVar[str] = "sampling/custom_sampling/guiders"
    title: ClassVar[str] = "Guide by one prompt"
    model: Model
    conditioning: Annotated[Conditioning, Help("What to draw.")]

    def run(self, ctx: Context) -> Annotated[Guider, Output("GUIDER")]:
        """Bind the prompt to the model."""

        def guide(network: LatentModel) -> Denoiser:
            told = network.told(self.conditioning.whole)
            return refined(guided(told, told, 1.0), self.model.guidance)

        return Guider(self.model, guide)


class CFGGuider(Node):
    """Tell a model what to draw and what to stay away from.

    This is the guidance that the plain sampler node uses.
    """

    category: ClassVar[str] = "sampling/custom_sampling/guiders"
    title: ClassVar[str] = "Guide by two prompts"
    model: Model
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    cfg: Guidance = 8.0

    def run(self, ctx: Context) -> Annotated[Guider, Output("GUIDER")]:
        """Bind both prompts to the model."""
        return by_prompts(self.model, self.positive, self.negative, self.cfg)


class RandomNoise(Node):
    """Draw the noise that a picture is developed from.

    It is drawn on the processor, so a seed means the same noise everywhere.
    """

    category: ClassVar[str] = "sampling/custom_sampling/noise"
    title: ClassVar[str] = "Noise"
    noise_seed: Annotated[int, Range(0, 2**64 - 1), Seed(), Help("Which noise.")] = 0

    def run(self, ctx: Context) -> Annotated[Noise, Output("NOISE")]:
        """Name the noise by its seed."""
        return Noise(self.noise_seed)


class DisableNoise(Node):
    """Add no noise: go on where another sampler node stopped."""

    category: ClassVar[str] = "sampling/custom_sampling/noise"
    title: ClassVar[str] = "No noise"

    def run(self, ctx: Context) -> Annotated[Noise, Output("NOISE")]:
        """Return silence."""
        return Noise(0, silent=True)


class SetLatentNoiseMask(Node):
    """Repaint a latent only where a mask is white; the rest comes out as it went in.

    Any model can do this: at every step it is shown the kept part under the noise of that
    moment, and what it makes of that part is thrown away.
    """

    category: ClassVar[str] = "latent/inpaint"
    title: ClassVar[str] = "Repaint by mask"
    samples: Annotated[Latent, Label("Latent")]
    mask: Annotated[Mask, Help("White where to paint anew; of any size.")]

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Attach the mask."""
        return self.samples.with_mask(self.mask)
