r"""ER-SDE: the reverse process with another law of how much noise is stirred in.

Every function phi of the noise-to-picture ratio L = sigma / a gives a reverse process that
ends in the same pictures; here phi(L) = L (e^(L^0.3) + 10), which stirs more at high noise.
With rho = phi(L_n) / phi(L_s) the exact step for a constant guess is

    x_n = (a_n/a_s) rho x + a_n (1 - rho) D + a_n sqrt(L_n^2 - L_s^2 rho^2) z

and the guess's first and second differences D', D'' add integrals over the step,

    e + I phi(L_n),      I = integral over [L_n, L_s] of -1/phi(L) dL,     e = L_n - L_s
    e^2/2 + J phi(L_n),  J = the same of -(L - L_s)/phi(L)

which are sums over 200 points.

Symbols: s = sigma_i, n = sigma_{i+1} (`to`), a the picture's share, z fresh noise.

Source: Cui et al. 2023 (arXiv:2309.06169), algorithm 1 and appendix A.8.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED, Path
from safelight.diffusion.samplers.step import Step

POINTS = 200


def er_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    noise_scale: float = 1.0,
    max_stage: int = 3,
    power: float | None = None,
) -> Iterator[Step]:
    """Extended reverse-time SDE solver, up to third order with `max_stage` 3.

    A `power` takes L^power in place of phi: 1 + eta is the plain reverse process with a
    share eta of fresh noise, and 1 without noise the ordinary differential equation.
    """
    law: Callable[[Tensor], Tensor] = _phi if power is None else lambda ratio: ratio**power
    past: list[tuple[Tensor, Tensor, Tensor]] = []  # (L, D, D') of earlier steps, newest first
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            ratio, below = path.ratio(s), path.ratio(to)
            decay, share = law(below) / law(ratio), path.picture(to)
            x = share / path.picture(s) * decay * x + share * (1 - decay) * denoised
            first, second = _integrals(law, ratio, below)
            trend = torch.zeros_like(x)
            if past and max_stage > 1:
                trend = (denoised - past[0][1]) / (ratio - past[0][0])
                x = x + share * first * trend
            if len(past) > 1 and max_stage > 2:
                bend = (trend - past[0][2]) / ((ratio - past[1][0]) / 2)
                x = x + share * second * bend
            if noise_scale > 0:
                fresh = (below**2 - (ratio * decay) ** 2).clamp(min=0).sqrt()
                x = x + share * fresh * noise_scale * noise(s, to)
            past = [(ratio, denoised, trend), *past[:1]]
        yield Step(x, denoised)


def _phi(ratio: Tensor) -> Tensor:
    """Return L (e^(L^0.3) + 10)."""
    return ratio * (torch.exp(ratio**0.3) + 10)


def _integrals(
    law: Callable[[Tensor], Tensor], ratio: Tensor, below: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what multiplies D' and D'' in a step from L_s to L_n."""
    e = below - ratio
    width = -e / POINTS
    at = below + width * torch.arange(POINTS, dtype=ratio.dtype, device=ratio.device)
    first = -width * (1 / law(at)).sum()
    second = -width * ((at - ratio) / law(at)).sum()
    end = law(below)
    # The sums run from L_n up to L_s and the step down, hence the sign.
    return e - first * end, e**2 / 2 - second * end
