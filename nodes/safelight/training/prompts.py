"""Drawing prompts with networks that are still being trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.control import Control
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import guided
from safelight.diffusion.latent import SD1
from safelight.diffusion.sampling import SAMPLERS
from safelight.diffusion.schedule import NoiseSchedule, normal, scaled_linear
from safelight.diffusion.unet import UNet
from safelight.diffusion.vae import AutoencoderKL
from safelight.training.place import place_of
from safelight.training.tokenizer import Words

STEPS, GUIDANCE, SAMPLER = 20, 4.0, "dpmpp_2m"
LATENT_PX = 16


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """All that is needed to draw: denoiser, text tower, autoencoder, tokenizer."""

    unet: UNet
    text: TextEncoder
    autoencoder: AutoencoderKL
    words: Words


@torch.no_grad()
def draw_prompts(
    model: Model,
    prompts: Sequence[str],
    seed: int,
    guidance: float = GUIDANCE,
    control: tuple[Control, ...] = (),
) -> Float[Tensor, "B 3 H W"]:
    """Draw each prompt once, in -1..1, all from one `seed`, along the hints of `control`."""
    draw = torch.Generator().manual_seed(seed)
    channels = model.autoencoder.config.latent_channels
    noise = torch.randn(len(prompts), channels, LATENT_PX, LATENT_PX, generator=draw)
    schedule = NoiseSchedule.of(scaled_linear())
    sigmas = normal(schedule, STEPS).float()
    network = LatentModel(model.unet, schedule, "v")
    texts = [model.text(model.words.ids(said)) for said in (prompts, [""])]
    told, untold = (network.told(Conditioning(text, control=control)) for text in texts)
    denoise = guided(told, untold, guidance)
    place, own = place_of(model.unet), place_of(model.autoencoder)
    x = (noise * (1 + sigmas[0] ** 2).sqrt()).to(place)
    with torch.autocast(place.type, torch.bfloat16):
        for step in SAMPLERS[SAMPLER](denoise, x, sigmas.to(place), noise=_no_noise):
            x = step.x
    with torch.autocast(own.type, torch.bfloat16):
        return model.autoencoder.decode((x / SD1.scale).to(own)).float().cpu()


def _no_noise(sigma_from: Tensor, sigma_to: Tensor) -> Tensor:
    raise ValueError(f"{SAMPLER} adds no noise, yet it asked for some at {sigma_from}")
