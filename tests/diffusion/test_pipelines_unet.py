"""Whole walks of Stable Diffusion 1, 2 and XL against the pipelines of diffusers, same noise."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import torch
from tests.diffusion.networks import NARROW, randomised
from tests.diffusion.peers import diffusers_unet, error
from tests.diffusion.test_parity_unets import BASE, POOLED, VERSION_2
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning, Listen, Size, hear_tokens
from safelight.diffusion.denoiser import LatentModel, Prediction
from safelight.diffusion.family_unet import UNET_1, UNET_2
from safelight.diffusion.hearing import hear_xl
from safelight.diffusion.noise import initial
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.walk import Walk, develop

# The peer's scheduler converts tensors in a way that numpy is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPE = (1, 4, 8, 12)
# With four steps every level of the walk is one of training, which both programs agree on.
WALK = Walk(seed=5, steps=4, guidance=4.5, sampler="euler", scheduler="normal")
SCHEDULE = NoiseSchedule.of(scaled_linear())
# Other programs divide the noise they start from by one number less.
NOISE = initial(WALK.seed, SHAPE) * (1 + SCHEDULE.sigma_max**-2) ** 0.5


def drawn(seed: int, *shape: int) -> Tensor:
    """Random numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(config: UNetConfig) -> UNet:
    """A U-Net with random weights."""
    network = UNet(config)
    randomised(network, 4)
    return network


def pipeline(name: str, unet: Any, prediction: Prediction, *lacking: str, **settings: bool) -> Any:
    """A pipeline of diffusers around a U-Net, without encoders or autoencoder."""
    diffusers: Any = import_module("diffusers")
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        steps_offset=1,  # of no effect here, but the older pipeline insists
        prediction_type="epsilon" if prediction == "eps" else "v_prediction",
    )
    absent = dict.fromkeys(("vae", "text_encoder", "tokenizer", *lacking))
    built = getattr(diffusers, name)(unet=unet, scheduler=scheduler, **absent, **settings)
    built.set_progress_bar_config(disable=True)
    return built


def end_of(
    network: UNet,
    prediction: Prediction,
    listen: Listen,
    told: Conditioning,
    away: Conditioning,
    walk: Walk = WALK,
) -> Tensor:
    """The latent at the end of our walk."""
    model = LatentModel(network, SCHEDULE, prediction, listen=listen)
    *_, last = develop(model, told, away, torch.zeros(SHAPE), walk)
    return last.x


@pytest.mark.parametrize(
    ("version", "prediction"), [("1", "eps"), ("2", "eps"), ("2", "v")], ids=["1", "2", "2 v"]
)
def test_a_walk_ends_where_the_pipeline_s_does(version: str, prediction: Prediction) -> None:
    """Four steps of Euler's method with guidance."""
    part, config = (UNET_1, NARROW.unet) if version == "1" else (UNET_2, VERSION_2)
    network = made(config)
    told, away = (Conditioning(drawn(seed, 1, 77, config.context_width)) for seed in (1, 2))
    reference = pipeline(
        "StableDiffusionPipeline",
        diffusers_unet(config, part.exported(network, config)),
        prediction,
        "safety_checker",
        "feature_extractor",
        requires_safety_checker=False,
    )
    theirs = reference(
        height=SHAPE[2] * 8,
        width=SHAPE[3] * 8,
        num_inference_steps=WALK.steps,
        guidance_scale=WALK.guidance,
        prompt_embeds=told.tokens,
        negative_prompt_embeds=away.tokens,
        latents=NOISE,
        output_type="latent",
    ).images
    assert error(end_of(network, prediction, hear_tokens, told, away), theirs) < 1e-4


@pytest.mark.parametrize("guidance", [1.0, 4.5])
@pytest.mark.parametrize("size", [None, Size(512, 768, 16, 8, 1024, 640)])
def test_a_walk_of_xl_ends_where_the_pipeline_s_does(guidance: float, size: Size | None) -> None:
    """With the sizes that were said, or those of the latent."""
    network = made(BASE)
    told, away = (
        Conditioning(drawn(seed, 1, 77, BASE.context_width), drawn(seed + 5, 1, POOLED), size)
        for seed in (1, 2)
    )
    lacking = ("text_encoder_2", "tokenizer_2")
    reference = pipeline(
        "StableDiffusionXLPipeline",
        diffusers_unet(BASE, UNET_2.exported(network, BASE)),
        "eps",
        *lacking,
    )
    said = size or Size(SHAPE[2] * 8, SHAPE[3] * 8)
    height, width, top, left, target_height, target_width = map(int, said.numbers)
    theirs = reference(
        height=SHAPE[2] * 8,
        width=SHAPE[3] * 8,
        original_size=(height, width),
        crops_coords_top_left=(top, left),
        target_size=(target_height, target_width),
        num_inference_steps=WALK.steps,
        guidance_scale=guidance,
        prompt_embeds=told.tokens,
        pooled_prompt_embeds=told.pooled,
        negative_prompt_embeds=away.tokens,
        negative_pooled_prompt_embeds=away.pooled,
        latents=NOISE,
        output_type="latent",
    ).images
    walk = replace(WALK, guidance=guidance)
    assert error(end_of(network, "eps", hear_xl, told, away, walk), theirs) < 1e-4
