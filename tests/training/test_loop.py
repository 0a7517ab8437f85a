import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from safelight.training.loop import Budget, Pace, Run, _Trainer, learning_rate, load, train
from safelight.training.processes import launch

STEPS = 12
PACE = Pace(batch=8, bfloat16=False, save_every_s=0.0, report_every_s=1e9, warm_up=2)


class Regression:
    """A stage that learns a fixed linear map; it can be told to die before a step."""

    name = "regression"

    def __init__(self, dies_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 16))
        self.calls, self.dies_at = 0, dies_at

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        if self.calls == self.dies_at:
            raise InterruptedError
        self.calls += 1
        x = torch.randn(count, 16, generator=draw)
        return (self.network(x) - x.flip(1)).square().mean()

    def report(self, folder: Path) -> dict[str, float]:
        return {"checked": self.loss(64, torch.Generator().manual_seed(1), 1.0).item()}


def train_regression(folder: Path) -> None:
    """Train in one of several processes."""
    train(Regression(), PACE, Run(folder, Budget(steps=STEPS)))


def test_a_killed_run_continues_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Killed at step 5 and continued, it ends with the weights of a run never killed."""
    budget = Budget(steps=STEPS)
    train(Regression(), PACE, Run(tmp_path / "whole", budget))
    with pytest.raises(InterruptedError):
        train(Regression(dies_at=5), PACE, Run(tmp_path / "killed", budget))
    train(Regression(), PACE, Run(tmp_path / "killed", budget, resume=True))
    whole, killed = (load(tmp_path / name / "state.pt") for name in ("whole", "killed"))
    assert killed["step"] == whole["step"] == STEPS
    for part in ("network", "average"):
        torch.testing.assert_close(killed[part], whole[part], rtol=0, atol=0)
    torch.testing.assert_close(killed["optimizers"], whole["optimizers"], rtol=0, atol=0)


def test_a_run_may_start_from_the_weights_of_another(tmp_path: Path) -> None:
    """What fits is taken, what has another shape begins anew; no step is inherited."""
    train(Regression(), PACE, Run(tmp_path / "old", Budget(steps=STEPS)))
    old = load(tmp_path / "old" / "state.pt")["average"]
    new = Regression()
    wider = nn.Linear(16, 17)
    new.network[2], fresh = wider, wider.weight.clone()
    trainer = _Trainer(new, PACE, Run(tmp_path / "new", Budget(steps=1)))
    trainer.start_from(load(tmp_path / "old" / "state.pt"))
    assert torch.equal(new.network.get_parameter("0.weight"), old["0.weight"])
    assert torch.equal(new.network.get_parameter("2.weight"), fresh)
    assert trainer.step == 0
    assert torch.equal(trainer.state()["average"]["0.weight"], old["0.weight"])


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    """Continuing a run whose budget is spent takes no further step."""
    run = Run(tmp_path, Budget(steps=STEPS), resume=True)
    train(Regression(), PACE, run)
    again = Regression()
    train(again, PACE, run)
    assert again.calls == 1  # the report
    assert load(run.checkpoint)["step"] == STEPS


def test_time_spent_before_a_kill_counts(tmp_path: Path) -> None:
    """A budget of minutes is one of work over all runs."""
    clock = iter(range(0, 10_000, 20)).__next__  # each look at the clock is 20 s later
    run = Run(tmp_path, Budget(minutes=3), resume=True)
    with pytest.raises(InterruptedError):
        train(Regression(dies_at=5), PACE, run, clock=clock)
    second = Regression()
    train(second, PACE, run, clock=clock)
    assert second.calls == 8 - 5 + 1  # 3 minutes hold 8 steps; and the report


def test_the_log_holds_what_was_measured(tmp_path: Path) -> None:
    """Every row is JSON with the step; the last one has the stage's own figures."""
    train(Regression(), PACE, Run(tmp_path, Budget(steps=STEPS)))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [*range(1, STEPS + 1), STEPS]
    assert rows[0]["samples"] == PACE.batch
    assert "checked" in rows[-1]


def test_the_loss_falls(tmp_path: Path) -> None:
    """Two hundred steps halve the error of a small regression."""
    stage = Regression()
    before = stage.report(tmp_path)["checked"]
    train(stage, replace(PACE, save_every_s=1e9), Run(tmp_path, Budget(steps=200)))
    assert load(tmp_path / "state.pt")["figures"]["checked"] < before / 2


def test_the_learning_rate_rises_stays_and_falls() -> None:
    """A ramp of some steps, a flat half, a line, and a floor."""
    pace = Pace(batch=1, warm_up=4, flat=0.5, floor=0.02)
    assert [learning_rate(0.0, step, pace) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert learning_rate(0.49, 100, pace) == 1.0
    assert learning_rate(0.75, 100, pace) == pytest.approx(0.5)
    assert learning_rate(1.0, 100, pace) == 0.02


def test_a_budget_of_nothing_is_refused() -> None:
    """A run must know when to end."""
    with pytest.raises(ValueError, match=r"^a budget needs minutes or steps$"):
        Budget()


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """They share each batch, agree on every weight, and leave one checkpoint."""
    launch(2, train_regression, tmp_path)
    state = load(tmp_path / "state.pt")
    assert state["step"] == STEPS
    assert state["samples"] == STEPS * PACE.batch
