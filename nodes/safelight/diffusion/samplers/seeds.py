r"""SEEDS: single-step exponential solvers for the noisy reverse process.

The exact step for a constant guess (`sde.leap`) is improved by looking at the guess on the
way, at shares r of the step in lam.  Noise is stirred in piece by piece: what was drawn up
to one place is carried on to the next, where it has decayed by e^(-eta times the distance),

    N' = e^(-d eta) N + sqrt(1 - e^(-2 d eta)) z,       d = (r' - r) h

so that all looks of one step lie on one noisy path.

Symbols: s = sigma_i, n = sigma_{i+1} (`to`), h = lam_n - lam_s, H = h (1 + eta), a picture's
share, D guess at s, D2 and D3 guesses on the way, N noise so far, z fresh noise.

Source: Gonzalez et al. 2023 (arXiv:2305.14267), algorithms 2 (SEEDS-2) and 3 (SEEDS-3).
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED, Path
from safelight.diffusion.samplers.step import Step


def seeds_2(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
    r: float = 0.5,
) -> Iterator[Step]:
    """Look once on the way, then step along D + (D2 - D)/(2 r)."""
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            h = path.lam(to) - path.lam(s)
            whole = h * (1 + eta)
            middle = path.of_lam(path.lam(s) + r * h)
            stirred = _carried(torch.zeros_like(x), r * h * eta, noise_scale, noise, s, middle)
            guess = denoise(
                (middle / s) * torch.exp(-r * h * eta) * x
                - path.picture(middle) * torch.expm1(-r * whole) * denoised
                + middle * stirred,
                middle,
            )
            trend = torch.lerp(denoised, guess, 1 / (2 * r))
            stirred = _carried(stirred, (1 - r) * h * eta, noise_scale, noise, middle, to)
            x = (
                (to / s) * torch.exp(-h * eta) * x
                - path.picture(to) * torch.expm1(-whole) * trend
                + to * stirred
            )
        yield Step(x, denoised)


def seeds_3(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
    r1: float = 1 / 3,
    r2: float = 2 / 3,
) -> Iterator[Step]:
    """Look twice on the way, each time along the line through two guesses.

    With phi(y) = (e^y - 1 - y)/y a guess at share q of the way to r weighs
    (r/q) phi(-r H) against D's e^(-r H) - 1 less that.
    """
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            lam, h = path.lam(s), path.lam(to) - path.lam(s)
            stirred, state, guess, here = torch.zeros_like(x), x, denoised, s
            # (share of the way, sigma there, the share at which the last guess was made)
            stops = ((r1, path.of_lam(lam + r1 * h), 0.0), (r2, path.of_lam(lam + r2 * h), r1))
            for r, place, q in (*stops, (1.0, to, r2)):
                if q > 0:
                    guess = denoise(state, here)
                stirred = _carried(stirred, (r - q) * h * eta, noise_scale, noise, here, place)
                y = -r * h * (1 + eta)
                weight = r / q * _phi(y) if q > 0 else torch.zeros_like(y)
                mixed = (torch.expm1(y) - weight) * denoised + weight * guess
                state = (place / s) * torch.exp(-r * h * eta) * x
                state = state - path.picture(place) * mixed + place * stirred
                here = place
            x = state
        yield Step(x, denoised)


def _carried(
    stirred: Tensor, distance: Tensor, scale: float, noise: Noise, here: Tensor, there: Tensor
) -> Tensor:
    """Carry noise on over a distance in eta lam, with what is fresh on the way."""
    if distance == 0:
        return stirred
    fresh = (-torch.expm1(-2 * distance)).sqrt() * scale * noise(here, there)
    return torch.exp(-distance) * stirred + fresh


def _phi(y: Tensor) -> Tensor:
    """Return (e^y - 1 - y) / y."""
    return (torch.expm1(y) - y) / y
