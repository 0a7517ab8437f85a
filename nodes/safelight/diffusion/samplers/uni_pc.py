r"""UniPC: one formula that predicts and corrects, of any order.

A step of the exact solution for the guess, x_n = (n/s) x + (1 - e^-h) D, is improved by
differences of the guesses at other places,

    x_n = (n/s) x + (1 - e^-h) D + B(h) sum_m rho_m (D_m - D) / r_m,    r_m = (lam_m - lam_s)/h

whose weights rho solve a small linear system: the formula shall be exact when D is a
polynomial in lam.  With guesses of the past it predicts; with the guess at n (r = 1) too
it corrects.  That guess, made at the predicted state, then also serves the next step, so a
corrected step costs no evaluation.  B(h) is h (`uni_pc`) or 1 - e^-h (`uni_pc_bh2`).

The walk ends at sigma 0.001, which stands for 0, where lam is infinite.

Symbols: s = sigma_i, n = sigma_{i+1}, lam = -ln sigma, h = lam_n - lam_s, D_m guesses.

Source: Zhao et al. 2023 (arXiv:2302.04867), algorithms 5 to 8, theorem 3.1, appendix F.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.samplers.step import Step, toward

LEAST = 0.001  # the sigma at which the walk ends instead of 0


def uni_pc(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """UniPC with B(h) = h."""
    return _walk(denoise, x, sigmas, lambda h: h)


def uni_pc_bh2(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """UniPC with B(h) = 1 - e^-h, which suits few steps better."""
    return _walk(denoise, x, sigmas, lambda h: -math.expm1(-h))


def _walk(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, scale: Callable[[float], float]
) -> Iterator[Step]:
    """Predict, ask, correct; lower orders at both ends, no correction at the last step."""
    count = len(sigmas) - 1
    levels = sigmas.clamp(min=LEAST)
    made: list[tuple[float, Tensor]] = []  # (lam, guess) of the steps so far, newest first
    for i in range(count):
        s, to = levels[i], levels[i + 1]
        if not made:
            made = [(-math.log(s), denoise(x, s))]
        denoised = made[0][1]
        order = max(min(3, count - 1, i + 1, count - i), 1)
        straight = toward(denoised, x, s, to)
        lam = -math.log(to)
        x = straight + _difference(made[:order], lam, scale)
        if i + 1 < count:
            guess = denoise(x, to)
            x = straight + _difference([*made[:order], (lam, guess)], lam, scale)
            made = [(lam, guess), *made[:2]]
        yield Step(x, denoised)


def _difference(
    made: list[tuple[float, Tensor]], lam: float, scale: Callable[[float], float]
) -> Tensor:
    """Return B(h) sum_m rho_m (D_m - D)/r_m for the guesses other than the first."""
    (origin, base), *others = made
    h = lam - origin
    places = [(place - origin) / h for place, _ in others]
    total = torch.zeros_like(base)
    for weight, place, (_, guess) in zip(_weights(places, h, scale), places, others, strict=True):
        total = total + scale(h) * weight / place * (guess - base)
    return total


def _weights(places: list[float], h: float, scale: Callable[[float], float]) -> list[float]:
    """Return the rho_m for which the formula is exact when D is a polynomial.

    For D = ((lam - lam_s)/h)^k the exact sum is M_k = integral over [0, h] of
    e^(u - h) (u/h)^k du, that is M_0 = 1 - e^-h and M_k = 1 - k M_{k-1} / h, so
    B(h) sum_m rho_m r_m^(k-1) = M_k for k = 1 .. count.  A single place has weight 1/2,
    which is the same up to higher orders of h.
    """
    if len(places) < 2:
        return [0.5] * len(places)
    moments = [-math.expm1(-h)]
    for k in range(1, len(places) + 1):
        moments.append(1 - k * moments[-1] / h)
    rows = [[r**k for r in places] for k in range(len(places))]
    powers = torch.tensor(rows, dtype=torch.float64)
    wanted = torch.tensor(moments[1:], dtype=torch.float64) / scale(h)
    return torch.linalg.solve(powers, wanted).tolist()
