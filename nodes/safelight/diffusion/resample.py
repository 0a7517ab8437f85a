r"""Resampling: the same picture, or latent, on another grid of pixels.

Pixel i of n new pixels lies at x = (i + 1/2) N / n - 1/2 on the old grid of N pixels.

    nearest-exact   the old pixel whose centre is closest to x
    bilinear        the two neighbours of x, weighted by distance
    bicubic         four neighbours, a smooth cubic
    area            the mean of all old pixels that a new one covers (for shrinking)
    bislerp         as bilinear, but along the arc between the two channel vectors

`bislerp` is for latents: the mean of two unlike vectors is shorter than either, and a
latent with short vectors decodes to grey mush.  Going along the arc keeps the length:

    slerp(a, b; r) = |.| (sin((1-r) w) a/|a| + sin(r w) b/|b|) / sin w,   cos w = a.b/|a||b|
    |.| = (1-r)|a| + r|b|

Symbols: B batch, C channels, H x W old pixels, h x w new pixels, r in 0..1, w the angle.

Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3 (slerp).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

INTERPOLATIONS = ("nearest-exact", "bilinear", "area", "bicubic")
METHODS = (*INTERPOLATIONS, "bislerp")
PARALLEL = 1e-5  # cosines closer to 1 than this are one direction: sin w would be 0


def resize(
    x: Float[Tensor, "B C H W"], height: int, width: int, method: str
) -> Float[Tensor, "B C {height} {width}"]:
    """Resample `x` to `height` by `width` pixels by one of `METHODS`.

    Raises:
        ValueError: the method is unknown or the size is not positive.
    """
    if min(height, width) < 1:
        raise ValueError(f"cannot resize to {width}x{height} pixels")
    if method == "bislerp":
        return _bislerp_rows(_bislerp_rows(x, width).mT, height).mT
    if method not in INTERPOLATIONS:
        raise ValueError(f"unknown resampling method {method!r}; there are {', '.join(METHODS)}")
    return F.interpolate(x, size=(height, width), mode=method)


def crop_to_aspect(
    x: Float[Tensor, "B C H W"], height: int, width: int
) -> Float[Tensor, "B C H_cropped W_cropped"]:
    """Cut away what sticks out of the aspect ratio `width` : `height`, evenly on both sides."""
    rows, columns = x.shape[2:]
    kept_columns = max(1, min(columns, round(rows * width / height)))
    kept_rows = max(1, min(rows, round(columns * height / width)))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return x[:, :, top : top + kept_rows, left : left + kept_columns]


def _bislerp_rows(x: Float[Tensor, "B C H W"], width: int) -> Float[Tensor, "B C H w"]:
    """Resample along the last axis only."""
    old = x.shape[3]
    at = (torch.arange(width, device=x.device) + 0.5) * old / width - 0.5
    at = at.clamp(0, old - 1)
    left = at.floor().long()
    right = (left + 1).clamp(max=old - 1)
    return _slerp(x[..., left], x[..., right], (at - left).to(x.dtype))


def _slerp(a: Tensor, b: Tensor, r: Tensor) -> Tensor:
    """Go the fraction `r` of the arc from `a` to `b`, vectors along axis 1."""
    length_a, length_b = (v.norm(dim=1, keepdim=True) for v in (a, b))
    unit_a, unit_b = (F.normalize(v, dim=1, eps=1e-12) for v in (a, b))
    cosine = (unit_a * unit_b).sum(dim=1, keepdim=True).clamp(-1, 1)
    angle = cosine.acos()
    arc = (((1 - r) * angle).sin() * unit_a + (r * angle).sin() * unit_b) / angle.sin()
    straight = (1 - r) * a + r * b
    on_arc = arc * ((1 - r) * length_a + r * length_b)
    # Parallel vectors need no arc, and opposite ones (or a zero) have none.
    return torch.where(cosine.abs() < 1 - PARALLEL, on_arc, straight)
