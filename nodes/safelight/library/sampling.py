"""The nodes that make pictures: from noise, step by step, to a clean latent."""

from typing import Annotated, ClassVar, Literal

from safelight.diffusion.sampling import SAMPLERS, Method
from safelight.diffusion.schedule import SCHEDULERS, ksampler_sigmas
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range, Seed
from safelight.library.values import Conditioning, Latent, Model
from safelight.library.walks import Noise, Sigmas, by_prompts, walked

Guidance = Annotated[
    float,
    Range(0.0, 100.0, step=0.1, round=0.01),
    Label("Guidance"),
    Help("How closely to follow the prompt; 1 ignores the negative one."),
]
Steps = Annotated[int, Range(1, 10_000), Help("How many times to ask the network.")]
SamplerName = Annotated[str, Choice(tuple(SAMPLERS)), Label("Sampler"), Help("How to walk.")]
SchedulerName = Annotated[
    str, Choice(tuple(SCHEDULERS)), Label("Schedule"), Help("Where to place the steps.")
]
Strength = Annotated[
    float,
    Range(0.0, 1.0, step=0.01),
    Label("Strength"),
    Help("1 starts from noise alone; less keeps more of the latent."),
]


class KSampler(Node):
    """Develop a latent: walk from noise to a clean picture, a step at a time.

    The noise is drawn on the processor from the seed, so the same seed gives the same
    picture everywhere. More steps are slower and a little finer; a higher guidance follows
    the prompt more closely, up to where colours burn out.
    """

    category: ClassVar[str] = "sampling"
    title: ClassVar[str] = "Sample"
    model: Model
    seed: Annotated[int, Range(0, 2**64 - 1), Seed(), Help("Which noise to start from.")] = 0
    steps: Steps = 20
    cfg: Guidance = 8.0
    sampler_name: SamplerName
    scheduler: SchedulerName
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    latent_image: Annotated[Latent, Label("Latent"), Help("Where to start, and how large.")]
    denoise: Strength = 1.0

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Walk, showing each guess on the way."""
        levels = ksampler_sigmas(
            self.model.denoiser.schedule,
            self.scheduler,
            self.steps,
            self.denoise,
            self.sampler_name,
        )
        guider = by_prompts(self.model, self.positive, self.negative, self.cfg)
        method = Method.named(self.sampler_name)
        noise = Noise(self.seed)
        return walked(ctx, guider, method, Sigmas(levels), noise, self.latent_image).output


class KSamplerAdvanced(Node):
    """Walk a part of the way from noise to a picture, and hand on what is left of the noise.

    Two of these in a row, the second without adding noise, walk what one would: in between
    you may change the model, the prompt or the sampler. The schedule is always that of all
    steps; this node takes those from the start to the end step.
    """

    category: ClassVar[str] = "sampling"
    title: ClassVar[str] = "Sample part of the way"
    model: Model
    add_noise: Annotated[
        Literal["enable", "disable"], Help("Disable it to go on where another node stopped.")
    ]
    noise_seed: Annotated[int, Range(0, 2**64 - 1), Seed(), Help("Which noise to start from.")] = 0
    steps: Steps = 20
    cfg: Guidance = 8.0
    sampler_name: SamplerName
    scheduler: SchedulerName
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    latent_image: Annotated[Latent, Label("Latent"), Help("Where to start, and how large.")]
    start_at_step: Annotated[int, Range(0, 10_000), Help("Steps before it are left out.")] = 0
    end_at_step: Annotated[int, Range(0, 10_000), Help("Steps from it on are left out.")] = 10_000
    return_with_leftover_noise: Annotated[
        Literal["disable", "enable"], Help("Enable it to hand the noise on to another node.")
    ]

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Walk the part that is asked for."""
        levels = ksampler_sigmas(
            self.model.denoiser.schedule, self.scheduler, self.steps, sampler=self.sampler_name
        )
        levels = levels[: self.end_at_step + 1].clone()
        if self.return_with_leftover_noise == "disable":
            levels[-1] = 0
        sigmas = Sigmas(levels[self.start_at_step :])
        if not sigmas.steps:
            return self.latent_image
        guider = by_prompts(self.model, self.positive, self.negative, self.cfg)
        noise = Noise(self.noise_seed, silent=self.add_noise == "disable")
        method = Method.named(self.sampler_name)
        return walked(ctx, guider, method, sigmas, noise, self.latent_image).output
