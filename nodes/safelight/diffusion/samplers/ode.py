r"""Solvers that look around within each step: Euler, Heun, the midpoint.

The walk follows dx/dsigma = d(x, sigma) = (x - D) / sigma.  Euler keeps the slope of the
start of an interval; its error falls with the step.  Asking the network again further on
in the interval costs an evaluation and makes the error fall with the square of the step.

Churn turns a solver into a stochastic one: noise is added before each step, and the step
starts from the higher sigma that it leads to.

Symbols: s = sigma_i, to = sigma_{i+1}, D = D(x, s) the guess, d slope.

Source: Karras et al. 2022 (arXiv:2206.00364), algorithms 1 and 2.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.samplers.step import Step, slope


@dataclass(frozen=True)
class Churn:
    """Noise added before each step of an ODE solver, so that it forgets its errors.

    Source: Karras et al. 2022, algorithm 2 and table 5; `amount` is S_churn.
    """

    amount: float = 0.0
    lowest: float = 0.0
    highest: float = math.inf
    scale: float = 1.0

    def stirred(self, x: Tensor, sigma: Tensor, steps: int, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return x with noise up to a higher sigma, and that sigma."""
        gamma = 0.0
        if self.lowest <= float(sigma) <= self.highest:
            gamma = min(self.amount / steps, math.sqrt(2) - 1)
        if gamma == 0:
            return x, sigma
        higher = sigma * (1 + gamma)
        fresh = noise(sigma, higher) * self.scale
        return x + fresh * (higher**2 - sigma**2).sqrt(), higher


STILL = Churn()


def euler(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, churn: Churn = STILL
) -> Iterator[Step]:
    """Follow the slope at the start of each interval (first order)."""
    for sigma, to in pairwise(sigmas):
        x, s = churn.stirred(x, sigma, len(sigmas) - 1, noise)
        denoised = denoise(x, s)
        x = denoised if to == 0 else x + slope(x, s, denoised) * (to - s)
        yield Step(x, denoised)


def ddim(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """Redraw the picture at less noise: x = D + n (x - D)/s, with the noise it had.

    In sigma this is Euler's method; DDIM was derived as a process before it was seen to
    be a solver.  Source: Song et al. 2020 (arXiv:2010.02502), equation 12 with sigma_t = 0.
    """
    return euler(denoise, x, sigmas, noise=noise)


def heun(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, churn: Churn = STILL
) -> Iterator[Step]:
    """Average the slopes at both ends of each interval (second order, two evaluations).

    Source: Karras et al. 2022, algorithm 2.
    """
    for sigma, to in pairwise(sigmas):
        x, s = churn.stirred(x, sigma, len(sigmas) - 1, noise)
        denoised = denoise(x, s)
        along = slope(x, s, denoised)
        if to > 0:
            guess = x + along * (to - s)
            along = (along + slope(guess, to, denoise(guess, to))) / 2
        x = x + along * (to - s)
        yield Step(x, denoised)


def dpm_2(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, churn: Churn = STILL
) -> Iterator[Step]:
    """Take the slope halfway, at sqrt(s n), for the whole interval (second order).

    Source: Karras et al. 2022, appendix D.2; Lu et al. 2022 (arXiv:2206.00927),
    algorithm 1, whose midpoint in ln sigma this is.
    """
    for sigma, to in pairwise(sigmas):
        x, s = churn.stirred(x, sigma, len(sigmas) - 1, noise)
        denoised = denoise(x, s)
        along = slope(x, s, denoised)
        if to > 0:
            middle = (s * to).sqrt()
            halfway = x + along * (middle - s)
            along = slope(halfway, middle, denoise(halfway, middle))
        x = x + along * (to - s)
        yield Step(x, denoised)


def heunpp2(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """Heun++: average up to three slopes, those further down weighing less.

    Euler leads on from the end of the interval to the end of the next for the third slope;
    a slope at sigma weighs sigma / (count sigma_0), the first has the rest.  One slope in
    the last interval, two in the one before it.  The weights do not shrink with the step,
    so the order stays one: the average damps errors at high noise instead.

    Source: Wang et al. 2023 (arXiv:2311.11000), section 3.2.
    """
    for i, (s, to) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, s)
        along = slope(x, s, denoised)
        ahead = sigmas[i + 1 : i + 3] if i + 2 < len(sigmas) - 1 else sigmas[i + 1 : -1]
        slopes, place, here = [along], x, s
        for later in ahead:
            place = place + slopes[-1] * (later - here)
            slopes.append(slope(place, later, denoise(place, later)))
            here = later
        shares = [later / (len(slopes) * sigmas[0]) for later in ahead]
        average = slopes[0] + sum(
            (share * (other - slopes[0]) for share, other in zip(shares, slopes[1:], strict=True)),
            start=0 * x,
        )
        x = x + average * (to - s)
        yield Step(x, denoised)
