r"""Tones of latents: operations on the vectors that stand at each latent pixel.

A latent pixel is a vector of z channels; its length is how strong the picture is there, its
direction what it shows.  So it pays to treat the two apart:

    interpolated   direction of the mean of the directions, mean of the lengths
    reinhard       |v| -> t u / (1 + u) with u = |v| / t,  t = multiplier (mean + 5 deviation)
    sharper        directions sharpened, lengths kept

Symbols: B batch, z channels, h x w latent pixels, t the length that is pressed to its half.

Source: Reinhard et al. 2002, "Photographic tone reproduction for digital images", eq. 3.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from safelight.diffusion.darkroom.filters import sharpened

DEVIATIONS = 5.0
LEAST = 1e-10  # a vector shorter than this has no direction


def interpolated(
    a: Float[Tensor, "B z h w"], b: Float[Tensor, "B z h w"], share: float
) -> Float[Tensor, "B z h w"]:
    """Mix two latents, `share` being that of the first."""
    direction = _unit(_unit(a) * share + _unit(b) * (1 - share))
    return direction * (_length(a) * share + _length(b) * (1 - share))


def reinhard(x: Float[Tensor, "B z h w"], multiplier: float) -> Float[Tensor, "B z h w"]:
    """Press long vectors together; a multiplier of 0 leaves nothing."""
    length = _length(x)
    spread = length.std(dim=(1, 2, 3), keepdim=True)
    top = multiplier * (length.mean(dim=(1, 2, 3), keepdim=True) + DEVIATIONS * spread)
    return _unit(x) * (top * length / (top + length).clamp(min=LEAST))


def sharper(
    x: Float[Tensor, "B z h w"], radius: int, sigma: float, alpha: float
) -> Float[Tensor, "B z h w"]:
    """Sharpen what the latent shows, and keep how strong it is."""
    return sharpened(_unit(x), radius, sigma, alpha) * _length(x)


def _length(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=1, keepdim=True)


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x, dim=1, eps=LEAST)
