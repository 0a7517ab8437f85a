r"""Ancestral samplers: step lower than asked, then stir fresh noise in up to there.

The fresh noise forgets errors made earlier; the price is that the picture never settles
as the number of steps grows.  Each sampler here takes one kind of deterministic step to
`down` (Euler, midpoint, DPM-Solver++) and finishes it in the same way; see `step.stir`.

Symbols: s = sigma_i, n = sigma_{i+1} (`to`), D = D(x, s), z fresh noise, eta its share.

Source: Song et al. 2020 (arXiv:2010.02502), section 4.1; named in each function.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED, Path
from safelight.diffusion.resample import resize
from safelight.diffusion.samplers.step import Step, stir, toward


def euler_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """Step lower than asked by Euler, then stir noise in up to n.

    `eta` is the share of the step's noise that is fresh: 0 is Euler, 1 a DDPM-like walk.
    """
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            down, keep, up = stir(path, s, to, eta)
            x = keep * toward(denoised, x, s, down) + up * noise_scale * noise(s, to)
        yield Step(x, denoised)


def ddpm(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """The first sampler of all: each state drawn from what it may have been before.

    Given the clean latent D, noise at n that grew into the state at s is Gaussian with

        mean  D + (n/s)^2 (x - D),      variance  n^2 (s^2 - n^2) / s^2

    which is `euler_ancestral` with eta = 1, where down = n^2 / s.

    Source: Ho et al. 2020 (arXiv:2006.11239), equations 6 and 7, in terms of sigma.
    """
    return euler_ancestral(denoise, x, sigmas, noise=noise)


def dpm_2_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """Take the slope halfway, at sqrt(s down), then stir noise in up to n.

    Source: Karras et al. 2022 (arXiv:2206.00364), appendix D.2, for the midpoint.
    """
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            down, keep, up = stir(path, s, to, eta)
            middle = (s * down).sqrt()
            halfway = toward(denoised, x, s, middle)
            along = (halfway - denoise(halfway, middle)) / middle
            x = keep * (x + along * (down - s)) + up * noise_scale * noise(s, to)
        yield Step(x, denoised)


def dpmpp_2s_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """DPM-Solver++(2S): step all the way to `down` along the guess made halfway.

    Halfway is the mean of lam at both ends; x = (down/s) x + (1 - down/s) D_half.

    Source: Lu et al. 2022 (arXiv:2211.01095), algorithm 1 with r = 1/2.
    """
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            down, keep, up = stir(path, s, to, eta)
            middle = halfway(path, s, down)
            guess = denoise(toward(denoised, x, s, middle), middle)
            x = keep * toward(guess, x, s, down) + up * noise_scale * noise(s, to)
        yield Step(x, denoised)


def lcm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, path: Path = ADDED
) -> Iterator[Step]:
    """Jump to the guess and drown it again, less deep; for models distilled to a few steps.

    Source: Luo et al. 2023 (arXiv:2310.04378), algorithm 3.
    """
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        x = denoised if to == 0 else path.noised(denoised, noise(s, to), to)
        yield Step(x, denoised)


def lcm_growing(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    scale: float = 1.0,
    growths: int | None = None,
    method: str = "bislerp",
) -> Iterator[Step]:
    """The same, with a guess that is resampled in each of the first steps until it has grown.

    It ends `scale` times as high and wide, after `growths` even steps (None: half of all).
    """
    height, width = x.shape[-2:]
    count = max(len(sigmas) // 2, 1) if growths is None else min(growths, len(sigmas))
    for i, (s, to) in enumerate(pairwise(sigmas)):
        x = denoised = denoise(x, s)
        if i < count and scale != 1:
            factor = 1 + (scale - 1) * (i + 1) / count
            x = resize(x, round(height * factor), round(width * factor), method)
        if to > 0:
            x = path.noised(x, _filling(x, noise, s, to), to)
        yield Step(x, denoised)


def _filling(x: Tensor, noise: Noise, s: Tensor, to: Tensor) -> Tensor:
    """Draw noise for a latent of any size, by as many draws as it takes."""
    drawn = [noise(s, to)]
    while sum(map(Tensor.numel, drawn)) < x.numel():
        drawn.append(noise(s, to))
    return torch.cat([draw.flatten() for draw in drawn])[: x.numel()].reshape(x.shape)


def halfway(path: Path, s: Tensor, to: Tensor) -> Tensor:
    """Return the sigma whose lam is the mean of both ends' lams.

    Where nothing is left of the picture lam is infinite: 0.9999 stands for halfway then.
    """
    if path.picture(s) == 0:
        return s.new_tensor(0.9999)
    return path.of_lam((path.lam(s) + path.lam(to)) / 2)
