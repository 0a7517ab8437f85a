"""Taking steps: stopped, killed and continued trainings end as one that never was."""

import shutil
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from safelight.training.stepwise import OPTIMIZERS, Learning, Plan, last_of

PLAN = Plan(steps=9, rate=0.05, batch=4, average=0.9, save_every_s=0.0)


class Line:
    """Learns the slope 3 from noisy points."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(1, 1)

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        x = torch.randn(count, 1, generator=draw)
        noise = 0.1 * torch.randn(count, 1, generator=draw)
        error: Tensor = (self.network(x) - 3 * x - noise).square().mean()
        return error


def learnt(path: Path, plan: Plan = PLAN) -> Learning:
    """Take all steps that are left."""
    learning = Learning(Line(), plan)
    learning.resume(path)
    for _ in learning.steps(path):
        pass
    return learning


def state(learning: Learning) -> list[Tensor]:
    """The weights, their average, and what the optimizer remembers."""
    assert learning.average is not None
    kept = learning.optimizer.state_dict()["state"]
    moments = [t for one in kept.values() for t in one.values() if isinstance(t, Tensor)]
    return [*learning.learns, *learning.average.kept, *moments]


def same(one: Learning, other: Learning) -> bool:
    """Bit for bit, and by the same losses."""
    pairs = zip(state(one), state(other), strict=True)
    return one.losses == other.losses and all(a.equal(b) for a, b in pairs)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_stopped_training_goes_on_as_if_nothing_had_happened(
    optimizer: str, tmp_path: Path
) -> None:
    """Stopped after four steps and continued, it ends with the same bits."""
    plan = replace(PLAN, optimizer=optimizer, save_every_s=1e9)
    whole = learnt(tmp_path / "whole" / "9.pt", plan)
    path = tmp_path / "stopped" / "9.pt"
    with closing(Learning(Line(), plan).steps(path)) as steps:
        assert len(list(islice(steps, 4))) == 4
    assert same(learnt(path, plan), whole)


def test_a_killed_training_goes_on_from_what_it_wrote_last(tmp_path: Path) -> None:
    """What lies on the disk after a step is all that a later process needs."""
    whole = learnt(tmp_path / "whole" / "9.pt")
    killed = tmp_path / "killed" / "9.pt"
    killed.parent.mkdir()
    with closing(Learning(Line(), PLAN).steps(tmp_path / "live" / "9.pt")) as steps:
        for _ in islice(steps, 5):
            shutil.copy(tmp_path / "live" / "9.pt", killed)  # as a process that dies leaves it
    assert same(learnt(killed), whole)


def test_a_longer_training_begins_with_a_shorter_one(tmp_path: Path) -> None:
    """And ends as if it had been that long from the start; the other way round it starts anew."""
    whole = learnt(tmp_path / "whole" / "9.pt")
    short = learnt(tmp_path / "grown" / "4.pt", replace(PLAN, steps=4))
    assert short.step == 4
    assert last_of(tmp_path / "grown" / "9.pt", 9) == tmp_path / "grown" / "4.pt"
    assert same(learnt(tmp_path / "grown" / "9.pt"), whole)
    assert last_of(tmp_path / "grown" / "3.pt", 3) is None


def test_a_training_that_is_done_takes_no_step(tmp_path: Path) -> None:
    """It only brings back what was learnt."""
    done = learnt(tmp_path / "9.pt")
    again = Learning(Broken(), PLAN)
    assert again.resume(tmp_path / "9.pt") == 9
    assert list(again.steps(tmp_path / "9.pt")) == []
    assert same(again, done)


class Broken(Line):
    """Cannot take a step."""

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        raise AssertionError("no step is left")


def test_parts_make_one_step_of_a_larger_batch(tmp_path: Path) -> None:
    """Two parts of four are one gradient: the mean of theirs."""
    line = Line()
    learning = Learning(line, replace(PLAN, parts=2, steps=1, optimizer="SGD", average=0.0))
    before = line.network.weight.detach().clone()
    list(learning.steps(tmp_path / "1.pt"))
    moved = (before - line.network.weight).detach() / PLAN.rate
    fresh = Line()
    for part in range(2):
        alone = Learning(fresh, replace(PLAN, average=0.0))
        draw = torch.Generator().manual_seed(part)
        torch.autograd.backward([alone.pupil.loss(4, draw, 0.0) / 2])
    torch.testing.assert_close(moved, fresh.network.weight.grad)


def test_the_average_takes_the_place_of_what_learnt(tmp_path: Path) -> None:
    """At the end, if one is kept."""
    learning = learnt(tmp_path / "9.pt")
    assert learning.average is not None
    kept = [tensor.clone() for tensor in learning.average.kept]
    learning.finish()
    assert all(map(torch.equal, learning.learns, kept))
