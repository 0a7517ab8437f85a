import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.diffusion.schedule import (
    SCHEDULERS,
    FlowSchedule,
    NoiseSchedule,
    Schedule,
    ksampler_sigmas,
    scaled_linear,
    without_signal,
)

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "references" / "schedules.json").read_text()
)
SCHEDULE = NoiseSchedule.of(scaled_linear())
MODELS: Mapping[str, Schedule] = {
    "sd": SCHEDULE,
    "sd_zsnr": NoiseSchedule.of(without_signal(scaled_linear())),
    "sd3_flow_shift3": FlowSchedule(shift=3.0),
    "flow_shift1": FlowSchedule(),
    "flux_shift1.15": FlowSchedule(shift=math.exp(1.15), levels=10_000, scale=1.0),
    "flux_shift0.5": FlowSchedule(shift=math.exp(0.5), levels=10_000, scale=1.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_levels_are_those_of_the_published_models(name: str) -> None:
    """Every recorded entry of the table, and both its ends, are met."""
    ours, recorded = MODELS[name], RECORDED["models"][name]
    levels = ours.sigmas[:: recorded["sigmas_stride"]].tolist()
    assert levels == pytest.approx(recorded["sigmas"], rel=1e-5)
    assert ours.sigma_min == pytest.approx(recorded["sigma_min"], rel=1e-5)
    assert ours.sigma_max == pytest.approx(recorded["sigma_max"], rel=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_maps_between_sigma_timestep_and_percent_are_the_recorded_ones(name: str) -> None:
    """What a network is told for a sigma, which sigma that is, and how far down it lies."""
    ours, recorded = MODELS[name], RECORDED["models"][name]
    for sigma, timestep in recorded["timestep_of_sigma"]:
        assert float(ours.timestep(torch.tensor(sigma))) == pytest.approx(timestep, rel=1e-6)
    for timestep, sigma in recorded["sigma_of_timestep"]:
        assert float(ours.sigma(torch.tensor(timestep))) == pytest.approx(sigma, rel=1e-5)
    for percent, sigma in recorded["sigma_of_percent"]:
        if sigma < 999999999:  # which stands for infinity
            assert ours.percent(percent) == pytest.approx(sigma, rel=1e-5)


def test_percent_covers_everything_at_its_ends() -> None:
    """0 percent is above every sigma, 100 percent below."""
    assert SCHEDULE.percent(0.0) == math.inf
    assert SCHEDULE.percent(1.0) == 0.0
    assert MODELS["sd3_flow_shift3"].percent(0.0) == 1.0
    assert MODELS["sd3_flow_shift3"].percent(1.0) == 0.0


CASES = [
    (model, name, steps)
    for model, schedulers in RECORDED["scheduler"].items()
    for name, tables in schedulers.items()
    for steps in tables
]


@pytest.mark.parametrize(("model", "name", "steps"), CASES)
def test_schedule_is_the_recorded_one(model: str, name: str, steps: str) -> None:
    """Sigmas agree with the recorded table to float32."""
    sigmas = SCHEDULERS[name](MODELS[model], int(steps))
    assert sigmas.tolist() == pytest.approx(RECORDED["scheduler"][model][name][steps], rel=1e-5)


@pytest.mark.parametrize(
    "case",
    RECORDED["ksampler"],
    ids=lambda c: f"{c['model']}-{c['scheduler']}-{c['sampler']}-{c['steps']}-{c['denoise']}",
)
def test_ksampler_table_is_the_recorded_one(case: dict[str, Any]) -> None:
    """Partial denoising cuts a longer table; some samplers drop the second-last sigma."""
    sigmas = ksampler_sigmas(
        MODELS[case["model"]], case["scheduler"], case["steps"], case["denoise"], case["sampler"]
    )
    assert sigmas.dtype == torch.float32
    assert sigmas.tolist() == pytest.approx(case["sigmas"], rel=1e-5)


@settings(deadline=None)  # a busy machine is not a wrong schedule
@given(
    model=st.sampled_from(sorted(MODELS)),
    name=st.sampled_from(sorted(SCHEDULERS)),
    steps=st.integers(1, 300),
)
def test_sigmas_fall_to_zero_within_the_trained_range(model: str, name: str, steps: int) -> None:
    """Whatever the number of steps, sigmas fall strictly, end in 0 and start in range."""
    schedule = MODELS[model]
    sigmas = SCHEDULERS[name](schedule, steps)
    assert sigmas[-1] == 0
    assert bool((sigmas.diff() < 0).all())
    assert schedule.sigma_min * 0.99 < float(sigmas[0]) < schedule.sigma_max * 1.0001


def test_timestep_undoes_sigma_at_every_level() -> None:
    """sigma -> t -> sigma is the identity on the levels of training."""
    levels = torch.arange(1000, dtype=torch.float64)
    torch.testing.assert_close(SCHEDULE.timestep(SCHEDULE.sigma(levels)), levels)


def test_nothing_to_denoise_is_an_empty_walk() -> None:
    """denoise 0 leaves the latent as it is: no sigma to visit."""
    assert ksampler_sigmas(SCHEDULE, "normal", 20, denoise=0.0).tolist() == []


def test_unknown_scheduler_is_refused_by_name() -> None:
    """The message names what there is."""
    with pytest.raises(ValueError, match=r"^no scheduler 'linear'; there are simple, sgm"):
        ksampler_sigmas(SCHEDULE, "linear", 20)


def test_no_steps_are_refused() -> None:
    """A walk has at least one step."""
    with pytest.raises(ValueError, match=r"^a walk needs at least 1 step, got 0$"):
        ksampler_sigmas(SCHEDULE, "normal", 0)
