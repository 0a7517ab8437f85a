r"""Small mends of a guess that need no second opinion.

    epsilon scaling     x - D' = (x - D) / lambda

A network is trained on true noisy pictures but walks on its own guesses, whose errors add up:
it sees slightly more noise than sigma says ("exposure bias") and predicts too much of it.
Dividing the noise by a number a little above 1 brings both together.

    direction           L = w C,   s = mean cos(sgn sqrt|w U|, sgn sqrt|(L + D) / 2|) + 1
                        D' = (s / 2) D + (1 - s / 2) L

trusts plain guidance as far as it points where U does, and w C for the rest ("Mahiro").

Symbols: x state, C guess with the prompt, U without, w scale, D what guidance made of them.

Source: Ning et al. 2023 (arXiv:2308.15321), section 4; the second is a custom of other
programs.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from safelight.diffusion.guidance import Guided, Look


def epsilon_scaled(denoise: Guided, factor: float) -> Guided:
    """Divide the noise that is found by a factor; 1 changes nothing."""

    def scale(look: Look, guess: Tensor) -> Tensor:
        return look.x - (look.x - guess) / factor

    return denoise if factor == 1 else replace(denoise, after=(*denoise.after, scale))


def directed(denoise: Guided) -> Guided:
    """Mix plain guidance with w C by how well it agrees with U.

    At scale 1 the negative is not asked and nothing changes.
    """

    def direct(look: Look, guess: Tensor) -> Tensor:
        if look.scale == 1:
            return guess
        leap, away = look.scale * look.wanted, look.scale * look.unwanted
        likeness = F.cosine_similarity(_root(away), _root((leap + guess) / 2), dim=1)
        trust = (likeness.mean(dim=(1, 2)) + 1).reshape(-1, 1, 1, 1) / 2  # 0..1
        return trust * guess + (1 - trust) * leap

    return replace(denoise, after=(*denoise.after, direct))


def _root(x: Tensor) -> Tensor:
    """Return the square root of the size, with the sign."""
    return torch.copysign(x.abs().sqrt(), x)
