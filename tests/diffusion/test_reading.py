"""What the answers of networks mean: an oracle of each kind tells the clean picture."""

import math

import pytest
import torch
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.continuous import ContinuousSchedule
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.distilled import DistilledSchedule
from safelight.diffusion.reading import Reading
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear

TABLE = NoiseSchedule.of(scaled_linear())
SIGMA = torch.tensor(1.7, dtype=torch.float64)


def drawn(seed: int) -> Tensor:
    """A latent."""
    return torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(seed)).double()


CLEAN, NOISE = drawn(0), drawn(1)
ROOT = math.sqrt(0.5**2 + 1.7**2)
ANSWERS = {
    "eps": (Reading("eps"), NOISE, 1 / math.sqrt(1 + 1.7**2)),
    "v": (Reading("v"), (NOISE - 1.7 * CLEAN) / math.sqrt(1 + 1.7**2), 1 / math.sqrt(1 + 1.7**2)),
    # F = (x_0 - c_skip x) / c_out, table 1 of Karras et al. with a data deviation of 1/2.
    "edm": (
        Reading("edm", 0.5),
        (CLEAN - 0.5**2 / ROOT**2 * (CLEAN + 1.7 * NOISE)) / (1.7 * 0.5 / ROOT),
        1 / ROOT,
    ),
    "x0": (Reading("x0"), CLEAN, 1 / math.sqrt(1 + 1.7**2)),
    "direct": (Reading("direct"), CLEAN, 1.0),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_right_answer_tells_the_clean_picture(name: str) -> None:
    """And the network sees x at the size it was promised."""
    reading, answer, share = ANSWERS[name]
    x = CLEAN + SIGMA * NOISE
    seen: list[Tensor] = []

    def oracle(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        seen.append(z)
        return answer

    model = LatentModel(oracle, TABLE, "eps", reading=reading)
    got = model.told(Conditioning(torch.zeros(1, 1, 1)))(x, SIGMA)
    torch.testing.assert_close(got, CLEAN, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(seen[0], share * x)


def test_a_consistency_model_jumps_far_and_leaves_the_end_alone() -> None:
    """At high timesteps D is the picture in the noise, at timestep 0 it is x."""
    x = CLEAN + SIGMA * NOISE
    reading = Reading("lcm")
    far = reading.clean(x, SIGMA, torch.full((2,), 999.0).double(), NOISE)
    torch.testing.assert_close(far, CLEAN, rtol=1e-4, atol=1e-4)
    assert torch.equal(reading.clean(x, SIGMA, torch.zeros(2).double(), NOISE), x)


@pytest.mark.parametrize("clock", ["log", "arctan"])
def test_continuous_clocks_run_both_ways(clock: str) -> None:
    """sigma(timestep(sigma)) is sigma, and shares go from the most noise to the least."""
    schedule = ContinuousSchedule(0.03, 500.0, "log" if clock == "log" else "arctan")
    sigmas = torch.tensor([0.03, 1.0, 7.5, 500.0], dtype=torch.float64)
    torch.testing.assert_close(schedule.sigma(schedule.timestep(sigmas)), sigmas)
    assert schedule.percent(0.5) == pytest.approx(math.sqrt(0.03 * 500))
    assert (schedule.percent(0.0), schedule.percent(1.0)) == (math.inf, 0.0)
    assert float(schedule.sigmas[0]) == pytest.approx(0.03)
    assert float(schedule.sigmas[-1]) == pytest.approx(500)


def test_a_distilled_schedule_keeps_every_twentieth_level() -> None:
    """Timesteps stay those of the whole table."""
    schedule = DistilledSchedule.every(20, TABLE)
    assert len(schedule.sigmas) == 50
    steps = schedule.timestep(schedule.sigmas)
    assert steps.tolist() == list(range(19, 1000, 20))
    torch.testing.assert_close(schedule.sigmas, TABLE.sigmas[19::20])
    torch.testing.assert_close(schedule.sigma(steps), schedule.sigmas)
