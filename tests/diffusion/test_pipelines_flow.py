"""Whole walks of Stable Diffusion 3 and Flux against the pipelines of diffusers, same noise."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.test_parity_transformers import (
    FLUX,
    MMDIT,
    diffusers_flux,
    diffusers_mmdit,
    drawn,
    error,
)
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.flux import Flux
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.noise import initial
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.sentences import hear_guided, hear_pooled
from safelight.diffusion.tables import bfl_flux, sd3_mmdit
from safelight.diffusion.walk import Walk, develop
from safelight.diffusion.weights import exported

SHAPE = (1, 16, 12, 20)
WALK = Walk(seed=5, steps=5, guidance=1.0, sampler="euler", scheduler="normal")
TOLD = Conditioning(drawn(1, 7, 48, seed=1), drawn(1, 40, seed=2), guidance=2.5)
AWAY = Conditioning(drawn(1, 7, 48, seed=3), drawn(1, 40, seed=4), guidance=2.5)


def end_of(model: LatentModel, walk: Walk) -> Tensor:
    """The latent at the end of a walk from noise."""
    *_, last = develop(model, TOLD, AWAY, torch.zeros(SHAPE), walk)
    return last.x


def pipeline(name: str, transformer: Any, shift: float) -> Any:
    """A pipeline of diffusers around a transformer, without encoders or autoencoder."""
    diffusers: Any = import_module("diffusers")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    lacking: tuple[str, ...] = ("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    if name == "StableDiffusion3Pipeline":
        lacking += ("text_encoder_3", "tokenizer_3")
    made = getattr(diffusers, name)(
        transformer=transformer, scheduler=scheduler, **dict.fromkeys(lacking)
    )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("guidance", [1.0, 4.5])
def test_a_walk_of_version_3_ends_where_the_pipeline_s_does(guidance: float) -> None:
    """Five steps of Euler's method at shift 3, with guidance and without."""
    config = replace(MMDIT, normalised=True)
    ours = randomised(MMDiT(config), 1)
    reference = pipeline(
        "StableDiffusion3Pipeline",
        diffusers_mmdit(config, exported(ours, sd3_mmdit.table(config))),
        shift=3.0,
    )
    theirs = reference(
        height=SHAPE[2] * 8,
        width=SHAPE[3] * 8,
        num_inference_steps=WALK.steps,
        guidance_scale=guidance,
        prompt_embeds=TOLD.tokens,
        pooled_prompt_embeds=TOLD.pooled,
        negative_prompt_embeds=AWAY.tokens,
        negative_pooled_prompt_embeds=AWAY.pooled,
        latents=initial(WALK.seed, SHAPE),
        output_type="latent",
    ).images
    model = LatentModel(ours, FlowSchedule(3.0), "flow", listen=hear_pooled)
    assert error(end_of(model, replace(WALK, guidance=guidance)), theirs) < 1e-4


def test_a_walk_of_flux_ends_where_the_pipeline_s_does() -> None:
    """Five steps on levels that are not shifted, with the scale told and no negative."""
    ours = randomised(Flux(FLUX), 1)
    reference = pipeline(
        "FluxPipeline", diffusers_flux(FLUX, exported(ours, bfl_flux.table(FLUX))), shift=1.0
    )
    noise = initial(WALK.seed, SHAPE)
    packed = noise.reshape(1, 16, 6, 2, 10, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, 60, 64)
    sigmas = [1 - step / WALK.steps for step in range(WALK.steps)]
    theirs = reference(
        height=SHAPE[2] * 8,
        width=SHAPE[3] * 8,
        sigmas=sigmas,
        num_inference_steps=WALK.steps,
        guidance_scale=TOLD.guidance,
        prompt_embeds=TOLD.tokens,
        pooled_prompt_embeds=TOLD.pooled,
        latents=packed,
        output_type="latent",
    ).images
    whole = theirs.reshape(1, 6, 10, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(SHAPE)
    model = LatentModel(ours, FlowSchedule(1.0, scale=1.0), "flow", listen=hear_guided)
    assert error(end_of(model, replace(WALK, scheduler="simple")), whole) < 1e-4
