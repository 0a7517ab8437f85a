"""The training loop: one for all stages, and none the worse for being killed.

A stage says what learns and how wrong it is; the loop does the rest: the
steps, the learning rate, the running average, the log, and a checkpoint now
and then.  All chance in a step comes from (seed, process, step) alone, so a
run that continues from a checkpoint draws what it would have drawn, and the
checkpoint needs no generator state beside the number of the step.

Several processes share a step: each takes a part of the batch, and gradients
are averaged.  On a CPU two processes of one thread outrun one of two.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from safelight.training.average import Average
from safelight.training.muon import Muon, split_parameters
from safelight.training.place import computes_bfloat16
from safelight.training.progress import Log, Meter, open_board


class Stage(Protocol):
    """What one stage of the training must tell the loop."""

    name: str

    @property
    def network(self) -> nn.Module:
        """What learns: its parameters that ask for gradients."""
        ...

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """How wrong the network is on `count` examples chosen by `draw`."""
        ...

    def report(self, folder: Path) -> dict[str, float]:
        """Measure the network on held-out examples; leave pictures in `folder`."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a stage learns, and how often it looks back."""

    batch: int  # examples a step, over all processes
    muon: float = 0.02  # learning rate of matrices
    adamw: float = 1.5e-3  # learning rate of everything else
    decay: float = 0.0
    flat: float = 0.5  # the share of the run before the learning rate falls
    floor: float = 0.02  # the share of the learning rate left at the end
    warm_up: int = 30  # steps
    average: float = 0.99
    bfloat16: bool = True
    save_every_s: float = 60.0
    report_every_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Budget:
    """When a stage ends: after some minutes of work, or after some steps."""

    minutes: float | None = None
    steps: int | None = None

    def spent(self, step: int, seconds: float) -> float:
        """The share of the budget used; 1 or more means the end."""
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        by_steps = step / self.steps if self.steps else 0.0
        return max(by_time, by_steps)

    def __post_init__(self) -> None:
        if not self.minutes and not self.steps:
            raise ValueError("a budget needs minutes or steps")


@dataclass(frozen=True, slots=True)
class Run:
    """Where a stage keeps its files, and how it begins."""

    folder: Path
    budget: Budget
    seed: int = 0
    resume: bool = False
    start: Path | None = None  # a checkpoint of another run: its weights, nothing else
    device: str = "cpu"
    board: bool = False  # keep a log for TensorBoard too

    @property
    def checkpoint(self) -> Path:
        """The file that holds all a later run needs."""
        return self.folder / "state.pt"


def learning_rate(spent: float, step: int, pace: Pace) -> float:
    """The share of the full rate: a short ramp, then flat, then a line to the floor."""
    ramp = min(1.0, (step + 1) / pace.warm_up)
    fall = (1 - spent) / (1 - pace.flat)
    return ramp * (1.0 if spent < pace.flat else max(pace.floor, fall))


