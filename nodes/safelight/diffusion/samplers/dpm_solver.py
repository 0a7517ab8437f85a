r"""DPM-Solver: exponential integrators for the noise, of orders 1, 2 and 3.

With eps = (x - D)/sigma held along a curve in t = -ln sigma, the exact step over h is

    order 1    x_1 = x - sigma_1 (e^h - 1) eps
    order 2    ... - sigma_1 (e^h - 1) / (2 r) (eps_r - eps)
    order 3    ... - sigma_1 ((e^h - 1)/h - 1) / r2 (eps_r2 - eps)

where eps_r was asked for at the share r of the step (and eps_r2 with the help of eps_r1).
`dpm_fast` spends a given number of evaluations on steps of order 3; `dpm_adaptive` takes
two orders at once and lets their difference choose the length of the next step.

Both walk from the first sigma to the last positive one in steps of their own: the sigmas
in between are not visited, and the walk does not end in 0.

Symbols: t = -ln sigma, h length of a step in t, r, r1, r2 shares of it.

Source: Lu et al. 2022 (arXiv:2206.00927), algorithms 1 and 2, section 3.4, appendix C.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED
from safelight.diffusion.samplers.step import Step, slope, stir


@dataclass(eq=False)
class _Look:
    """An interval of the walk from t to `to`, and the noise seen at shares of it."""

    denoise: Denoiser
    x: Tensor
    t: Tensor
    to: Tensor
    seen: dict[float, Tensor] = field(default_factory=dict[float, Tensor])

    def eps(self) -> Tensor:
        """Return the noise at the start."""
        return self._seen(0.0, self.x)

    def denoised(self) -> Tensor:
        """Return the guess of the clean latent at the start."""
        return self.x - self._sigma(0.0) * self.eps()

    def first(self, r: float = 1.0) -> Tensor:
        """Step a share r of the way with the noise held constant."""
        return self.x - self._sigma(r) * torch.expm1(r * self._h) * self.eps()

    def second(self, r: float = 0.5) -> Tensor:
        """Step all the way with the noise seen at the share r."""
        trend = self._seen(r, self.first(r)) - self.eps()
        return self.first() - self._sigma(1.0) * torch.expm1(self._h) / (2 * r) * trend

    def third(self, r1: float = 1 / 3, r2: float = 2 / 3) -> Tensor:
        """Step all the way with the noise seen at r2, which was reached with that at r1."""
        trend = self._seen(r1, self.first(r1)) - self.eps()
        place = self.first(r2) - self._sigma(r2) * (r2 / r1) * self._bend(r2) * trend
        trend = self._seen(r2, place) - self.eps()
        return self.first() - self._sigma(1.0) / r2 * self._bend(1.0) * trend

    @property
    def _h(self) -> Tensor:
        """The length of the interval."""
        return self.to - self.t

    def _sigma(self, r: float) -> Tensor:
        """Return sigma at a share of the way."""
        return torch.exp(-self.to if r == 1 else -(self.t + r * self._h))

    def _bend(self, r: float) -> Tensor:
        """Return (e^y - 1)/y - 1 for y = r h."""
        return torch.expm1(r * self._h) / (r * self._h) - 1

    def _seen(self, r: float, x: Tensor) -> Tensor:
        """Return the noise at a share of the way, asked for once."""
        if r not in self.seen:
            sigma = self._sigma(r)
            self.seen[r] = slope(x, sigma, self.denoise(x, sigma))
        return self.seen[r]


def dpm_fast(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: Noise) -> Iterator[Step]:
    """As many evaluations as there are steps, in jumps of order 3 that are even in t.

    The last jumps are of lower order, so that the number of evaluations comes out.  The t
    are in single precision, like the sigmas of a table.
    """
    evaluations = len(sigmas) - 1
    if evaluations < 1:
        return
    jumps = evaluations // 3 + 1
    rest = evaluations % 3
    orders = [3] * (jumps - 1) + [rest] if rest else [3] * (jumps - 2) + [2, 1]
    begin, end = (-sigmas[sigmas > 0].float()[[0, -1]].log()).tolist()
    places = torch.linspace(begin, end, jumps + 1, device=sigmas.device)
    for order, (t, to) in zip(orders, pairwise(places), strict=True):
        look = _Look(denoise, x, t, to)
        x = (look.first, look.second, look.third)[order - 1]()
        yield Step(x, look.denoised())


def dpm_adaptive(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    pcoeff: float = 0.0,
    icoeff: float = 1.0,
    dcoeff: float = 0.0,
    accept_safety: float = 0.81,
    eta: float = 0.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """Step as far as two methods agree; the number of steps is what it takes.

    The error is the root mean square of (low - high) / max(atol, rtol max(|low|, |low of
    the last step|)).  A step is taken again, shorter, when its error is too large.
    """
    positive = sigmas[sigmas > 0]
    if len(positive) < 2:
        return
    t, end = -positive[0].log(), -positive[-1].log()
    pace = _Pace(h_init, pcoeff, icoeff, dcoeff, 1.5 if eta else float(order), accept_safety)
    low_before, known = x, dict[float, Tensor]()
    while t < end - 1e-5:
        to = torch.minimum(end, t + pace.h)
        goal, up = _lower(t, to, end, eta)
        look = _Look(denoise, x, t, goal, known)
        low = look.first() if order == 2 else look.second(1 / 3)
        high = look.second() if order == 2 else look.third()
        tolerance = (rtol * torch.maximum(low.abs(), low_before.abs())).clamp(min=atol)
        error = ((low - high) / tolerance).square().mean().sqrt()
        if not pace.accepts(float(error)):
            known = {0.0: look.eps()}  # what is seen from the start does not change
            continue
        x = high
        if eta > 0:
            x = x + up * noise_scale * noise(torch.exp(-t), torch.exp(-to))
        t, low_before, known = to, low, dict[float, Tensor]()
        yield Step(x, look.denoised())


def _lower(t: Tensor, to: Tensor, end: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """Return where to step, not beyond `end`, and the noise that leads back up to `to`."""
    if eta == 0:
        return to, torch.zeros_like(to)
    n = torch.exp(-to)
    goal = torch.minimum(end, -stir(ADDED, torch.exp(-t), n, eta).down.log())
    return goal, (n**2 - torch.exp(-goal) ** 2).clamp(min=0).sqrt()


@dataclass
class _Pace:
    """A controller that makes steps as long as the error allows.

    Source: Hairer, Norsett & Wanner, "Solving Ordinary Differential Equations I", II.4, and
    Soderlind 2003 (digital filters in adaptive time-stepping), for the three coefficients.
    """

    h: float
    proportional: float
    integral: float
    differential: float
    order: float
    safety: float
    inverse_errors: list[float] = field(default_factory=list[float])

    def accepts(self, error: float) -> bool:
        """Tell whether a step with this error is good enough, and set the next length."""
        inverse = 1 / (error + 1e-8)
        past = self.inverse_errors or [inverse, inverse]
        powers = (
            self.proportional + self.integral + self.differential,
            -(self.proportional + 2 * self.differential),
            self.differential,
        )
        factor = math.prod(
            value ** (power / self.order)
            for value, power in zip([inverse, *past], powers, strict=True)
        )
        factor = 1 + math.atan(factor - 1)
        accepted = factor >= self.safety
        self.inverse_errors = [inverse, past[0]] if accepted else past
        self.h *= factor
        return accepted
