r"""Published schedules: sigmas that somebody found to be good, given as numbers.

`align_your_steps` was found by minimising how far a walk of ten steps strays from the
process, for each family of models; other numbers of steps are read off between its stops,
along lines in ln sigma.  `sd_turbo` visits the ten timesteps for which the distilled
"turbo" models were trained.  `optimal_steps` was found by comparing every short walk of Flux
with a long one.

Source: Sabour et al. 2024 (arXiv:2404.14507), section 4 and its project page; Sauer et al.
2023 (arXiv:2311.17042), section 3; Pei et al. 2025 (arXiv:2503.21774), table of the project.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.schedule import NoiseSchedule, Schedule, scaled_linear
from safelight.diffusion.spacing import ending_in_zero, interpolated

# The stops as timesteps of the training table, or (for the video model) as sigmas.
_TIMESTEPS: Mapping[str, Sequence[int]] = MappingProxyType(
    {
        "SD1": (999, 850, 736, 645, 545, 455, 343, 233, 124, 24, 0),
        "SDXL": (999, 845, 730, 587, 443, 310, 193, 116, 53, 13, 0),
    }
)
_VIDEO = (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002)
_OPTIMAL = (0.9968, 0.9886, 0.9819, 0.975, 0.966, 0.9471, 0.9158, 0.8287, 0.5512, 0.2808, 0.001)
ALIGNED = (*_TIMESTEPS, "SVD")


def align_your_steps(family: str, steps: int, strength: float = 1.0) -> Float[Tensor, " sigmas"]:
    """Return the stops for one of the families in `ALIGNED`.

    With a strength below 1 only the last round(steps * strength) steps are walked.

    Raises:
        ValueError: the family is not known.
    """
    if family not in ALIGNED:
        raise ValueError(f"no aligned steps for {family!r}; there are {', '.join(ALIGNED)}")
    if strength <= 0:
        return torch.empty(0)
    stops = torch.tensor(_VIDEO, dtype=torch.float64)
    if family in _TIMESTEPS:
        stops = NoiseSchedule.of(scaled_linear()).sigmas[list(_TIMESTEPS[family])]
    places = torch.linspace(0, 1, len(stops), dtype=torch.float64)
    at = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    sigmas = interpolated(at, places, stops.log()).exp()
    sigmas[-1] = 0
    return sigmas[-(round(steps * strength) + 1) :].float()


def sd_turbo(schedule: Schedule, steps: int, strength: float = 1.0) -> Float[Tensor, " sigmas"]:
    """Return up to ten steps, at timesteps 999, 899 .. 99 of a distilled model.

    With a strength below 1 the first of them are left out.
    """
    skipped = 10 - math.floor(10 * strength)
    timesteps = torch.arange(999, 0, -100, dtype=torch.float64)[skipped : skipped + steps]
    return ending_in_zero(schedule.sigma(timesteps)).float()


def optimal_steps(steps: int, strength: float = 1.0) -> Float[Tensor, " sigmas"]:
    """Return the stops for Flux, read off along lines in ln sigma for other numbers than ten.

    With a strength below 1 only the last round(steps * strength) steps are walked.
    """
    if strength <= 0:
        return torch.empty(0)
    stops = torch.tensor(_OPTIMAL, dtype=torch.float64)
    places = torch.linspace(0, 1, len(stops), dtype=torch.float64)
    at = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    sigmas = interpolated(at, places, stops.log()).exp()
    sigmas[-1] = 0
    return sigmas[-(round(steps * strength) + 1) :].float()
