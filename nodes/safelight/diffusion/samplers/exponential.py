r"""Exponential integrators: solve what is known exactly, extrapolate only the guess.

In t = -ln sigma the walk dx/dsigma = (x - D)/sigma is a linear equation with the guess D
as its source, and has the exact solution

    x_n = (n/s) x_s + integral over [t_s, t_n] of e^(u - t_n) D(u) du

With D held constant that is a step to the guess (Euler).  With D following the line
through its last two values the error is of second order, for one evaluation a step.

Symbols: s = sigma_i, n = sigma_{i+1} (`to`), h = t_n - t_s = ln(s/n), D the guess.

Source: Lu et al. 2022 (arXiv:2211.01095); Zhang et al. 2023 (arXiv:2308.02157).
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED
from safelight.diffusion.samplers.step import Step, stir, toward


def dpmpp_2m(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """DPM-Solver++(2M): extrapolate the guess from this step's and the last one's.

    With r = h_before / h:  E = D + (D - D_before) / (2 r),  x = (n/s) x + (1 - e^-h) E.

    Source: Lu et al. 2022, algorithm 2.
    """
    before: tuple[Tensor, Tensor] | None = None
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        h = torch.log(s / to)  # infinite at the last step, where x becomes D
        estimate = denoised
        if before is not None and to > 0:
            h_before, denoised_before = before
            estimate = denoised + (denoised - denoised_before) * h / (2 * h_before)
        x = toward(estimate, x, s, to)
        before = h, denoised
        yield Step(x, denoised)


def res_multistep(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """Refined exponential solver, two steps, without noise; see `res_multistep_ancestral`."""
    return res_multistep_ancestral(denoise, x, sigmas, noise=noise, eta=0.0)


def res_multistep_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """Refined exponential solver: integrate the line through two guesses exactly.

    With weights b1, b2 of `refined`:  x = e^-h x + h (b1 D + b2 D_before), towards `down`;
    then noise up to n.  The first step and one to 0 go straight to the guess.

    Source: Zhang et al. 2023, equation 13 and table 2.
    """
    before: tuple[Tensor, Tensor, Tensor] | None = None
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        down, _, up = stir(ADDED, s, to, eta)
        if before is None or to == 0:
            x = toward(denoised, x, s, down)
        else:
            s_before, down_before, denoised_before = before
            h = torch.log(s / down)
            b1, b2 = refined(h, torch.log(down_before / s_before) / h)
            x = torch.exp(-h) * x + h * (b1 * denoised + b2 * denoised_before)
        if eta > 0 and to > 0:
            x = x + up * noise_scale * noise(s, to)
        before = s, down, denoised
        yield Step(x, denoised)


def refined(h: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights b1, b2 of the newest guess and of one `place` steps away.

    phi1 = (1 - e^-h)/h and phi2 = (1 - phi1)/h are the integrals over a step of
    e^(u - h) du/h and u e^(u - h) du/h^2; a line through guesses at 0 and at c h has
    b2 = phi2 / c, b1 = phi1 - b2.  c is negative for a guess of the past.
    """
    phi1 = -torch.expm1(-h) / h
    phi2 = (1 - phi1) / h
    return phi1 - phi2 / place, phi2 / place
