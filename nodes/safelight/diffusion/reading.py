r"""Readings: what a network was asked, and so how its answer tells the clean picture.

With s the spread (standard deviation) of clean latents and c = 1 / sqrt(s^2 + sigma^2), which
gives c x unit variance:

    "eps"     noise:                                      D = x - sigma a
    "v"       velocity:                                   D = (s c)^2 x - s c sigma a
    "edm"     the same with the other sign:               D = (s c)^2 x + s c sigma a
    "x0"      the picture itself:                         D = a
    "direct"  the picture, from x as it is:               D = a,    c = 1
    "flow"    how the picture turns into noise:           D = x - sigma a,    c = 1
    "lcm"     noise, at r = 10 t:       D = r / sqrt(r^2 + 1/4) (x - sigma a)
                                            + (1/4) / (r^2 + 1/4) x

The last is for networks that were taught to jump to the end of the walk from anywhere: at the
very end they must leave the picture as it is, and the second term is all that counts.

Symbols: x noisy latent, a answer, sigma noise, t timestep (0 .. T-1), B C h w latent axes.

Source: Karras et al. 2022 (arXiv:2206.00364), section 5; Salimans & Ho 2022
(arXiv:2202.00512), section 4; Luo et al. 2023 (arXiv:2310.04378), section 4.1, for "lcm".
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

LCM_SPREAD = 0.5
LCM_HURRY = 10.0  # the timestep is multiplied by it


@dataclass(frozen=True, slots=True)
class Reading:
    """How to ask a network and to read its answer."""

    kind: Literal["eps", "v", "edm", "x0", "direct", "flow", "lcm"]
    spread: float = 1.0

    def share(self, sigma: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Return c, by which x is multiplied before the network sees it."""
        if self.kind in ("flow", "direct"):
            return torch.ones_like(sigma)
        return (self.spread**2 + sigma**2).rsqrt()

    def clean(
        self,
        x: Float[Tensor, "B C h w"],
        sigma: Float[Tensor, ""],
        timestep: Float[Tensor, " B"],
        answer: Float[Tensor, "B C h w"],
    ) -> Float[Tensor, "B C h w"]:
        """Return D."""
        if self.kind in ("eps", "flow"):
            return x - sigma * answer
        if self.kind in ("x0", "direct"):
            return answer
        if self.kind == "lcm":
            hurried = (LCM_HURRY * timestep).reshape(-1, 1, 1, 1)
            length = hurried**2 + LCM_SPREAD**2
            kept = LCM_SPREAD**2 / length
            return hurried * length.rsqrt() * (x - sigma * answer) + kept * x
        c = self.share(sigma)
        sign = 1 if self.kind == "edm" else -1
        return (self.spread * c) ** 2 * x + sign * self.spread * c * sigma * answer
