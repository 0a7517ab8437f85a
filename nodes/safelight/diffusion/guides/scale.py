r"""Guesses of the right size: what guidance exaggerates it also makes too strong.

The larger w, the further D = U + w (C - U) lies from anything a picture can be: contrast and
colours burn out.  C itself is of the right size, so D is measured against it.

    rescale     D' = m D std(C) / std(D) + (1 - m) D           over the whole picture, in v
    norm        D' = s D min(1, |C| / |D|)                     in each pixel, |.| over channels
    threshold   D' = clamp(D, -q_D, q_D) q_C / q_D             q the p-th quantile of |.|

Rescaling compares velocities v = (c^2 x - D) / (c sigma), c^2 = 1 / (1 + sigma^2), which have
the same variance at every noise level.  Thresholding was made for pixels in -1..1; latents
have no such bounds, so q_C takes their place, and both are measured from the mean.

Symbols: C guess with the prompt, U without, w scale, D what guidance made of them; m, s, p
settings; B batch, C h w latent axes.

Source: Lin et al. 2023 (arXiv:2305.08891), section 3.4; Saharia et al. 2022
(arXiv:2205.11487), section 2.3; the norm is a custom of other programs.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.guidance import Guided, Look

PICTURE = (1, 2, 3)  # the axes of one picture
NEARLY_NOTHING = 1e-8


def rescaled(denoise: Guided, share: float) -> Guided:
    """Give D the standard deviation of C, mixed with D as it is: `share` 0..1 of the former."""

    def rescale(look: Look, guess: Tensor) -> Tensor:
        if share == 0:
            return guess
        wanted, guided = _velocity(look, look.wanted), _velocity(look, guess)
        ratio = wanted.std(dim=PICTURE, keepdim=True) / guided.std(dim=PICTURE, keepdim=True)
        velocity = share * ratio * guided + (1 - share) * guided
        c = (1 + look.sigma**2).rsqrt()
        return c**2 * look.x - c * look.sigma * velocity

    return replace(denoise, after=(rescale, *denoise.after))


def normed(denoise: Guided, strength: float) -> Guided:
    """Let no pixel be longer than in C, then multiply everything by `strength`."""

    def norm(look: Look, guess: Tensor) -> Tensor:
        lengths = (part.norm(dim=1, keepdim=True) for part in (look.wanted, guess))
        ours, theirs = lengths
        return guess * (ours / (theirs + NEARLY_NOTHING)).clamp(max=1) * strength

    return replace(denoise, after=(*denoise.after, norm))


def thresholded(denoise: Guided, quantile: float) -> Guided:
    """Clamp what sticks out of D and shrink it to the range of C; `quantile` is 0..1."""

    def threshold(look: Look, guess: Tensor) -> Tensor:
        mean, ours = _reach(look.wanted, quantile)
        centre, theirs = _reach(guess, quantile)
        clamped = (guess - centre).clamp(-theirs, theirs) * (ours / theirs)
        return torch.where(theirs > ours, clamped + mean, guess)

    return replace(denoise, after=(*denoise.after, threshold))


def _velocity(look: Look, guess: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
    """Return v of a guess."""
    c = (1 + look.sigma**2).rsqrt()
    return (c**2 * look.x - guess) / (c * look.sigma)


def _reach(guess: Float[Tensor, "B C h w"], quantile: float) -> tuple[Tensor, Tensor]:
    """Return the mean of each picture, and how far most of it reaches from there."""
    mean = guess.mean(dim=PICTURE, keepdim=True)
    reach = (guess - mean).abs().flatten(1).quantile(quantile, dim=1)
    return mean, reach.reshape(-1, 1, 1, 1)
