r"""Training the class-conditional transformer: sixteen things, each known by a number.

The smallest lesson of the course.  There are no words and no text tower: a picture of one
figure has the number of its subject for a label, and a label in ten is replaced by one that
means "any of them", so that guidance has something to push away from.  The network tells the
noise in

    x = sqrt(abar_t) z + sqrt(1 - abar_t) n,      loss = w (eps - n)^2,   w = min(1 / abar_t, 20)

where the weight makes an error in the noise count for what it does to the picture.

Symbols: z latent of unit deviation, n noise, t level, abar_t the picture's share.

Source: Peebles & Xie 2022 (arXiv:2212.09748), section 3; the weight is that of a loss on the
velocity, Salimans & Ho 2022 (arXiv:2202.00512), section 4, with a ceiling.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from safelight.diffusion.dit import DiT, DiTConfig
from safelight.diffusion.guidance import guided
from safelight.diffusion.labels import labelled, linear_schedule
from safelight.diffusion.sampling import SAMPLERS
from safelight.diffusion.schedule import LEVELS, NoiseSchedule, normal
from safelight.training.loop import Pace
from safelight.training.pictures import scene_of
from safelight.training.place import place_of
from safelight.training.world import SUBJECTS, Scene

ANY = len(SUBJECTS)  # the label that means all of them
CONFIG = DiTConfig(
    channels=4, out_channels=4, patch=2, side=8, width=128, depth=6, heads=2, labels=ANY + 1
)
PACE = Pace(batch=64, muon=0.02, adamw=1.5e-3, decay=0.01, flat=0.5, average=0.995)
UNTOLD = 0.1  # share of labels replaced by ANY
HEAVIEST = 20.0  # the ceiling of the weight
MEASURED = 256  # held-out latents behind the figure
MEASURE_SEED = 7
STEPS, GUIDANCE, SAMPLER = 20, 3.0, "dpmpp_2m"


def labels_of(pictures: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return those of `pictures` that show one cartoon figure, and the label of each."""
    scenes = [(number, scene_of(number)) for number in pictures]
    fitting = [(number, scene) for number, scene in scenes if _is_single(scene)]
    labels = [SUBJECTS.index(scene.actors[0].subject) for _, scene in fitting]
    return [number for number, _ in fitting], labels


def _is_single(scene: Scene) -> bool:
    alone = len(scene.actors) == 1 and scene.count == 1
    return alone and scene.style == "cartoon" and scene.side == "centre"


class DiTStage:
    """The transformer learns to draw the thing that has a number."""

    name = "dit"

    def __init__(
        self,
        latents: Float[Tensor, "N z h w"],
        labels: Int[Tensor, " N"],
        show: Callable[[DiT, Path], None] = lambda network, folder: None,
    ) -> None:
        """Train on `latents` of unit deviation, the last ones held out; `show` draws a sheet."""
        self.latents, self.labels, self.show = latents, labels, show
        self.learnt = len(latents) - min(MEASURED, len(latents) // 2)
        self.network = DiT(CONFIG)
        self.schedule = linear_schedule()

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Tell the noise in `count` latents."""
        chosen = torch.randint(self.learnt, (count,), generator=draw)
        untold = torch.rand(count, generator=draw) < UNTOLD
        labels = self.labels[chosen].where(~untold, ANY)
        return noise_error(self.network, self.schedule, self.latents[chosen].float(), labels, draw)

    def report(self, folder: Path) -> dict[str, float]:
        """Measure on held-out latents with always the same noise, and draw a sheet."""
        draw = torch.Generator().manual_seed(MEASURE_SEED)
        latents, labels = self.latents[self.learnt :].float(), self.labels[self.learnt :]
        with torch.autocast(place_of(self.network).type, torch.bfloat16):
            error = noise_error(self.network, self.schedule, latents, labels, draw)
        self.show(self.network, folder)
        return {"held_out_loss": float(error)}


def noise_error(
    network: DiT,
    schedule: NoiseSchedule,
    latents: Float[Tensor, "B z h w"],
    labels: Int[Tensor, " B"],
    draw: torch.Generator,
) -> Float[Tensor, ""]:
    """How wrong a network tells the noise in latents, each at a level of its own, weighted."""
    count, place = len(latents), place_of(network)
    noise = torch.randn(latents.shape, generator=draw)
    stretches = (torch.arange(count) + torch.rand(count, generator=draw)) / count
    level = (stretches * LEVELS).long().clamp(max=LEVELS - 1)
    sigma = schedule.sigma(level.double()).float()[:, None, None, None]
    kept = 1 / (1 + sigma**2)  # abar_t
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    told = network(noisy.to(place), level.float().to(place), labels.to(place))
    weight = (1 / kept).clamp(max=HEAVIEST).to(place)
    return (weight * (told.float() - noise.to(place)).square()).mean()


@torch.no_grad()
def draw_labels(network: DiT, labels: Sequence[int], seed: int) -> Float[Tensor, "B z h w"]:
    """Draw a latent of unit deviation for each label, on the processor."""
    draw, place, schedule = (
        torch.Generator().manual_seed(seed),
        place_of(network),
        linear_schedule(),
    )
    sigmas = normal(schedule, STEPS).float().to(place)
    side = network.config.side * network.config.patch
    anything = labelled(network, schedule, ANY)
    drawn: list[Tensor] = []
    for label in labels:
        noise = torch.randn(1, network.config.channels, side, side, generator=draw).to(place)
        x = noise * (1 + sigmas[0] ** 2).sqrt()
        denoise = guided(labelled(network, schedule, label), anything, GUIDANCE)
        with torch.autocast(place.type, torch.bfloat16):
            for step in SAMPLERS[SAMPLER](denoise, x, sigmas, noise=_no_noise):
                x = step.x
        drawn.append(x.float().cpu())
    return torch.cat(drawn)


def _no_noise(sigma_from: Tensor, sigma_to: Tensor) -> Tensor:
    raise ValueError(f"{SAMPLER} adds no noise, yet it asked for some at {sigma_from}")
