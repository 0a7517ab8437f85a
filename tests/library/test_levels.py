"""Nodes that say which levels of noise a model knows, or where a walk stops."""

from typing import Any

import pytest
import torch
from tests.library.test_custom_sampling import UNTAUGHT

from safelight.graph.node import NullContext
from safelight.library import levels, more_walks
from safelight.library.walks import Sigmas

CTX = NullContext()


@pytest.mark.parametrize(
    ("steps", "denoise", "wished"),
    [
        (
            10,
            1.0,
            [0.9968, 0.9886, 0.9819, 0.975, 0.966, 0.9471, 0.9158, 0.8287, 0.5512, 0.2808, 0],
        ),
        (5, 1.0, [0.9968, 0.9819, 0.966, 0.9158, 0.5512, 0]),
        (5, 0.6, [0.966, 0.9158, 0.5512, 0]),
        (5, 0.0, []),
    ],
)
def test_optimal_steps_are_the_published_ones(
    steps: int, denoise: float, wished: list[float]
) -> None:
    """At ten steps as they stand, at five every other one."""
    node = more_walks.OptimalStepsScheduler(model_type="FLUX", steps=steps, denoise=denoise)
    assert node.run(CTX).levels.tolist() == pytest.approx(wished, rel=1e-5)


def test_continuous_levels_want_ends_in_order() -> None:
    """The least comes first."""
    node = levels.ModelSamplingContinuousEDM(
        model=UNTAUGHT, sampling="edm", sigma_max=1.0, sigma_min=2.0
    )
    with pytest.raises(ValueError, match=r"noise levels go from above 0 up, got 2\.0 to 1\.0"):
        node.run(CTX)


def test_levels_are_exchanged() -> None:
    """Continuous ones, fifty of a thousand, and stretched ones."""
    edm = levels.ModelSamplingContinuousEDM(model=UNTAUGHT, sampling="v_prediction").run(CTX)
    assert edm.denoiser.schedule.sigma_max == 120
    assert float(edm.denoiser.schedule.timestep(torch.tensor(1.0))) == 0
    angle = levels.ModelSamplingContinuousV(model=UNTAUGHT, sampling="v_prediction").run(CTX)
    assert float(angle.denoiser.schedule.timestep(torch.tensor(1.0))) == pytest.approx(0.5)
    lcm = levels.ModelSamplingDiscrete(model=UNTAUGHT, sampling="lcm").run(CTX).denoiser.schedule
    assert len(lcm.sigmas) == 50
    table = UNTAUGHT.denoiser.schedule
    assert float(lcm.timestep(table.sigmas[19])) == 19
    assert float(lcm.timestep(table.sigmas[-1])) == 999
    assert float(lcm.sigma(torch.tensor(39.0))) == pytest.approx(float(table.sigmas[39]))
    assert lcm.percent(0.5) == pytest.approx(table.percent(0.5), rel=1e-3)
    node = levels.ModelSamplingDiscrete(model=UNTAUGHT, sampling="eps", zsnr=True)
    assert node.run(CTX).denoiser.schedule.sigma_max == pytest.approx(4518.76, rel=1e-4)


@pytest.mark.parametrize(
    ("spacing", "between"),
    [("linear", 7.0), ("cosine", 10 - 6 * 0.5**0.5), ("sine", 4 + 6 * 0.5**0.5)],
)
def test_further_stops_lie_between(spacing: Any, between: float) -> None:
    """Only in intervals that begin above the level."""
    node = more_walks.ExtendIntermediateSigmas(
        sigmas=Sigmas(torch.tensor([10.0, 4.0, 0.0])), steps=2, end_at_sigma=5.0, spacing=spacing
    )
    torch.testing.assert_close(node.run(CTX).levels, torch.tensor([10.0, between, 4.0, 0.0]))
