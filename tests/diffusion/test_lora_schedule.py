"""LoRAs along the walk."""

import re

import pytest
import torch
from tests.diffusion.networks import SMALL, unet

from safelight.diffusion.change import Changed, Moment
from safelight.diffusion.lora import Edit, LowRank, merged
from safelight.diffusion.lora_schedule import Scheduled, Strengths, share_at, strengths
from safelight.diffusion.schedule import FlowSchedule, NoiseSchedule, scaled_linear

SCHEDULE = NoiseSchedule.of(scaled_linear())
NAME = "middle.transformer.layers.0.to_pixels.query.weight"
FADING = Strengths(((0.0, 1.0), (0.5, 0.0)))


def edits() -> dict[str, list[Edit]]:
    """A change of one weight."""
    draw = torch.Generator().manual_seed(1)
    down, up = (torch.randn(shape, generator=draw) for shape in ((2, 32), (32, 2)))
    return {NAME: [Edit(LowRank(down, up))]}


def test_strengths_lie_on_lines_or_jump() -> None:
    """And stay beyond the ends."""
    line, step = strengths("0.2 1\n\n0.6 3"), strengths("0.2 1\n0.6 3", "step")
    assert [line.at(share) for share in (0.0, 0.2, 0.3, 0.6, 1.0)] == pytest.approx(
        [1, 1, 1.5, 3, 3]
    )
    assert [step.at(share) for share in (0.0, 0.3, 0.59, 0.6, 1.0)] == [1, 1, 1, 3, 3]
    assert (strengths("0 2\n1 2").constant, line.constant) == (2, None)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("0 1 2", "want a share of the walk and a strength, as in '0.5 1', got '0 1 2'"),
        ("a b", "want a share of the walk and a strength, as in '0.5 1', got 'a b'"),
        ("0.5 1\n0.2 1", "want shares of the walk that rise from 0 to 1, got 0.5, 0.2"),
        ("0 1\n2 1", "want shares of the walk that rise from 0 to 1, got 0, 2"),
        (" ", "want shares of the walk that rise from 0 to 1, got none"),
    ],
)
def test_what_is_no_schedule_is_refused(lines: str, told: str) -> None:
    """With the line or the shares."""
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        strengths(lines)


@pytest.mark.parametrize("schedule", [SCHEDULE, FlowSchedule(shift=3.0)])
def test_a_timestep_tells_the_share_of_the_walk(schedule: NoiseSchedule | FlowSchedule) -> None:
    """As `percent` counts it, to a level of the table."""
    for share in (0.25, 0.5, 0.9):
        sigma = torch.tensor(schedule.percent(share), dtype=torch.float64)
        assert share_at(schedule, float(schedule.timestep(sigma))) == pytest.approx(share, abs=1e-3)
    top = float(schedule.timestep(torch.tensor(schedule.sigma_max)))
    assert share_at(schedule, top) == pytest.approx(0, abs=1e-3)


@torch.no_grad()
def test_each_step_has_the_strength_of_its_share() -> None:
    """Full at the start, half after a quarter, and the very network itself from the middle on."""
    network, change = unet(SMALL), Scheduled(edits(), FADING, SCHEDULE)
    before = network.get_parameter(NAME).clone()
    told = torch.randn(1, 4, 8, 8), torch.randn(1, 7, SMALL.unet.context_width)
    for share, strength in ((0.0, 1.0), (0.25, 0.5), (0.75, 0.0)):
        level = torch.tensor([round(999 * (1 - share))]).float()
        found = Changed(network, (change,))(told[0], level, told[1])
        plain = merged(network, edits(), FADING.at(share_at(SCHEDULE, float(level))))
        assert found.equal(plain(told[0], level, told[1]))
        assert FADING.at(share_at(SCHEDULE, float(level))) == pytest.approx(strength, abs=2e-3)
    assert change(network, Moment(8, 8, torch.tensor([10.0]))) is network
    assert network.get_parameter(NAME).equal(before)


def test_questions_about_one_step_are_answered_by_one_network() -> None:
    """It is merged once a step, not once a question."""
    network, change = unet(SMALL), Scheduled(edits(), FADING, SCHEDULE)
    moment = Moment(8, 8, torch.tensor([800.0]))
    assert change(network, moment) is change(network, moment)
