"""What the parts of a walk are on wires, and how a node takes the walk.

A walk from noise to a picture has four parts that can be chosen apart: a guider (which
model, told what), a sampler (how to step), sigmas (where to stop on the way) and noise.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.change import with_changes
from safelight.diffusion.denoiser import Denoiser, LatentModel
from safelight.diffusion.guidance import guided, refined
from safelight.diffusion.inpainting import mask_for
from safelight.diffusion.sampling import Method
from safelight.diffusion.walk import Manner, follow
from safelight.graph.node import Context, Output
from safelight.library.previews import Preview
from safelight.library.values import Conditioning, Latent, Model


@dataclass(frozen=True, eq=False)
class Sampler:
    """A way to take the steps of a walk, with its settings."""

    wire: ClassVar[str] = "SAMPLER"
    method: Method


@dataclass(frozen=True, eq=False)
class Sigmas:
    """The noise levels at which a walk stops, falling, normally to 0: float32 [steps + 1]."""

    wire: ClassVar[str] = "SIGMAS"
    levels: Tensor

    @property
    def steps(self) -> int:
        """How many steps they make."""
        return max(len(self.levels) - 1, 0)


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise a walk starts from: of a seed, or none at all."""

    wire: ClassVar[str] = "NOISE"
    seed: int
    silent: bool = False


@dataclass(frozen=True, eq=False)
class Guider:
    """A model that has been told what to draw; `guide` makes a denoiser of it."""

    wire: ClassVar[str] = "GUIDER"
    model: Model
    guide: Callable[[LatentModel], Denoiser]


class Walked(NamedTuple):
    """Where a walk ended, and the last guess of the clean latent on the way."""

    output: Annotated[Latent, Output("output")]
    denoised_output: Annotated[Latent, Output("denoised_output")]


def by_prompts(model: Model, positive: Conditioning, negative: Conditioning, cfg: float) -> Guider:
    """Guide a model by a wanted and an unwanted prompt."""

    def guide(network: LatentModel) -> Denoiser:
        away = network.told(negative.whole, wanted=False)
        return refined(guided(network.told(positive.whole), away, cfg), model.guidance)

    return Guider(model, guide)


def walked(
    ctx: Context, guider: Guider, method: Method, sigmas: Sigmas, noise: Noise, latent: Latent
) -> Walked:
    """Walk down `sigmas`, showing each guess on the way.

    What the latent's mask keeps comes out as it went in, bit for bit.
    """
    model, form = guider.model, guider.model.format
    raw = latent.fitting(form, "model")
    place = memory.choose(ctx.device, model.precision or ctx.precision)
    x = memory.moved(form.to_diffusion(raw), place)
    mask = None if latent.mask is None else mask_for(latent.mask, x)
    numbers = latent.batch_index
    manner = Manner(method, noise.seed, noise.silent, mask, model.edge, numbers)
    schedule, denoised = model.denoiser.schedule, x
    preview = Preview(form, ctx.folders, place)
    with memory.resident(model.network, place) as network:
        placed = replace(model.denoiser, network=network, dtype=place.dtype)
        denoise = guider.guide(with_changes(placed, *model.changes))
        steps = follow(denoise, schedule, x, sigmas.levels, manner)
        for step in ctx.track(steps, total=sigmas.steps):
            x, denoised = step
            ctx.preview(partial(preview.jpeg, denoised))
    if sigmas.steps:
        x = schedule.path.end(x, sigmas.levels[-1].to(x))
    ends = (form.to_autoencoder(end).cpu() for end in (x, denoised))
    results = ends if mask is None else (torch.where(mask.cpu() == 0, raw, end) for end in ends)
    return Walked(*(latent.with_samples(result, form) for result in results))
