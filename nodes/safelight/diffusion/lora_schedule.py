r"""A LoRA along the walk: strong where the composition is settled, weak where details are, or so.

A walk goes from noise to the picture; p in 0..1 is the share of it that is behind.  The strength
of a LoRA is given at some shares, and the network of each step is the one with that strength:

    W(p) = W + s(p) dW        s by straight lines between what is given, or in steps

It is a `change`: a variant of the network for the length of one call, so nothing is undone, and
changes of other kinds may come before and after it.  A strength that is the same all along is
no schedule at all: then the LoRA is merged once, as `lora.merged` does.

Symbols: p share of the walk, s strength, W a weight, dW the LoRA's change to it, t timestep.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from safelight.diffusion.change import Moment
from safelight.diffusion.lora import Edits, merged
from safelight.diffusion.schedule import Schedule

HALVINGS = 20  # of the walk, to find a share: exact to a millionth, or to the table's levels


@dataclass(frozen=True, slots=True)
class Strengths:
    """Strengths at shares of the walk, which rise; beyond the ends they stay."""

    points: tuple[tuple[float, float], ...]  # (share, strength)
    way: Literal["line", "step"] = "line"

    @property
    def constant(self) -> float | None:
        """The strength, if it is the same all along."""
        strengths = {strength for _, strength in self.points}
        return strengths.pop() if len(strengths) == 1 else None

    def at(self, share: float) -> float:
        """Return the strength after a share of the walk."""
        after = bisect_right([place for place, _ in self.points], share)
        if after == 0 or after == len(self.points):
            return self.points[max(after - 1, 0)][1]
        (start, first), (end, last) = self.points[after - 1 : after + 1]
        if self.way == "step":
            return first
        return first + (last - first) * (share - start) / (end - start)


def strengths(lines: str, way: Literal["line", "step"] = "line") -> Strengths:
    """Read lines of a share of the walk and a strength, as in `0.5 1.2`.

    Raises:
        ValueError: a line is something else, there is none, or shares do not rise in 0..1.
    """
    points: list[tuple[float, float]] = []
    for line in filter(str.strip, lines.splitlines()):
        try:
            share, strength = map(float, line.split())
        except ValueError:
            raise ValueError(
                f"want a share of the walk and a strength, as in '0.5 1', got {line.strip()!r}"
            ) from None
        points.append((share, strength))
    shares = [share for share, _ in points]
    if not shares or shares != sorted(set(shares)) or not 0 <= shares[0] <= shares[-1] <= 1:
        told = ", ".join(f"{share:g}" for share in shares) or "none"
        raise ValueError(f"want shares of the walk that rise from 0 to 1, got {told}")
    return Strengths(tuple(points), way)


@dataclass(eq=False)
class Scheduled:
    """The change of a network that a LoRA with a schedule makes; keeps its last variant."""

    edits: Edits
    strengths: Strengths
    schedule: Schedule
    _last: tuple[nn.Module, float, nn.Module] | None = field(default=None, init=False, repr=False)

    def __call__(self, network: nn.Module, moment: Moment) -> nn.Module:
        """Return the network with the strength of the moment."""
        share = share_at(self.schedule, float(moment.timestep.flatten()[0]))
        strength = self.strengths.at(share)
        if self._last is None or self._last[0] is not network or self._last[1] != strength:
            self._last = (network, strength, merged(network, self.edits, strength))
        return self._last[2]


def share_at(schedule: Schedule, timestep: float) -> float:
    """Return the share of the walk after which a network is told `timestep`, found by halving."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        sigma = torch.tensor(schedule.percent(middle), dtype=torch.float64)
        if float(schedule.timestep(sigma)) > timestep:
            low = middle
        else:
            high = middle
    return high