def train(stage: Stage, pace: Pace, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
    """Train `stage` until its budget is spent; continue from a checkpoint if asked."""
    trainer = _Trainer(stage, pace, run)
    if run.resume and run.checkpoint.exists():
        trainer.restore(load(run.checkpoint))
    elif run.start is not None:
        trainer.start_from(load(run.start))
    before, start = trainer.seconds, clock()
    while True:
        trainer.seconds = before + clock() - start
        spent = _agreed(run.budget.spent(trainer.step, trainer.seconds))
        if spent >= 1:
            break
        trainer.advance(spent)
        trainer.look_back(spent)
    trainer.finish()


class _Trainer:
    """The state of one run between two steps."""

    def __init__(self, stage: Stage, pace: Pace, run: Run) -> None:
        self.stage, self.pace, self.run = stage, pace, run
        self.device = torch.device(run.device)
        stage.network.to(self.device)
        split = split_parameters(stage.network)
        self.weights = split.matrices + split.rest
        self.optimizers: list[tuple[torch.optim.Optimizer, float]] = []
        if split.matrices:
            muon = Muon(split.matrices, lr=pace.muon, weight_decay=pace.decay)
            self.optimizers.append((muon, pace.muon))
        if split.rest:
            adamw = torch.optim.AdamW(
                split.rest, lr=pace.adamw, betas=(0.9, 0.99), weight_decay=pace.decay
            )
            self.optimizers.append((adamw, pace.adamw))
        self.average = Average(stage.network, pace.average)
        self.step, self.seconds, self.loss = 0, 0.0, float("nan")
        self.figures: dict[str, float] = {}
        self._began, self._saved, self._reported = time.monotonic(), 0.0, 0.0
        self._first_step = 0
        run.folder.mkdir(parents=True, exist_ok=True)
        board = open_board(run.folder) if run.board and _place()[0] == 0 else None
        self.log, self.meter = Log(run.folder / "log.jsonl", board), Meter(stage.name)

    def advance(self, spent: float) -> None:
        """Take one step."""
        rank, processes = _place()
        draw = torch.Generator().manual_seed(_mixed(self.run.seed, rank, self.step))
        fast = self.pace.bfloat16 and computes_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast):
            loss = self.stage.loss(self.pace.batch // processes, draw, spent)
        for optimizer, rate in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = rate * learning_rate(spent, self.step, self.pace)
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(self.weights)
        for optimizer, _ in self.optimizers:
            optimizer.step()
        self.step += 1
        self.average.update(self.step)
        value = loss.item()
        self.loss = value if self.loss != self.loss else 0.97 * self.loss + 0.03 * value

    def look_back(self, spent: float) -> None:
        """Show the progress; save and report when it is time."""
        if _place()[0] != 0:
            return
        self.meter.show(spent, self.seconds, self._row())
        if self.seconds - self._reported >= self.pace.report_every_s:
            self._reported = self.seconds
            self.report(spent)
        if self.seconds - self._saved >= self.pace.save_every_s:
            self._saved = self.seconds
            save(self.run.checkpoint, self.state())
            self.log.write(step=self.step, seconds=round(self.seconds, 1), **self._row())

    def report(self, spent: float = 1.0) -> None:
        """Measure the averaged network and write the figures down."""
        self.stage.network.eval()
        with self.average.in_place(), torch.no_grad():
            self.figures = self.stage.report(self.run.folder)
        self.stage.network.train()
        self.log.write(step=self.step, seconds=round(self.seconds, 1), **self.figures)
        self.meter.show(spent, self.seconds, self.figures, at_once=True)

    def finish(self) -> None:
        """Report and save for the last time."""
        if _place()[0] == 0:
            self.report()
            save(self.run.checkpoint, self.state())

    def state(self) -> dict[str, Any]:
        """All that a later run, or a later stage, needs."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "loss": self.loss,
            "samples": self.step * self.pace.batch,
            "figures": self.figures,
            "network": self.stage.network.state_dict(),
            "average": self.average.state(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
        }

    def start_from(self, state: dict[str, Any]) -> None:
        """Take the averaged weights of another run where names and shapes agree."""
        own = self.stage.network.state_dict()
        given = {
            name: weight
            for name, weight in (state["network"] | state["average"]).items()
            if name in own and own[name].shape == weight.shape
        }
        self.stage.network.load_state_dict(own | given)
        self.average = Average(self.stage.network, self.pace.average)

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.step, self.seconds, self.loss = state["step"], state["seconds"], state["loss"]
        self._first_step, self._saved, self._reported = self.step, self.seconds, self.seconds
        self.figures = state["figures"]
        self.stage.network.load_state_dict(state["network"])
        self.average.restore(state["average"])
        for (optimizer, _), kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)

    def _row(self) -> dict[str, float]:
        elapsed = time.monotonic() - self._began
        speed = (self.step - self._first_step) * self.pace.batch / max(elapsed, 1e-9)
        return {
            "loss": round(self.loss, 5),
            "samples": self.step * self.pace.batch,
            "per_s": round(speed, 1),
        }


def average_gradients(weights: list[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    _, processes = _place()
    if processes == 1:
        return
    gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= processes
    parts = torch.split(flat, [weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad = part.view_as(weight)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that a reader finds the old file or the new one, whole."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def load_average(path: Path, network: nn.Module) -> dict[str, Any]:
    """Give `network` the averaged weights of a checkpoint; return the checkpoint."""
    state = load(path)
    network.load_state_dict(state["network"] | state["average"])
    return state


def _place() -> tuple[int, int]:
    """The number of this process and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def _mixed(seed: int, rank: int, step: int) -> int:
    """One number from three, different for all that a run will meet."""
    return (seed * 64 + rank) * 2**40 + step


def _agreed(value: float) -> float:
    """The first process's `value`, in all processes: they must stop together."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return shared.item()
