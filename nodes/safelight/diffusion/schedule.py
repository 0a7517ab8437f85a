r"""How much noise, and when: from the training table to the steps of one walk.

Training drowned pictures in noise at T = 1000 levels.  Level t keeps the share
abar_t of the picture's variance, so a noisy latent is

    z_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) n          (variance preserving)

Sampling reads more easily after division by sqrt(abar_t), for then the picture
stays as it is and only noise is added:

    x = x_0 + sigma n,      sigma_t = sqrt((1 - abar_t) / abar_t)

Rectified flow needs no table: x = (1 - sigma) x_0 + sigma n, and the levels u = 0 .. 1
are only shifted towards noise, more so for larger pictures, which hide it better:

    sigma = s u / (1 + (s - 1) u)                         (s the shift)

A *schedule* is the falling list of sigmas, ending in 0, that a sampler visits:
n + 1 values for n steps.  The functions here read them off a model's levels; those of
`spacing` need to know only both ends.

Symbols: T levels of training, t timestep (0 .. T-1, may be fractional), beta_t
the variance added at level t, abar_t = prod(1 - beta), sigma noise per picture.

Source: Ho et al. 2020 (arXiv:2006.11239), section 2; Song et al. 2020
(arXiv:2010.02502), section 4.2; Esser et al. 2024 (arXiv:2403.03206), equation 23.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion import spacing
from safelight.diffusion.continuous import ContinuousSchedule
from safelight.diffusion.path import ADDED, FADED, Path
from safelight.diffusion.spacing import ending_in_zero

# Latent diffusion trained with betas whose square roots rise evenly between these.
BETA_FIRST, BETA_LAST, LEVELS = 0.00085, 0.012, 1000


def scaled_linear(
    levels: int = LEVELS, first: float = BETA_FIRST, last: float = BETA_LAST
) -> Float[Tensor, " T"]:
    """Return abar_t, float64, of the schedule that all of SD 1, 2 and XL were trained on.

    Source: Rombach et al. 2022 (arXiv:2112.10752), appendix B ("linear" there
    means linear in sqrt(beta)).
    """
    betas = torch.linspace(first**0.5, last**0.5, levels, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0)


def without_signal(alphas_cumprod: Float[Tensor, " T"]) -> Float[Tensor, " T"]:
    """Stretch a schedule so that nothing of the picture is left at its last level.

    Nothing would be an infinite sigma, so a trace stays: sigma ends at 4518.8.

    Source: Lin et al. 2023 (arXiv:2305.08891), algorithm 1.
    """
    shares = alphas_cumprod.double().sqrt()
    stretched = (shares - shares[-1]) * shares[0] / (shares[0] - shares[-1])
    abar = stretched**2
    abar[-1] = 4.8973451890853435e-08
    return abar


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The table that joins the network's timesteps to sigmas; `sigmas` rise with t."""

    sigmas: Float[Tensor, " T"]
    path: Path = ADDED

    @classmethod
    def of(cls, alphas_cumprod: Float[Tensor, " T"]) -> "NoiseSchedule":
        """Build the table from the kept shares abar_t."""
        alphas = alphas_cumprod.double()
        return cls(((1 - alphas) / alphas).sqrt())

    @property
    def sigma_min(self) -> float:
        """The least noise the network was trained on."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """The most noise the network was trained on; more looks the same to it."""
        return float(self.sigmas[-1])

    def timestep(self, sigma: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the level nearest to `sigma` in ln sigma, as whole numbers in float64."""
        logs = self.sigmas.log()
        distance = (sigma.double().to(logs.device).log()[..., None] - logs).abs()
        return distance.argmin(dim=-1).double()

    def sigma(self, timestep: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return sigma at `timestep`, read between two levels along a line in ln sigma."""
        logs = self.sigmas.log()
        t = timestep.double().clamp(0, len(logs) - 1)
        low, high = t.floor().long(), t.ceil().long()
        return torch.lerp(logs[low], logs[high], t - low).exp()

    def percent(self, share: float) -> float:
        """Return sigma after `share` (0..1) of the way; the ends are infinity and 0.

        "From 0 to 40 percent" then covers the first step whatever its sigma is.
        """
        if share <= 0:
            return math.inf
        if share >= 1:
            return 0.0
        return float(self.sigma(torch.tensor((1 - share) * (len(self.sigmas) - 1))))


@dataclass(frozen=True, eq=False)
class FlowSchedule:
    """The levels of a rectified flow, shifted towards noise.

    A network is told `scale` times sigma: 1000 for SD 3; for Flux 1, with 10 000 levels
    and a shift of e^mu.
    """

    shift: float = 1.0
    levels: int = 1000
    scale: float = 1000.0
    path: Path = FADED

    @cached_property
    def sigmas(self) -> Float[Tensor, " T"]:
        """All levels, rising to 1."""
        return self._shifted(torch.arange(1, self.levels + 1, dtype=torch.float64) / self.levels)

    @property
    def sigma_min(self) -> float:
        """The least noise above 0."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """Noise alone."""
        return 1.0

    def timestep(self, sigma: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return what the network is told: it sees sigma itself, so no shift is undone."""
        return sigma.double() * self.scale

    def sigma(self, timestep: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the shifted level of a timestep."""
        return self._shifted(timestep.double() / self.scale)

    def percent(self, share: float) -> float:
        """Return sigma after `share` (0..1) of the way."""
        left = torch.tensor(1 - min(max(share, 0.0), 1.0), dtype=torch.float64)
        return float(self._shifted(left))

    def _shifted(self, level: Tensor) -> Tensor:
        """Return s u / (1 + (s - 1) u)."""
        return self.shift * level / (1 + (self.shift - 1) * level)


# The levels of noise that a network was trained on, and how it is told them.
Schedule = NoiseSchedule | FlowSchedule | ContinuousSchedule

Scheduler = Callable[[Schedule, int], Float[Tensor, " sigmas"]]


def normal(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Space the steps evenly in t, from the first level to the last, then to 0."""
    return ending_in_zero(schedule.sigma(_timesteps(schedule, steps)))


def sgm_uniform(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Space evenly in t as if the last level were a step more, which 0 then replaces.

    The low end is left out, so the last visited sigma is higher than in `normal`.
    """
    return ending_in_zero(schedule.sigma(_timesteps(schedule, steps + 1)[:-1]))


def simple(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Pick every (T / steps)-th entry of the table, from its top."""
    stride = len(schedule.sigmas) / steps
    picks = [len(schedule.sigmas) - 1 - int(step * stride) for step in range(steps)]
    return ending_in_zero(schedule.sigmas[picks])


def ddim_uniform(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Pick levels 1, 1 + k, 1 + 2k ... with k = T // steps, as DDIM's paper did.

    When T is not a multiple of `steps` there are a few more steps than asked for.
    """
    stride = max(len(schedule.sigmas) // steps, 1)
    return ending_in_zero(schedule.sigmas[1::stride].flip(0))


def beta(
    schedule: Schedule, steps: int, alpha: float = 0.6, beta: float = 0.6
) -> Float[Tensor, " sigmas"]:
    """Pick levels by the quantiles of a Beta distribution: short steps at both ends.

    A level that would be picked twice is picked once, so there may be fewer steps.

    Source: Lee et al. 2024 (arXiv:2407.12173), section 3.
    """
    shares = 1 - torch.arange(steps, dtype=torch.float64) / steps
    places = spacing.beta_quantiles(shares, alpha, beta) * (len(schedule.sigmas) - 1)
    picks = places.round(decimals=6).round().long()  # first undo rounding, then halves to even
    return ending_in_zero(schedule.sigmas[list(dict.fromkeys(picks.tolist()))])


def exponential(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Space evenly in ln sigma."""
    return spacing.exponential(steps, schedule.sigma_max, schedule.sigma_min)


def karras(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Space evenly in sigma^(1/7)."""
    return spacing.karras(steps, schedule.sigma_max, schedule.sigma_min)


def kl_optimal(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Space evenly in arctan(sigma)."""
    return spacing.kl_optimal(steps, schedule.sigma_max, schedule.sigma_min)


def linear_quadratic(schedule: Schedule, steps: int) -> Float[Tensor, " sigmas"]:
    """Fall along a line first, then along a parabola."""
    return spacing.linear_quadratic(steps, schedule.sigma_max)


SCHEDULERS: Mapping[str, Scheduler] = MappingProxyType(
    {
        "simple": simple,
        "sgm_uniform": sgm_uniform,
        "karras": karras,
        "exponential": exponential,
        "ddim_uniform": ddim_uniform,
        "beta": beta,
        "normal": normal,
        "linear_quadratic": linear_quadratic,
        "kl_optimal": kl_optimal,
    }
)

# Samplers that evaluate between two sigmas waste their last look on the smallest
# one: their table is made one step longer and its last positive sigma dropped.
SKIPS_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})


def ksampler_sigmas(
    schedule: Schedule,
    scheduler: str,
    steps: int,
    denoise: float = 1.0,
    sampler: str = "euler",
) -> Float[Tensor, " sigmas"]:
    """Return the float32 sigmas of one run of a KSampler node, falling to 0.

    `denoise` below 1 starts from a picture: the table is made for steps/denoise
    steps and only its last `steps` are walked.  At 0 nothing is walked and the
    result is empty.

    Raises:
        ValueError: the scheduler is not known, or `steps` is less than 1.
    """
    if scheduler not in SCHEDULERS:
        raise ValueError(f"no scheduler {scheduler!r}; there are {', '.join(SCHEDULERS)}")
    if steps < 1:
        raise ValueError(f"a walk needs at least 1 step, got {steps}")
    if denoise <= 0:
        return torch.empty(0)
    whole = steps if denoise > 0.9999 else int(steps / denoise)
    skips = sampler in SKIPS_PENULTIMATE
    sigmas = SCHEDULERS[scheduler](schedule, whole + skips)
    if skips:
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    kept = sigmas if whole == steps else sigmas[-(steps + 1) :]
    return kept.float()


def _timesteps(schedule: Schedule, count: int) -> Float[Tensor, " count"]:
    """Return `count` timesteps, even from that of sigma_max to that of sigma_min."""
    ends = schedule.timestep(schedule.sigmas[[-1, 0]])
    return torch.linspace(float(ends[0]), float(ends[1]), count, dtype=torch.float64)
