r"""Multistep solvers: remember the slopes of earlier steps, ask the network once a step.

The slopes d_i, d_{i-1} .. of the steps so far lie on a smooth curve.  A polynomial through
them, carried on over the next interval and integrated, is the Adams-Bashforth method:

    x += sum_j c_j d_{i-j},     c_j = integral over [s, n] of l_j(sigma) dsigma

with l_j the Lagrange polynomial that is 1 at sigma_{i-j} and 0 at the other points.  Its
order is the number of slopes.  The methods here differ only in their weights c_j: of a
polynomial in sigma (`lms`), in another measure of time (`deis`), as if all steps were
equal (`ipndm`) or with that mended (`ipndm_v`), or chosen to damp (`gradient_estimation`).
Where the walk ends in 0, the last state is the guess itself.

Symbols: s = sigma_i, n = sigma_{i+1}, d_i = (x - D)/s the slope at step i, h0 = n - s, h1
the step before it, h2 the one before that.

Source: Liu et al. 2022 (arXiv:2202.09778), equation 12; Zhang & Chen 2022
(arXiv:2204.13902), section 3 and appendix B.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.samplers.step import Step, slope

# (sigmas of the steps so far, the oldest first, then the next) -> weights, newest slope first.
Weights = Callable[[Sequence[float]], Sequence[float]]


def adams(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, order: int, weights: Weights
) -> Iterator[Step]:
    """Walk by a weighted sum of the last `order` slopes."""
    levels: list[float] = sigmas.tolist()
    slopes: list[Tensor] = []
    for i, (s, to) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, s)
        slopes = [slope(x, s, denoised), *slopes[: order - 1]]
        if to == 0:
            x = denoised
        else:
            shares = weights(levels[i + 1 - len(slopes) : i + 2])
            x = x + sum(
                (c * d for c, d in zip(shares, slopes, strict=True)), start=torch.zeros_like(x)
            )
        yield Step(x, denoised)


def lms(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, order: int = 4
) -> Iterator[Step]:
    """Linear multistep: the polynomial is one in sigma (Adams-Bashforth, uneven steps)."""

    def weights(levels: Sequence[float]) -> Sequence[float]:
        points, (s, to) = torch.tensor(levels[:-1], dtype=torch.float64), levels[-2:]
        # Gauss' rule with k points is exact up to the degree 2 k - 1.
        places, shares = np.polynomial.legendre.leggauss(len(points) // 2 + 1)
        at = (s + to) / 2 + (to - s) / 2 * torch.from_numpy(places)
        mass = lagrange(points, at) * torch.from_numpy(shares)
        return ((to - s) / 2 * mass.sum(-1)).flip(0).tolist()

    return adams(denoise, x, sigmas, order, weights)


def ipndm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, max_order: int = 4
) -> Iterator[Step]:
    """Improved pseudo numerical method: Adams-Bashforth weights for equal steps.

    Higher weights than are right where steps shrink, yet stable in practice.

    Source: Zhang & Chen 2022, section 4 ("iPNDM").
    """

    def weights(levels: Sequence[float]) -> Sequence[float]:
        return [c * (levels[-1] - levels[-2]) for c in ADAMS_BASHFORTH[len(levels) - 2]]

    return adams(denoise, x, sigmas, max_order, weights)


def ipndm_v(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, max_order: int = 4
) -> Iterator[Step]:
    """Improved pseudo numerical method with weights that heed how long the steps were.

    With h0 this step, h1, h2, h3 those before it: order 2 has (2 + h0/h1)/2 and
    -h0/(2 h1).  Orders 3 and 4 each add a difference of slopes, T and Q times:

        T = (1 - h0/(3 (h0+h1)) * h0 (h0+h1) / (h1 (h1+h2))) / 2
        Q = ((1 - h0/(3 (h0+h1)))/2 + (1 - h0/(2 (h0+h1))) h0/(6 (h0+h1+h2)))
            * h0 (h0+h1) (h0+h1+h2) / (h1 (h1+h2) (h1+h2+h3))

    T is exact for equal steps only; the method is known by this form, and keeps it.
    """
    return adams(denoise, x, sigmas, max_order, _uneven)


def deis(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, max_order: int = 3
) -> Iterator[Step]:
    """Diffusion exponential integrator: the polynomial is one in the time of a VP process.

    c_j = integral over [t_s, t_n] of l_j(t) (dsigma/dt) dt, where sigma(t) is that of a
    variance-preserving process between sigma 0.002 (at t = 0.001) and 80 (at t = 1).  The
    integral is a mean over many points.

    Source: Zhang & Chen 2022, equation 15 ("tAB-DEIS"); Karras et al. 2022, table 1.
    """

    def weights(levels: Sequence[float]) -> Sequence[float]:
        if len(levels) == 2:
            return [levels[1] - levels[0]]  # Euler
        times = [_vp_time(sigma) for sigma in levels]
        at = torch.linspace(times[-2], times[-1], DEIS_POINTS)
        alpha = torch.exp(-VP_SLOPE * at**2 / 2 - VP_FIRST * at)
        rate = (VP_SLOPE * at + VP_FIRST) / (2 * (alpha * (1 - alpha)).sqrt())
        basis = lagrange(torch.tensor(times[:-1]), at)
        return ((times[-1] - times[-2]) * (basis * rate).mean(-1)).flip(0).tolist()

    return adams(denoise, x, sigmas, max_order, weights)


def gradient_estimation(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise, gamma: float = 2.0
) -> Iterator[Step]:
    """Exaggerate the change of the slope since the last step: gamma d - (gamma - 1) d_before.

    Source: Permenter & Yuan 2023 (arXiv:2306.04848), algorithm 2.
    """

    def weights(levels: Sequence[float]) -> Sequence[float]:
        shares = (1.0,) if len(levels) == 2 else (gamma, 1 - gamma)
        return [c * (levels[-1] - levels[-2]) for c in shares]

    return adams(denoise, x, sigmas, 2, weights)


def lagrange(points: Tensor, at: Tensor) -> Tensor:
    """Return l_j(at), one row for each point: 1 at that point, 0 at the others."""
    rows = []
    for j, point in enumerate(points):
        others = torch.cat([points[:j], points[j + 1 :]])[:, None]
        rows.append(((at - others) / (point - others)).prod(0))
    return torch.stack(rows)


ADAMS_BASHFORTH: Sequence[Sequence[float]] = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)

DEIS_POINTS = 10_000
# The rates of a process for which sigma^2 + 1 = exp(slope t^2 / 2 + first t) at both ends.
_LOW, _HIGH = math.log(0.002**2 + 1) / 0.001, math.log(80**2 + 1)
VP_SLOPE = 2 * (_LOW - _HIGH) / (0.001 - 1)
VP_FIRST = _HIGH - VP_SLOPE / 2


def _vp_time(sigma: float) -> float:
    """Return the time at which that process has reached `sigma`."""
    grown = math.log(sigma**2 + 1)
    return (math.sqrt(VP_FIRST**2 + 2 * VP_SLOPE * grown) - VP_FIRST) / VP_SLOPE


def _uneven(levels: Sequence[float]) -> Sequence[float]:
    """Return the weights of `ipndm_v` for the last few sigmas."""
    h = [n - s for s, n in pairwise(levels)][::-1]
    if len(h) == 1:
        return h
    near, far = h[0] + h[1], h[0] / h[1]
    c = [1 + far / 2, -far / 2]
    if len(h) > 2:
        thus = (1 - h[0] / (3 * near) * h[0] * near / (h[1] * (h[1] + h[2]))) / 2
        ratio = h[1] / h[2]
        c = [c[0] + thus, c[1] - (1 + ratio) * thus, thus * ratio]
    if len(h) > 3:
        reach, past = near + h[2], h[1] + h[2]
        thus = (1 - h[0] / (3 * near)) / 2 + (1 - h[0] / (2 * near)) * h[0] / (6 * reach)
        thus *= h[0] * near * reach / (h[1] * past * (past + h[3]))
        ratio, p = h[1] / h[2], h[1] * past / (h[2] * (h[2] + h[3]))
        c = [
            c[0] + thus,
            c[1] - (1 + ratio + p) * thus,
            c[2] + (ratio + p * (1 + h[2] / h[3])) * thus,
            -thus * p * h[1] / h[2],
        ]
    return [h[0] * share for share in c]
