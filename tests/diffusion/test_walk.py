import pytest
import torch
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.noise import initial
from safelight.diffusion.sampling import SAMPLERS
from safelight.diffusion.schedule import SCHEDULERS, NoiseSchedule, scaled_linear
from safelight.diffusion.walk import Walk, develop

SCHEDULE = NoiseSchedule.of(scaled_linear())
PROMPT, NOTHING = (Conditioning(torch.full((1, 77, 4), value)) for value in (1.0, 0.0))
EMPTY = torch.zeros(2, 4, 8, 8)


def answering(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
    """A network for which every clean latent equals the mean of its prompt."""
    sigma = SCHEDULE.sigma(timestep).to(z).reshape(-1, 1, 1, 1)
    x = z * (1 + sigma**2).sqrt()
    return (x - tokens.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)) / sigma


MODEL = LatentModel(answering, SCHEDULE, "eps")


# These end at the last positive sigma, where noise is left.
LEAVE_NOISE = {"dpm_fast", "dpm_adaptive"}


@pytest.mark.parametrize(
    ("sampler", "scheduler"),
    [(name, "karras") for name in SAMPLERS if name not in LEAVE_NOISE]
    + [(name, scheduler) for name in ("euler", "dpmpp_2m") for scheduler in SCHEDULERS],
)
def test_every_walk_ends_at_what_the_prompt_says(sampler: str, scheduler: str) -> None:
    """The guess is always (1 - w) * 0 + w * 1 = w, so the walk must end there."""
    walk = Walk(0, 10, 3.0, sampler, scheduler)
    *_, last = develop(MODEL, PROMPT, NOTHING, EMPTY, walk)
    torch.testing.assert_close(last.x, torch.full_like(EMPTY, 3.0), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpmpp_2m_sde", "lcm"])
def test_same_seed_same_latent_other_seed_another(sampler: str) -> None:
    """Stochastic samplers too are functions of the seed: here, on the way."""

    def halfway(seed: int) -> Tensor:
        steps = [*develop(MODEL, PROMPT, NOTHING, EMPTY, Walk(seed, 6, 2.0, sampler, "karras"))]
        return steps[2].x

    assert torch.equal(halfway(1), halfway(1))
    assert not torch.equal(halfway(1), halfway(2))


def test_a_walk_of_part_of_the_way_starts_from_the_picture() -> None:
    """At strength 0.1 the first state is the latent under a little noise."""
    seen: list[Tensor] = []

    def watching(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        seen.append(z)
        return torch.zeros_like(z)

    latent = torch.full((1, 4, 8, 8), 5.0)
    walk = Walk(3, 4, 1.0, "euler", "normal", strength=0.1)
    next(develop(LatentModel(watching, SCHEDULE, "eps"), PROMPT, NOTHING, latent, walk))
    sigma = walk.sigmas(SCHEDULE)[0]
    expected = latent + sigma * initial(3, (1, 4, 8, 8))
    torch.testing.assert_close(seen[0] * (1 + sigma**2).sqrt(), expected)


def test_strength_zero_takes_no_step() -> None:
    """The latent is left as it is."""
    walk = Walk(0, 10, 3.0, "euler", "normal", strength=0.0)
    assert [*develop(MODEL, PROMPT, NOTHING, EMPTY, walk)] == []


def test_an_unknown_sampler_is_refused_by_name() -> None:
    """The message names what there is."""
    walk = Walk(0, 10, 3.0, "eular", "normal")
    with pytest.raises(ValueError, match=r"^no sampler 'eular'; there are euler, euler_cfg_pp"):
        next(develop(MODEL, PROMPT, NOTHING, EMPTY, walk))
