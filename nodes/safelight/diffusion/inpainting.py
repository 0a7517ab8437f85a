r"""Inpainting: repaint where a mask says so, and keep the rest.

Any denoiser can do it.  At each look it is shown the kept part as it would lie under the
noise of that moment, and its guess there is replaced by what is known:

    x' = m x + (1 - m) noised(latent, sigma)         what the network sees
    D' = m D(x', sigma) + (1 - m) latent             what the sampler is told

so the new part is drawn to fit the old.  Between the looks the walk is left alone.

A mask between 0 and 1 mixes.  It may instead say how much each place is to change: at a
timestep t of a walk from t_0 down to t_n, `Depth` gives

    m = 1 where mask >= (t - t_n) / (t_0 - t_n), else 0

so a place joins the walk late, and changes little, where the mask is low.

Symbols: m mask, 1 where to repaint; x state, D guess, sigma noise; B C h w latent axes.

Source: Lugmayr et al. 2022 (arXiv:2201.09865), equation 8 (without resampling); Levin & Fried
2023 (arXiv:2306.00950), section 4, for masks of depth.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.guidance import Guesses, both
from safelight.diffusion.path import Path
from safelight.diffusion.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Depth:
    """Reads a mask as how much each place is to change."""

    schedule: Schedule
    sigmas: Float[Tensor, " sigmas"]  # of the whole walk
    strength: float = 1.0  # less mixes the mask as it is in

    def at(
        self, mask: Float[Tensor, "#B #C h w"], sigma: Float[Tensor, ""]
    ) -> Float[Tensor, "#B #C h w"]:
        """Return the mask of this moment."""
        last = max(float(self.sigmas[-1]), self.schedule.sigma_min)
        ends = torch.tensor([float(self.sigmas[0]), last, float(sigma)], dtype=torch.float64)
        first, last, now = self.schedule.timestep(ends).tolist()
        late = (now - last) / (first - last) if first != last else 0.0
        return torch.lerp(mask, (mask >= late).to(mask), self.strength)


def repainting(
    denoise: Denoiser,
    mask: Float[Tensor, "#B #C h w"],
    latent: Float[Tensor, "B C h w"],
    noise: Float[Tensor, "B C h w"],
    path: Path,
    depth: Depth | None = None,
) -> Denoiser:
    """Return a denoiser that knows the latent where the mask is 0; between 0 and 1 it mixes.

    `noise` is that under which the kept part is shown, normally the walk's own.  With `depth`
    the mask says how much each place is to change.
    """
    return Repainting(denoise, mask, latent, noise, path, depth)


@dataclass(frozen=True, eq=False)
class Repainting:
    """The denoiser that `repainting` makes."""

    denoise: Denoiser
    mask: Float[Tensor, "#B #C h w"]
    latent: Float[Tensor, "B C h w"]
    noise: Float[Tensor, "B C h w"]
    path: Path
    depth: Depth | None = None

    def __call__(
        self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]
    ) -> Float[Tensor, "B C h w"]:
        """Return D'."""
        mask = self._mask(sigma)
        return self._kept(self.denoise(self._shown(x, sigma, mask), sigma), mask)

    def both(self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]) -> Guesses:
        """Return D', and the same of the guess without guidance."""
        mask = self._mask(sigma)
        guesses = both(self.denoise, self._shown(x, sigma, mask), sigma)
        return Guesses(self._kept(guesses.guided, mask), self._kept(guesses.unguided, mask))

    def _mask(self, sigma: Tensor) -> Tensor:
        """Return m."""
        return self.mask if self.depth is None else self.depth.at(self.mask, sigma)

    def _shown(self, x: Tensor, sigma: Tensor, mask: Tensor) -> Tensor:
        """Return x'."""
        known = self.path.noised(self.latent, self.noise, sigma)
        return mask * x + (1 - mask) * known

    def _kept(self, guess: Tensor, mask: Tensor) -> Tensor:
        """Return the guess where to repaint, what is known elsewhere."""
        return mask * guess + (1 - mask) * self.latent


def mask_for(
    pixels: Float[Tensor, "masks H W"], latent: Float[Tensor, "B C h w"]
) -> Float[Tensor, "B 1 h w"]:
    """Shrink masks to the size of a latent; with fewer masks than pictures they repeat."""
    size = (latent.shape[-2], latent.shape[-1])
    small = F.interpolate(pixels[:, None].float(), size=size, mode="bilinear")
    rounds = -(-latent.shape[0] // small.shape[0])
    return small.repeat(rounds, 1, 1, 1)[: latent.shape[0]].to(latent)
