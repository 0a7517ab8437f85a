r"""Changes: a network that computes otherwise, for the length of one call.

Many techniques alter the network rather than the sum over its answers: they let attention
look at less, weigh what the way up is handed, or leave blocks out.  Some depend on the size
of the latent, some only hold for a part of the walk:

    network' = change(network, moment)

A change returns a `variant` that shares every tensor with the network, or the network itself
where it does not apply, so changes compose in any order and none is ever undone.  It finds the
parts it alters by their kind, wherever earlier changes have put them.

Symbols: h x w latent pixels, t timestep.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from safelight.diffusion.denoiser import Denoiser, LatentModel, Network, Told
from safelight.diffusion.schedule import Schedule

Kind = TypeVar("Kind", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a network is asked about: a latent of a size, at a timestep."""

    height: int  # latent pixels
    width: int
    timestep: Tensor  # one number for each picture, all the same

    @property
    def seed(self) -> int:
        """What changes that draw lots start from: other lots at each step, the same each walk."""
        return round(float(self.timestep.flatten()[0]) * 1000)


# (network, moment) -> the network as it computes then.
Change = Callable[[nn.Module, Moment], nn.Module]


class CannotChange(TypeError):
    """A technique was applied to a network that has no part it could alter."""


@dataclass(frozen=True, eq=False)
class Changed:
    """A network under changes, the first one innermost."""

    network: nn.Module
    changes: tuple[Change, ...]

    @property
    def bare(self) -> nn.Module:
        """The network without changes."""
        return self.network

    def __call__(self, z: Tensor, timestep: Tensor, *told: Any, **more: Any) -> Tensor:
        """Compute as the changes want it at this moment."""
        moment = Moment(z.shape[-2], z.shape[-1], timestep)
        network = self.network
        for change in self.changes:
            network = change(network, moment)
        answer: Tensor = network(z, timestep, *told, **more)
        return answer


def changed(network: Network, *changes: Change) -> Network:
    """Return a network under changes, in addition to those it is already under.

    Raises:
        CannotChange: it is not a network whose parts are known.
    """
    inner = getattr(network, "unmoved", network)  # a network that reuses answers has one
    if isinstance(inner, Changed):
        return replace(inner, changes=(*inner.changes, *changes))
    if not isinstance(inner, nn.Module):
        raise CannotChange(f"{type(network).__name__} has no parts that could be changed")
    return Changed(inner, changes) if changes else inner


def retold(denoise: Denoiser, *changes: Change) -> Told:
    """Return a denoiser that was told the same and computes with changes.

    Raises:
        CannotChange: it is no network that has been told something.
    """
    if not isinstance(denoise, Told):
        raise CannotChange("only a network that has been told something can be asked otherwise")
    return replace(denoise, model=with_changes(denoise.model, *changes))


def with_changes(model: LatentModel, *changes: Change) -> LatentModel:
    """Return a model under changes; without any it is the same one."""
    return replace(model, network=changed(model.network, *changes)) if changes else model


def during(change: Change, schedule: Schedule, start: float, end: float) -> Change:
    """Return a change that holds from one share of the walk (0..1) to another."""
    first, last = timestep_at(schedule, start), timestep_at(schedule, end)

    def sometimes(network: nn.Module, moment: Moment) -> nn.Module:
        holds = first >= float(moment.timestep.flatten()[0]) >= last
        return change(network, moment) if holds else network

    return sometimes


def timestep_at(schedule: Schedule, share: float) -> float:
    """Return the timestep after a share of the walk; the ends are infinite."""
    if share <= 0 or share >= 1:
        return inf if share <= 0 else -inf
    sigma = torch.tensor(schedule.percent(share), dtype=torch.float64)
    return float(schedule.timestep(sigma))


def parts(network: nn.Module, kind: type[Kind], within: str = "") -> Iterator[tuple[str, Kind]]:
    """Yield the parts of a kind with their paths, those inside of `within`."""
    for path, module in network.named_modules():
        if isinstance(module, kind) and path.startswith(within):
            yield path, module
