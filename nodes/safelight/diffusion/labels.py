r"""Labels: drawing one of a thousand things, without a word.

The class-conditional transformer (`dit.py`) is told a number instead of a prompt.  Nothing
else changes: it guesses the noise in the latents of Stable Diffusion 1's autoencoder, so

    D(x, sigma; y) = x - sigma eps(c x, t(sigma), y),    c = 1 / sqrt(1 + sigma^2)

is a denoiser like any other, and guidance pushes from "anything" (the last label) towards y:

    guided(labelled(network, cat), labelled(network, anything), 4.0)

It was trained with betas that rise evenly, and to guess the noise's variance too, which the
samplers here have no use for.

Symbols: x noisy latent, sigma noise, t its timestep, y the label.

Source: Peebles & Xie 2022 (arXiv:2212.09748), section 4; the betas are those of Ho et al. 2020
(arXiv:2006.11239), section 4.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.dit import DiT
from safelight.diffusion.family import Part
from safelight.diffusion.schedule import LEVELS, NoiseSchedule
from safelight.diffusion.settings import Settings
from safelight.diffusion.tables import dit_blocks
from safelight.diffusion.weights import open_checkpoint

BETA_FIRST, BETA_LAST = 0.0001, 0.02

TRANSFORMER = Part("", lambda shapes, s: dit_blocks.sizes(shapes), dit_blocks.table, DiT)


def load_dit(path: Path) -> DiT:
    """Open a file with a class-conditional transformer, under its authors' names.

    Raises:
        CheckpointError: it cannot be opened, or holds something else.
    """
    checkpoint = open_checkpoint(path)
    return TRANSFORMER.load(checkpoint, Settings.read(checkpoint))


def linear_schedule() -> NoiseSchedule:
    """Return the noise levels that the published models were trained on."""
    betas = torch.linspace(BETA_FIRST, BETA_LAST, LEVELS, dtype=torch.float64)
    return NoiseSchedule.of(torch.cumprod(1 - betas, dim=0))


def labelled(network: DiT, schedule: NoiseSchedule, label: int) -> Denoiser:
    """Return a denoiser that finds the thing with that number.

    Raises:
        ValueError: the network knows no such label.
    """
    known = network.config.labels
    if not 0 <= label < known:
        raise ValueError(f"there is no label {label}: want 0 to {known - 1}")

    def denoise(x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]) -> Float[Tensor, "B C h w"]:
        c = (1 + sigma**2).rsqrt()
        time = schedule.timestep(sigma).to(x).expand(x.shape[0])
        labels = torch.full((x.shape[0],), label, device=x.device)
        noise = network(c * x, time, labels)[:, : x.shape[1]]
        return x - sigma * noise

    return denoise
