r"""Which part of the difference helps: guidance taken apart by directions.

The difference d = C - U has a part along C, which only makes the picture stronger (and burns
it out), and a part across it, which changes what is to be seen.

    APG            d  = sum of earlier d, each faded by beta, and this one    momentum
                   d  = d min(1, r / |d|)                                     bounded
                   D  = C + (w - 1) (d_across + eta d_along)

Tangential damping looks at U instead: what of the noise without the prompt does not lie
along the main direction that both share is dropped,

    TCFG           (x - U)' = v v^T (x - U)         v the first right singular vector
                                                    of the rows x - U and x - C

and zero star first multiplies U's slope by the number that brings it nearest to C's, so that
an untrained, much too large U does no harm:

    zero star      x - D = s (x - U) + w ((x - C) - s (x - U)),   s = <x-C, x-U> / |x-U|^2

Symbols: C guess with the prompt, U without, w scale; eta, r, beta settings; x state.

Source: Sadat et al. 2024 (arXiv:2410.02416), algorithm 1; Kwon et al. 2025
(arXiv:2503.18137), section 4; Fan et al. 2025 (arXiv:2503.18886), section 4.1.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.guidance import Before, Guided, Look

PICTURE = (1, 2, 3)  # the axes of one picture
NEARLY_NOTHING = 1e-8


def projected(
    denoise: Guided, eta: float = 1.0, bound: float = 0.0, momentum: float = 0.0
) -> Guided:
    """Weigh the part of the difference that lies along C by `eta`; no bound at 0.

    With eta 1, no bound and no momentum it is plain guidance.
    """
    return replace(denoise, before=(*denoise.before, _apg(eta, bound, momentum)))


def damped(denoise: Guided) -> Guided:
    """Drop of U's noise what C's has no part in."""

    def damp(look: Look) -> Look:
        rows = torch.stack([look.x - look.unwanted, look.x - look.wanted], dim=1)
        flat = rows.flatten(2).double()  # B 2 N
        _, _, directions = torch.linalg.svd(flat, full_matrices=False)
        main = directions[:, :1]  # B 1 N
        along = (flat[:, :1] * main).sum(dim=-1, keepdim=True) * main
        return replace(look, unwanted=look.x - along.to(look.x.dtype).reshape(look.x.shape))

    return replace(denoise, before=(*denoise.before, damp))


def zero_star(denoise: Guided) -> Guided:
    """Multiply U's slope by the number that brings it nearest to C's."""

    def shrink(look: Look) -> Look:
        wanted, unwanted = look.x - look.wanted, look.x - look.unwanted
        best = _dot(wanted, unwanted) / (_dot(unwanted, unwanted) + NEARLY_NOTHING)
        return replace(look, unwanted=look.x - best * unwanted)

    return replace(denoise, before=(*denoise.before, shrink))


def _apg(eta: float, bound: float, momentum: float) -> Before:
    """Return the mend that remembers the differences of one walk."""
    past: Tensor | None = None
    before = float("inf")  # sigma at the last look; a new walk starts higher

    def project(look: Look) -> Look:
        nonlocal past, before
        difference = look.wanted - look.unwanted
        if float(look.sigma) > before:
            past = None
        before = float(look.sigma)
        if momentum and past is not None:
            difference = difference + momentum * past
        past = difference
        if bound > 0:
            length = _dot(difference, difference).sqrt()
            difference = difference * (bound / length.clamp(min=NEARLY_NOTHING)).clamp(max=1)
        along = _along(difference, look.wanted)
        difference = (difference - along) + eta * along
        # With this U the plain rule gives U + w (C - U) = C + (w - 1) d.
        return replace(look, unwanted=look.wanted - difference)

    return project


def _along(
    part: Float[Tensor, "B C h w"], direction: Float[Tensor, "B C h w"]
) -> Float[Tensor, "B C h w"]:
    """Return what of one lies along the other."""
    squared = _dot(direction, direction).clamp(min=NEARLY_NOTHING)
    return _dot(part, direction) / squared * direction


def _dot(a: Float[Tensor, "B C h w"], b: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 1 1 1"]:
    """Multiply and add up each picture."""
    return (a * b).sum(dim=PICTURE, keepdim=True)
