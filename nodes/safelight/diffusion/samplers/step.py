r"""Steps: what every sampler yields, and the few sums that all of them share.

A first-order step from s down to t keeps to the straight line between the state and the
guess of the clean latent, whichever way pictures turn into noise:

    x_t = (t/s) x + (1 - t/s) D

(noise added: x = D + s n, so x_t = D + t n; picture faded: x = (1-s) D + s n, likewise).
A stochastic step goes to `down`, below its goal `to`, and stirs noise in up to it:

    added    variances add up:  down^2 + up^2 = to^2, where up is at most what one step of
             DDPM stirs in, sqrt(to^2 (s^2 - to^2) / s^2)
    faded    noise also fades the picture, so x is shrunk by `keep` = a_to / a_down first

`eta` is the share of the noise that is fresh: 0 none, 1 that of DDPM.

Symbols: s sigma the step starts from, to where it ends, D guess, x state.

Source: Song et al. 2020 (arXiv:2010.02502), equations 12 and 16.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED, Path


class Step(NamedTuple):
    """Where the walk stands after a step, and the clean latent it guessed on the way."""

    x: Tensor
    denoised: Tensor


@runtime_checkable
class Sampler(Protocol):
    """A way to walk down a schedule."""

    def __call__(
        self, denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise
    ) -> Iterator[Step]:
        """Yield one `Step` for each interval of `sigmas`."""
        ...


def slope(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """Return dx/dsigma: noise per unit of sigma."""
    return (x - denoised) / sigma


def toward(denoised: Tensor, x: Tensor, s: Tensor, to: Tensor) -> Tensor:
    """Step from s to `to` along the straight line to the guess."""
    return (to / s) * x + (1 - to / s) * denoised


class Stir(NamedTuple):
    """A stochastic step: go to `down`, then keep * x + up * z lies at the goal."""

    down: Tensor
    keep: Tensor
    up: Tensor


def stir(path: Path, s: Tensor, to: Tensor, eta: float) -> Stir:
    """Return how to step from s to `to` with a share `eta` of fresh noise."""
    if path is ADDED:
        up = torch.minimum(to, eta * to * (1 - (to / s) ** 2).sqrt())
        return Stir((to**2 - up**2).sqrt(), torch.ones_like(to), up)
    down = to * (1 + (to / s - 1) * eta)
    keep = path.picture(to) / path.picture(down)
    return Stir(down, keep, (to**2 - (keep * down) ** 2).clamp(min=0).sqrt())
