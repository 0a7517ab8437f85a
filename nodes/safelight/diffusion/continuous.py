r"""Levels of noise for networks that were not trained on a table of a thousand.

Continuous networks are told a clock that runs with the noise, between any two ends:

    "log"      t = ln(sigma) / 4           (EDM, Playground 2.5, CosXL)
    "arctan"   t = (2 / pi) arctan sigma   (the angle of velocity prediction)

A share of the walk is a share of the way in ln sigma.

Symbols: sigma noise, t what the network is told.

Source: Karras et al. 2022 (arXiv:2206.00364), table 1; Salimans & Ho 2022
(arXiv:2202.00512), section 4.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.path import ADDED, Path

LEVELS = 1000  # that schedulers may pick from


@dataclass(frozen=True, eq=False)
class ContinuousSchedule:
    """All levels between two ends, and the clock by which the network is told them."""

    sigma_min: float
    sigma_max: float
    clock: Literal["log", "arctan"] = "log"
    path: Path = ADDED

    @cached_property
    def sigmas(self) -> Float[Tensor, " T"]:
        """A thousand levels, rising evenly in ln sigma."""
        ends = math.log(self.sigma_min), math.log(self.sigma_max)
        return torch.linspace(*ends, LEVELS, dtype=torch.float64).exp()

    def timestep(self, sigma: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return what the network is told."""
        sigma = sigma.double()
        return sigma.log() / 4 if self.clock == "log" else sigma.atan() * 2 / math.pi

    def sigma(self, timestep: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the noise at a time of the clock."""
        t = timestep.double()
        return (4 * t).exp() if self.clock == "log" else (t * math.pi / 2).tan()

    def percent(self, share: float) -> float:
        """Return sigma after `share` (0..1) of the way; the ends are infinity and 0."""
        if share <= 0 or share >= 1:
            return math.inf if share <= 0 else 0.0
        return self.sigma_min**share * self.sigma_max ** (1 - share)
