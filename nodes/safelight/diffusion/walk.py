r"""The walk: everything together, from a seed to a clean latent.

    sigma_0 > sigma_1 > .. > 0              schedule:   where to stop on the way
    x_0 = latent + sigma_0 n                noise:      n from the seed
    D(x, sigma) = U + w (C - U)             guidance:   the network asked with and without
    x_i -> x_{i+1}                          sampling:   one step along what D says

With strength 1 the walk starts where a noisy picture and pure noise cannot be told apart;
with less it starts part of the way down, from a picture that keeps its composition
(Meng et al. 2021, arXiv:2108.01073, "SDEdit").

A walk may also be cut into pieces that hand on to each other, each with its own sigmas and
settings, and may repaint only what a mask says (see `inpainting`).

Symbols: x latent in the scale of diffusion, B C h w its axes; sigma noise; w the guidance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import Denoiser, LatentModel
from safelight.diffusion.guidance import guided
from safelight.diffusion.inpainting import Depth, repainting
from safelight.diffusion.noise import initial, noise_for
from safelight.diffusion.sampling import Method, Step, bound, reachable
from safelight.diffusion.schedule import Schedule, ksampler_sigmas


@dataclass(frozen=True, slots=True)
class Walk:
    """How to walk; the names are those of `SAMPLERS` and `SCHEDULERS`."""

    seed: int
    steps: int
    guidance: float
    sampler: str
    scheduler: str
    strength: float = 1.0  # the share of the schedule that is walked

    def sigmas(self, schedule: Schedule) -> Float[Tensor, " sigmas"]:
        """The noise levels of this walk; empty if there is nothing to walk."""
        return ksampler_sigmas(schedule, self.scheduler, self.steps, self.strength, self.sampler)


@dataclass(frozen=True, eq=False)
class Manner:
    """How to take the steps: by which sampler, and from which noise."""

    method: Method
    seed: int
    silent: bool = False  # start without noise, where an earlier walk stopped
    # 1 where the latent is to be painted anew, 0 where it stays; None: everywhere.
    mask: Float[Tensor, "#B 1 h w"] | None = None
    edge: float = 0.0  # how far the mask is read as levels of noise, 0..1; see `inpainting`
    numbers: Sequence[int] | None = None  # whose noise each latent takes; see `noise.initial`


def develop(
    model: LatentModel,
    positive: Conditioning,
    negative: Conditioning,
    latent: Float[Tensor, "B C h w"],
    walk: Walk,
) -> Iterator[Step]:
    """Yield a `Step` for each interval of the walk; the last one holds the clean latent.

    `latent` (scaled, float32) says where to start and on which device to walk; nothing is
    yielded if the strength leaves no step.

    Raises:
        ValueError: the sampler or the scheduler is not known.
    """
    manner = Manner(Method.named(walk.sampler), walk.seed)
    denoise = guided(model.told(positive), model.told(negative, wanted=False), walk.guidance)
    yield from follow(denoise, model.schedule, latent, walk.sigmas(model.schedule), manner)


def follow(
    denoise: Denoiser,
    schedule: Schedule,
    latent: Float[Tensor, "B C h w"],
    sigmas: Float[Tensor, " sigmas"],
    manner: Manner,
) -> Iterator[Step]:
    """Yield a `Step` for each interval of `sigmas`, from `latent` under the first of them.

    Where the last sigma is not 0, `schedule.path.end` makes of the last state what the next
    walk starts from.
    """
    sigmas = sigmas.to(latent)
    if len(sigmas) < 2:
        return
    seed, name = manner.seed, manner.method.name
    noise = initial(seed, tuple(latent.shape), manner.numbers).to(latent)
    if manner.silent:
        noise = torch.zeros_like(noise)
    x = schedule.path.start(latent, noise, sigmas[0], schedule.sigma_max)
    if manner.mask is not None:
        again = noise
        if name == "ddim":
            again = initial(seed + 1, tuple(latent.shape), manner.numbers).to(latent)
        depth = Depth(schedule, sigmas, manner.edge) if manner.edge else None
        denoise = repainting(denoise, manner.mask, latent, again, schedule.path, depth)
    fresh = noise_for(name, seed, x, sigmas)
    sigmas = reachable(name, schedule, sigmas)
    with torch.no_grad():
        yield from bound(manner.method.sampler, schedule)(denoise, x, sigmas, noise=fresh)
