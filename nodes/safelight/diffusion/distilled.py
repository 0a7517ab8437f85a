r"""Levels of a network that was distilled to jump: every k-th of the table it comes from.

    sigma_i = sigma of the table at  t_i = k (i + 1) - 1

A latent consistency model, for one, knows fifty of a thousand levels and answers well only
there, so whatever lies between is read as the nearest one.

Symbols: sigma noise, t timestep of the whole table (0 .. T-1), k stride.

Source: Luo et al. 2023 (arXiv:2310.04378), section 4.3.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.schedule import NoiseSchedule


@dataclass(frozen=True, eq=False)
class DistilledSchedule(NoiseSchedule):
    """Every `stride`-th level of a table of 1000."""

    stride: int = 20

    @classmethod
    def every(cls, stride: int, table: NoiseSchedule) -> "DistilledSchedule":
        """Keep the last level, and every `stride`-th below it."""
        return cls(table.sigmas.flip(0)[::stride].flip(0), table.path, stride)

    def timestep(self, sigma: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the nearest level, counted in the whole table."""
        return super().timestep(sigma) * self.stride + self.stride - 1

    def sigma(self, timestep: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return sigma at a timestep of the whole table."""
        return super().sigma((timestep.double() - self.stride + 1) / self.stride)

    def percent(self, share: float) -> float:
        """Return sigma after `share` (0..1) of the way; the ends are infinity and 0."""
        if 0 < share < 1:
            last = len(self.sigmas) * self.stride - 1
            return float(self.sigma(torch.tensor((1 - share) * last)))
        return super().percent(share)
