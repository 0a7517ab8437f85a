r"""A weaker self: the network shows by its mistakes where it would go wrong.

    D' = D + s (C - P)

P is the guess of the same network, told the same, with something taken out that makes it draw
worse.  The difference points away from such mistakes, whatever the prompt, and so helps where
there is none, or where w is low.

    PAG     each pixel of the middle listens only to itself (`changes.attention`)
    SLG     a few blocks of a transformer are left out (`changes.skipping`)

Leaving blocks out of the negative instead, P = U, costs nothing more.

Symbols: C guess with the prompt, D what guidance made of it, P weakened guess, s scale.

Source: Ahn et al. 2024 (arXiv:2403.17377), equation 16; skipped layers are described with the
published Stable Diffusion 3.5 medium, github.com/Stability-AI/sd3.5, after Karras et al. 2024
(arXiv:2406.02507), section 3.
"""

from dataclasses import replace

from torch import Tensor

from safelight.diffusion.change import Change, retold
from safelight.diffusion.guidance import Guided, Look

PICTURE = (1, 2, 3)  # the axes of one picture
Sigmas = tuple[float, float]  # from the higher to the lower, both ends included
ALWAYS: Sigmas = (float("inf"), 0.0)


def weakened(
    denoise: Guided, weak: Change, scale: float, span: Sigmas = ALWAYS, rescale: float = 0.0
) -> Guided:
    """Push away from what the network guesses under the change `weak`.

    `rescale` 0..1 then brings the standard deviation back to that of C, see `scale`.

    Raises:
        CannotChange: the positive is no network that has been told something.
    """
    if scale == 0:
        return denoise
    weaker = retold(denoise.positive, weak)

    def push(look: Look, guess: Tensor) -> Tensor:
        if not _holds(span, look.sigma):
            return guess
        pushed = guess + scale * (look.wanted - weaker(look.x, look.sigma))
        if rescale == 0:
            return pushed
        ratio = look.wanted.std(dim=PICTURE, keepdim=True) / pushed.std(dim=PICTURE, keepdim=True)
        return pushed * (rescale * ratio + 1 - rescale)

    return replace(denoise, after=(*denoise.after, push))


def with_weak_negative(denoise: Guided, weak: Change) -> Guided:
    """Let the negative be guessed under the change `weak`.

    Raises:
        CannotChange: the negative is no network that has been told something.
    """
    return replace(denoise, negative=retold(denoise.negative, weak))


def _holds(span: Sigmas, sigma: Tensor) -> bool:
    return span == ALWAYS or span[0] >= float(sigma) >= span[1]
