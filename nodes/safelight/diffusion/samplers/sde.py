r"""SDE-DPM-Solver++: exponential integrators that stir noise in as they go.

Written in lam = ln(a / sigma), a reverse process with a share eta of fresh noise has an
exact solution too.  With h = lam_n - lam_s, H = h (1 + eta) and D held constant,

    x_n = (n/s) e^(-h eta) x  +  a_n (1 - e^-H) D  +  n sqrt(1 - e^(-2 h eta)) z
        =  keep x             +  share D           +  fresh z

(`Leap` below).  The multistep methods add the trend of D, from one or two guesses of the
past: along a line,  a_n p2 u with u = (D - D_1)/r0, and along a parabola also - a_n p3 v',
where p2 = 1 - (1 - e^-H)/H and p3 = p2/H - 1/2 are integrals of powers over the step.

Symbols: s = sigma_i, n = sigma_{i+1} (`to`), a_n the picture's share at n, z fresh noise,
D_1, D_2 earlier guesses, r0 = h_1/h and r1 = h_2/h earlier steps in units of this one.

Source: Lu et al. 2022 (arXiv:2211.01095), section 5 and equations 18, 19 for eta = 1.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.noise import Noise
from safelight.diffusion.path import ADDED, Path
from safelight.diffusion.samplers.step import Step, stir


class Leap(NamedTuple):
    """The exact step for a constant guess: keep x + share D + fresh z."""

    keep: Tensor
    share: Tensor
    fresh: Tensor


def leap(path: Path, s: Tensor, to: Tensor, eta: float) -> Leap:
    """Return the weights of a step from s to `to`."""
    h = path.lam(to) - path.lam(s)
    return Leap(
        (to / s) * torch.exp(-h * eta),
        -path.picture(to) * torch.expm1(-h * (1 + eta)),
        to * (-torch.expm1(-2 * h * eta)).sqrt(),
    )


def dpmpp_sde(
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
    """SDE-DPM-Solver++(2S): an ancestral step to the place r of the way, then a whole one.

    In y = x/a noise is added, whatever the path, and y has the sigma S = sigma/a.  The
    whole step follows (1 - 1/(2r)) D + 1/(2r) D_r.
    """
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            lam, lam_to = path.lam(s), path.lam(to)
            middle = path.of_lam(torch.lerp(lam, lam_to, r))
            guess = denoise(
                _stirred(path, x, denoised, s, middle, eta, noise_scale * noise(s, middle)), middle
            )
            trend = torch.lerp(denoised, guess, 1 / (2 * r))
            x = _stirred(path, x, trend, s, to, eta, noise_scale * noise(s, to))
        yield Step(x, denoised)


def dpmpp_2m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
    correction: Literal["midpoint", "heun"] = "midpoint",
) -> Iterator[Step]:
    """SDE-DPM-Solver++(2M): the two-step solver with noise stirred in exactly.

    The trend of D weighs a_n p2 ("heun", exact along a line) or, as in the deterministic
    method, half as much as D itself, a_n (1 - e^-H)/2 ("midpoint").
    """
    before: tuple[Tensor, Tensor] | None = None
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            h = path.lam(to) - path.lam(s)
            keep, share, fresh = leap(path, s, to, eta)
            x = keep * x + share * denoised
            if before is not None:
                trend = (denoised - before[1]) * h / before[0]
                p2, _ = _powers(h * (1 + eta))
                weight = share / 2 if correction == "midpoint" else path.picture(to) * p2
                x = x + weight * trend
            if eta > 0:
                x = x + fresh * noise_scale * noise(s, to)
            before = h, denoised
        yield Step(x, denoised)


def dpmpp_2m_sde_heun(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """SDE-DPM-Solver++(2M) with the trend integrated exactly."""
    return dpmpp_2m_sde(
        denoise,
        x,
        sigmas,
        noise=noise,
        path=path,
        eta=eta,
        noise_scale=noise_scale,
        correction="heun",
    )


def dpmpp_3m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = ADDED,
    eta: float = 1.0,
    noise_scale: float = 1.0,
) -> Iterator[Step]:
    """SDE-DPM-Solver++(3M): the guess follows a parabola through its last three values.

    With v = (D_1 - D_2)/r1 and w = (u - v)/(r0 + r1):  + a_n p2 (u + r0 w) - a_n p3 w.
    """
    past: list[tuple[Tensor, Tensor]] = []  # (h, D) of the last two steps, newest first
    for s, to in pairwise(sigmas):
        denoised = denoise(x, s)
        if to == 0:
            x = denoised
        else:
            h = path.lam(to) - path.lam(s)
            keep, share, fresh = leap(path, s, to, eta)
            x = keep * x + share * denoised
            p2, p3 = _powers(h * (1 + eta))
            if past:
                r0 = past[0][0] / h
                line = (denoised - past[0][1]) / r0
                bend = torch.zeros_like(x)
                if len(past) > 1:
                    r1 = past[1][0] / h
                    bend = (line - (past[0][1] - past[1][1]) / r1) / (r0 + r1)
                x = x + path.picture(to) * (p2 * (line + r0 * bend) - p3 * bend)
            if eta > 0:
                x = x + fresh * noise_scale * noise(s, to)
            past = [(h, denoised), *past[:1]]
        yield Step(x, denoised)


def _stirred(
    path: Path, x: Tensor, denoised: Tensor, s: Tensor, to: Tensor, eta: float, fresh: Tensor
) -> Tensor:
    """Take an ancestral step of y = x/a along a guess."""
    ratio = path.ratio(s)
    down, _, up = stir(ADDED, ratio, path.ratio(to), eta)
    y = (down / ratio) * x / path.picture(s) + (1 - down / ratio) * denoised + up * fresh
    return path.picture(to) * y


def _powers(whole: Tensor) -> tuple[Tensor, Tensor]:
    """Return p2 = 1 - (1 - e^-H)/H and p3 = p2/H - 1/2."""
    p2 = torch.expm1(-whole) / whole + 1
    return p2, p2 / whole - 0.5
