r"""Noised latents, and how wrong a network is about them: one loss for every family.

A network answers one of three questions about a latent z under noise n (see
`diffusion.denoiser`); its answer is compared with what is known, for n is ours:

    "eps"   sees c (z + sigma n)              should say n
    "v"     sees c (z + sigma n)              should say c n - s z
    "flow"  sees (1 - sigma) z + sigma n      should say n - z

with c = 1 / sqrt(1 + sigma^2) and s = c sigma.  An error e of the answer is an error k e of the
clean picture, k being sigma, s and sigma.  Min-SNR counts a level by how much of the picture it
decides, but those with hardly any noise no more than the others:

    w = k^2 min(snr, gamma),       snr = (share of z / share of n)^2

which is min(snr, gamma) / snr for "eps" and min(snr, gamma) / (snr + 1) for "v".

Levels are drawn from the family's table of sigmas, each of a batch from a stretch of its own.

Symbols: z clean latent, n noise, B C h w axes; sigma noise of each picture of a batch.

Source: Hang et al. 2023 (arXiv:2303.09556), section 3.4; N. Guttenberg, "Diffusion with offset
noise" (2023).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.conditioning import Inputs
from safelight.diffusion.control import NOTHING, Residuals
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.schedule import Schedule

LOSSES: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {"MSE": F.mse_loss, "L1": F.l1_loss, "Huber": F.huber_loss, "SmoothL1": F.smooth_l1_loss}
)


class CannotLearn(ValueError):
    """A model, or what it shall learn from, is not of a kind that can be trained."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How errors are counted."""

    loss: str = "MSE"
    min_snr: float | None = None  # gamma; 5 is usual

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise CannotLearn(f"want a loss of {', '.join(LOSSES)}, got {self.loss!r}")


@dataclass(frozen=True, eq=False)
class Noised:
    """Clean latents in the scale of diffusion, and the noise that is laid over each."""

    clean: Float[Tensor, "B C h w"]
    noise: Float[Tensor, "B C h w"]
    sigma: Float[Tensor, " B"]

    def seen(self, model: LatentModel) -> Float[Tensor, "B C h w"]:
        """Return what the network is shown."""
        picture, noise, _ = _shares(model, self.sigma)
        return picture * self.clean + noise * self.noise

    def wanted(self, model: LatentModel) -> Float[Tensor, "B C h w"]:
        """Return what the network should say."""
        picture, noise, _ = _shares(model, self.sigma)
        if model.prediction == "eps":
            return self.noise
        if model.prediction == "v":
            return picture * self.noise - noise * self.clean
        return self.noise - self.clean


def noised(
    clean: Float[Tensor, "B C h w"],
    schedule: Schedule,
    draw: torch.Generator,
    offset: float = 0.0,
) -> Noised:
    """Draw noise and a level for each latent; `offset` also shifts whole channels."""
    count = len(clean)
    noise = torch.randn(clean.shape, generator=draw)
    shifted = torch.randn(*clean.shape[:2], 1, 1, generator=draw)
    levels = len(schedule.sigmas)
    stretches = (torch.arange(count) + torch.rand(count, generator=draw)) / count
    level = (stretches * levels).long().clamp(max=levels - 1)
    level = level[torch.randperm(count, generator=draw)]
    return Noised(clean, noise + offset * shifted, schedule.sigmas[level].float())


def error(
    model: LatentModel,
    asked: Noised,
    told: Inputs,
    measure: Measure,
    residuals: Residuals = NOTHING,
) -> Float[Tensor, ""]:
    """Ask the network about noised latents; return how wrong it is."""
    device = told.tokens.device
    timestep = model.schedule.timestep(asked.sigma).float().to(device)
    more = {"residuals": residuals} if residuals else {}
    seen = beside(asked.seen(model).to(device), told)
    answer = model.network(seen, timestep, told.tokens, *told.more, **more)
    wanted = asked.wanted(model).to(device)
    errors = LOSSES[measure.loss](answer.float(), wanted, reduction="none").mean((1, 2, 3))
    return (errors * weights(model, asked.sigma, measure).to(device)).mean()


def beside(seen: Float[Tensor, "B C h w"], told: Inputs) -> Float[Tensor, "B C_all h w"]:
    """Lay what a network is told in channels of their own beside the latent."""
    return seen if told.beside is None else torch.cat([seen, told.beside], dim=1)


def weights(model: LatentModel, sigma: Float[Tensor, " B"], how: Measure) -> Float[Tensor, " B"]:
    """Return how much each level counts."""
    if how.min_snr is None:
        return torch.ones(len(sigma))
    picture, noise, decides = (share.flatten() for share in _shares(model, sigma))
    snr = (picture / noise) ** 2
    return decides**2 * snr.clamp(max=how.min_snr)


def check(model: LatentModel) -> None:
    """Refuse a model that is read otherwise than it was trained.

    Raises:
        CannotLearn: it is.
    """
    if model.reading is not None and (model.reading.kind, model.reading.spread) != (
        model.prediction,
        1.0,
    ):
        raise CannotLearn(
            f"this model of {model.family} is read as {model.reading.kind!r}, but was trained as "
            f"{model.prediction!r}: take away the node that changes how it is sampled"
        )


def _shares(model: LatentModel, sigma: Float[Tensor, " B"]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the picture's share, the noise's, and k, [B, 1, 1, 1] each."""
    sigma = sigma[:, None, None, None]
    if model.prediction == "flow":
        return 1 - sigma, sigma, sigma
    c = (1 + sigma**2).rsqrt()
    return c, c * sigma, sigma if model.prediction == "eps" else c * sigma
