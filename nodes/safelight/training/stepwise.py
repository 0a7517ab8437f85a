"""Training step by step: whoever takes the steps may show them, stop, and go on another day.

A `Learning` is the state of one training; `steps` yields the loss of each step as it is taken.
All chance in a step comes from the seed and the number of the step, and the state is written
now and then and whenever somebody stops.  So a training that was stopped, or whose process was
killed, ends with the same weights, bit for bit, as one that never was.

The rate stays the same to the end.  A training of more steps therefore begins as a shorter one
of the same name did, and takes up what that left: see `last_of`.
"""

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from safelight.training.average import Average
from safelight.training.loop import load, save

SUFFIX = ".pt"
SHARE = 20  # what is large is written less often: a twentieth of the time goes into it
OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = MappingProxyType(
    {
        "AdamW": torch.optim.AdamW,
        "Adam": torch.optim.Adam,
        "SGD": torch.optim.SGD,
        "RMSprop": torch.optim.RMSprop,
    }
)


class Pupil(Protocol):
    """What learns, and from what; a `Stage` of `loop` is one too."""

    @property
    def network(self) -> nn.Module:
        """Its parameters that ask for gradients learn."""
        ...

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """How wrong it is on `count` examples chosen by `draw`."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How a training goes on."""

    steps: int
    rate: float = 5e-4
    batch: int = 1
    parts: int = 1  # batches whose gradients make one step
    optimizer: str = "AdamW"
    seed: int = 0
    average: float = 0.0  # how much of the running average stays at each step; 0: none is kept
    bfloat16: bool = False  # compute in it, where that is native
    save_every_s: float = 30.0


class Learning:
    """A training between two steps."""

    def __init__(
        self, pupil: Pupil, plan: Plan, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with the pupil as it is."""
        self.pupil, self.plan, self._clock = pupil, plan, clock
        self.learns = [weight for weight in pupil.network.parameters() if weight.requires_grad]
        self.optimizer = OPTIMIZERS[plan.optimizer](self.learns, lr=plan.rate)
        self.average = Average(pupil.network, plan.average) if plan.average else None
        self.losses: list[float] = []

    @property
    def step(self) -> int:
        """How many steps have been taken."""
        return len(self.losses)

    def resume(self, path: Path) -> int:
        """Take up what was kept at `path` or before it, if anything; return the steps done."""
        begun = last_of(path, self.plan.steps)
        if begun is not None:
            self.restore(load(begun))
        return self.step

    def steps(self, path: Path) -> Generator[float]:
        """Take the steps that are left.

        The state is written to `path` when all are taken, when the caller stops, and now and then.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        due = self._clock() + self.plan.save_every_s
        try:
            while self.step < self.plan.steps:
                self.losses.append(self._take())
                if self._clock() >= due:
                    due = self._clock() + max(self.plan.save_every_s, SHARE * self._save(path))
                yield self.losses[-1]
        finally:
            self._save(path)

    def _save(self, path: Path) -> float:
        """Write the state; return how many seconds it took."""
        begun = self._clock()
        save(path, self.state())
        return self._clock() - begun

    def finish(self) -> None:
        """Put the running average, if one is kept, in the place of what learnt."""
        if self.average is None:
            return
        with torch.no_grad():
            for weight, kept in zip(self.average.live, self.average.kept, strict=True):
                weight.copy_(kept)

    def state(self) -> dict[str, Any]:
        """Return all that the rest of the training depends on."""
        return {
            "losses": self.losses,
            "network": [weight.detach() for weight in self.learns],
            "average": self.average.state() if self.average else {},
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.losses = list(state["losses"])
        with torch.no_grad():
            for weight, kept in zip(self.learns, state["network"], strict=True):
                weight.copy_(kept)
        if self.average is not None:
            self.average.restore(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _take(self) -> float:
        """Take one step; return its loss."""
        plan, device = self.plan, self.learns[0].device
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for part in range(plan.parts):
            draw = torch.Generator().manual_seed(_mixed(plan.seed, self.step * plan.parts + part))
            with torch.autocast(device.type, torch.bfloat16, enabled=plan.bfloat16):
                loss = self.pupil.loss(plan.batch, draw, self.step / plan.steps) / plan.parts
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.step + 1)
        return total


def last_of(path: Path, steps: int) -> Path | None:
    """Return where to go on: what was kept at `path`, or by the longest training before it.

    Trainings of one name lie in one folder, each called after its number of steps.
    """
    if path.is_file():
        return path
    others = [other for other in path.parent.glob(f"*{SUFFIX}") if other.stem.isdecimal()]
    shorter = [other for other in others if int(other.stem) < steps]
    return max(shorter, key=lambda other: int(other.stem), default=None)


def _mixed(seed: int, number: int) -> int:
    """Return one number from a seed and a number; seeds are spread by the golden ratio."""
    return (seed * 0x9E3779B97F4A7C15 + number) % 2**64
