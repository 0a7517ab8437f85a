r"""CFG++: go where guidance points, but keep the noise that the picture had without it.

Guidance exaggerates: D = U + w (C - U), with U the guess without the prompt.  A sampler
rebuilds x from a clean guess and the noise it takes to be in x; if that noise is counted
from D too, the exaggeration is made twice, and pictures leave what the network knows.
CFG++ counts it from U:

    x_n = a_n D + n d,      d = (x - a_s U) / s

Guidance is then small: w of 1 to 2 rather than 7.  Each sampler here is its namesake with
U in place of D wherever noise is measured.

`both` asks a guided denoiser for (D, U); one that is not guided has but one guess, with
which these samplers are their namesakes.

Symbols: s = sigma_i, n = sigma_{i+1} (`to`), a the picture's share, z fresh noise.

Source: Chung et al. 2024 (arXiv:2406.08070), algorithm 1.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.guidance import both
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED, Path
from safelight.diffusion.samplers.ancestral import halfway
from safelight.diffusion.samplers.exponential import refined
from safelight.diffusion.samplers.step import Step, slope, stir, toward


def euler_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, path: Path = ADDED
) -> Iterator[Step]:
    """Euler, without fresh noise: x = a_n D + n d."""
    return euler_ancestral_cfg_pp(denoise, x, sigmas, noise=noise, path=path, eta=0.0)


def euler_ancestral_cfg_pp(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """Euler to a lower noise-to-picture ratio, then noise: x = a_n (D + down d + up z)."""
    for s, to in pairwise(sigmas):
        denoised, unguided = both(denoise, x, s)
        if to == 0:
            x = denoised
        else:
            down, _, up = stir(ADDED, path.ratio(s), path.ratio(to), eta)
            along = slope(x, s, path.picture(s) * unguided)
            y = denoised + down * along
            if eta > 0:
                y = y + up * noise_scale * noise(s, to)
            x = path.picture(to) * y
        yield Step(x, denoised)


def euler_beyond(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """Euler with D + (D - U) in place of D: what guidance added is added twice."""
    for s, to in pairwise(sigmas):
        denoised, unguided = both(denoise, x, s)
        x = toward(2 * denoised - unguided, x, s, to)
        yield Step(x, denoised)


def dpmpp_2s_ancestral_cfg_pp(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """DPM-Solver++(2S), its noise counted from U at both looks."""
    for s, to in pairwise(sigmas):
        denoised, unguided = both(denoise, x, s)
        if to == 0:
            x = denoised
        else:
            down, _, up = stir(ADDED, s, to, eta)
            middle = halfway(ADDED, s, down)
            state = toward(denoised, x + denoised - unguided, s, middle)
            guess, unguided = both(denoise, state, middle)
            x = toward(guess, x + denoised - unguided, s, down)
            x = x + up * noise_scale * noise(s, to)
        yield Step(x, denoised)


def dpmpp_2m_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise
) -> Iterator[Step]:
    """DPM-Solver++(2M): x = D + (n/s)(x - U) + (1 - n/s)(D - U_before)/(2 r)."""
    before: tuple[Tensor, Tensor] | None = None
    for s, to in pairwise(sigmas):
        denoised, unguided = both(denoise, x, s)
        h = torch.log(s / to)
        x = denoised + (to / s) * (x - unguided)
        if before is not None and to > 0:
            trend = (denoised - before[1]) * h / before[0]
            x = x + (1 - to / s) / 2 * trend
        before = h, unguided
        yield Step(x, denoised)


def res_multistep_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise
) -> Iterator[Step]:
    """The refined exponential solver without fresh noise; see the ancestral one."""
    return res_multistep_ancestral_cfg_pp(denoise, x, sigmas, noise=noise, eta=0.0)


def res_multistep_ancestral_cfg_pp(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """The refined exponential solver: x = e^-h (x + D - U) + h (b1 U + b2 U_before).

    The first step and one to 0 are Euler's: x = D + down (x - U)/s.
    """
    before: tuple[Tensor, Tensor, Tensor] | None = None
    for s, to in pairwise(sigmas):
        denoised, unguided = both(denoise, x, s)
        down, _, up = stir(ADDED, s, to, eta)
        if before is None or to == 0:
            x = denoised + down * slope(x, s, unguided)
        else:
            s_before, down_before, unguided_before = before
            h = torch.log(s / down)
            b1, b2 = refined(h, torch.log(down_before / s_before) / h)
            x = torch.exp(-h) * (x + denoised - unguided)
            x = x + h * (b1 * unguided + b2 * unguided_before)
        if eta > 0 and to > 0:
            x = x + up * noise_scale * noise(s, to)
        before = s, down, unguided
        yield Step(x, denoised)


def gradient_estimation_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, gamma: float = 2.0
) -> Iterator[Step]:
    """Exaggerate the change of slope: x = D + n d + (gamma - 1)(d - d_before)(n - s)."""
    before: Tensor | None = None
    for s, to in pairwise(sigmas):
        denoised, unguided = both(denoise, x, s)
        along = slope(x, s, unguided)
        x = denoised + to * along
        if before is not None and to > 0:
            x = x + (gamma - 1) * (along - before) * (to - s)
        before = along
        yield Step(x, denoised)
