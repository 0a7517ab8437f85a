r"""SA-Solver: stochastic Adams, a multistep method that predicts and then corrects.

Noise is stirred in only where tau = 1, in the middle of the walk, where there is most to
decide.  With k = 1 + tau^2 and the guesses of earlier steps on a polynomial in lam,

    x_n = (n/s) e^(-tau^2 h) x + sum_j b_j D_j + n sqrt(1 - e^(-2 tau^2 h)) z
    b_j = a_n integral over [lam_s, lam_n] of k e^(-k (lam_n - u)) l_j(u) du

with l_j the Lagrange polynomials on the lams of those guesses.  The predictor knows the
guesses up to s; once the guess at n has been made from its result, the corrector takes the
same step again with it, from the corrected x and with the same noise.

Symbols: s = sigma_i, n = sigma_{i+1}, h = lam_n - lam_s, a_n the picture's share at n, D_j
guesses, z fresh noise.

Source: Xue et al. 2023 (arXiv:2309.05019), algorithm 1 and equations 14 to 18.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED, Path
from safelight.diffusion.samplers.multistep import lagrange
from safelight.diffusion.samplers.step import Step

_POINTS = 24  # Gauss' rule with so many points integrates a step to rounding


@dataclass(frozen=True, eq=False)
class _Leap:
    """The interval from s to n, and how noisy it is."""

    path: Path
    s: Tensor
    n: Tensor
    tau: float
    simple: bool

    @cached_property
    def h(self) -> Tensor:
        """How far it is in lam."""
        return self.path.lam(self.n) - self.path.lam(self.s)

    def of(self, x: Tensor, levels: Tensor, guesses: list[Tensor]) -> Tensor:
        """Step from x by the guesses made at `levels`, without noise."""
        decay = (self.n / self.s) * torch.exp(-(self.tau**2) * self.h)
        weights = self._weights(self.path.lam(levels))
        return decay * x + sum(
            (b * guess for b, guess in zip(weights, guesses, strict=True)),
            start=torch.zeros_like(x),
        )

    def fresh(self, z: Tensor) -> Tensor:
        """Return the noise that this interval stirs in."""
        return self.n * (-torch.expm1(-2 * self.tau**2 * self.h)).sqrt() * z

    def _weights(self, lams: Tensor) -> Tensor:
        """Return b_j for guesses at `lams`."""
        k, share = 1 + self.tau**2, self.path.picture(self.n)
        if self.simple and len(lams) == 2:
            return share * self._line(lams, k)
        places, weights = np.polynomial.legendre.leggauss(_POINTS)
        u = self.path.lam(self.s) + self.h * (torch.from_numpy(places).to(lams) + 1) / 2
        growth = k * torch.exp(-k * (self.path.lam(self.n) - u))
        mass = torch.from_numpy(weights).to(lams) * growth
        return share * self.h / 2 * (lagrange(lams, u) * mass).sum(-1)

    def _line(self, lams: Tensor, k: float) -> Tensor:
        """Return two weights with the trend taken as even over the step."""
        whole = -torch.expm1(-k * self.h)
        if lams[-1] > self.path.lam(self.s):  # the corrector knows the guess at n
            newest = k * self.h / 2
            return torch.stack([whole - newest, newest])
        oldest = k * self.h**2 / 2 / (lams[0] - lams[1])
        return torch.stack([oldest, whole - oldest])


def sa_solver(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    band: tuple[float, float] = (math.inf, 0.0),
    noise_scale: float = 1.0,
    eta: float = 1.0,
    predictor_order: int = 3,
    corrector_order: int = 4,
    simple_order_2: bool = False,
    again: bool = False,
) -> Iterator[Step]:
    """Predict, evaluate, correct; `again` evaluates a second time after correcting.

    Noise of scale `eta` is stirred in where the sigma stepped to lies within `band` (the
    higher end first).  Orders drop towards a final 0.
    """
    falls_to_zero, count = bool((sigmas == 0).any()), len(sigmas)
    made: list[Tensor] = []
    leap: _Leap | None = None
    predicted, stirred = x, torch.zeros_like(x)
    for i in range(count - 1):
        s, to = sigmas[i], sigmas[i + 1]
        denoised = denoise(predicted, s)
        made = [*made, denoised][-max(predictor_order, corrector_order, 1) :]
        order = min(corrector_order, len(made), count - 1 - i if falls_to_zero else count)
        if leap is None or order == 0 or (to == 0 and not again):
            x = predicted
        else:
            x = leap.of(x, sigmas[i + 1 - order : i + 1], made[-order:]) + stirred
            if again:
                denoised = denoise(x, s)
                made = [*made[:-1], denoised]
        if to == 0:
            x = denoised
        else:
            tau = eta if band[0] >= float(to) >= band[1] else 0.0
            leap = _Leap(path, s, to, tau, simple_order_2)
            order = min(predictor_order, len(made), count - 2 - i if falls_to_zero else count)
            predicted = leap.of(x, sigmas[i + 1 - order : i + 1], made[-order:])
            stirs = tau > 0 and noise_scale > 0
            stirred = leap.fresh(noise_scale * noise(s, to)) if stirs else torch.zeros_like(x)
            predicted = predicted + stirred
        yield Step(x if to == 0 else predicted, denoised)


def sa_solver_pece(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    band: tuple[float, float] = (math.inf, 0.0),
) -> Iterator[Step]:
    """SA-Solver that asks the network again at each corrected state (two calls a step)."""
    return sa_solver(denoise, x, sigmas, noise=noise, path=path, band=band, again=True)
