r"""DeepCache: what lies deep in a U-Net changes slowly, so compute it every few steps only.

From step to step the feature maps near the bottom of the U hardly change; what is near the
latent does.  Every n steps the whole network is computed, and the map h that comes up to the
block of one skip b is kept.  In the steps between, the way down ends at that skip and the way
up begins with the map that was kept:

    h_0 .. h_b = the first blocks of the way down                 every step
    h = what came up from below                                   every n steps
    h = block([h, h_i], t, c)   for i = b .. 0                     every step

Skips are counted as the way down keeps them: 0 is the stem's, and the smaller b, the more is
saved.  With n = 1 every step is whole.

Symbols: n interval, b branch, h_i the maps that the way down keeps, t time, c prompt.

Source: Ma et al. 2023 (arXiv:2312.00858), section 3.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.change import CannotChange, Change, Moment, changed
from safelight.diffusion.changes.reuse import Span, Turns, remembering
from safelight.diffusion.changes.shrinking import way_down
from safelight.diffusion.control import NOTHING, Residuals, added
from safelight.diffusion.denoiser import Network, bare
from safelight.diffusion.guidance import Guided
from safelight.diffusion.unet import UNet, UpLevel
from safelight.diffusion.variant import variant


@dataclass(frozen=True, slots=True)
class Depth:
    """How often to look deep, and from which skip on it is deep."""

    interval: int = 3
    branch: int = 0


@dataclass(eq=False)
class Kept:
    """The map that came up from below in the last whole step, and for what latent."""

    shape: torch.Size | None = None  # of the latent
    h: Tensor | None = field(default=None, repr=False)


class Keeping(nn.Module):
    """A block of the way up that keeps what comes from below."""

    def __init__(self, block: nn.Module, skip: int, kept: Kept) -> None:
        super().__init__()
        self.block = block
        self.skip = skip  # channels from beside, which lie behind those from below
        self.kept = kept

    def forward(self, x: Float[Tensor, "B C h w"], *told: Tensor) -> Float[Tensor, "B D h w"]:
        """Compute as ever."""
        self.kept.h = x[:, : x.shape[1] - self.skip]
        refined: Tensor = self.block(x, *told)
        return refined


class Shallow(nn.Module):
    """A U-Net whose deep part is not computed."""

    def __init__(self, network: UNet, branch: int, h: Tensor) -> None:
        super().__init__()
        self.network = network
        self.branch = branch
        self.h = h

    def forward(
        self,
        x: Float[Tensor, "B C h w"],
        timestep: Float[Tensor, " B"],
        context: Float[Tensor, "B L D"],
        vector: Float[Tensor, "B Y"] | None = None,
        residuals: Residuals = NOTHING,
    ) -> Float[Tensor, "B C_out h w"]:
        """Go down to the branch, and up from it."""
        network = self.network
        time = network.clock(timestep, vector)
        kept = self._descended(x, time, context, residuals)
        h = self.h
        for place in range(len(network.config.skips) - 1 - self.branch, len(network.config.skips)):
            number, index = divmod(place, network.config.blocks + 1)
            level = network.get_submodule(f"up.{number}")
            h = network.get_submodule(f"up.{number}.blocks.{index}")(
                torch.cat([h, kept.pop()], dim=1), time, context
            )
            grow = level._modules.get("grow")
            if index == network.config.blocks and grow is not None:
                h = grow(h, kept[-1].shape[2:])
        return network.conv_out(F.silu(network.norm_out(h)))

    def _descended(
        self, x: Tensor, time: Tensor, context: Tensor, residuals: Residuals
    ) -> list[Tensor]:
        """Return the maps of the way down as far as the branch, the stem's first."""
        passing = dict(enumerate(residuals.passing))
        kept = [added(self.network.stem(x), passing.get(0))]
        for number, path in enumerate(way_down(self.network)[1 : self.branch + 1], start=1):
            told = () if path.endswith("shrink") else (time, context)
            h = self.network.get_submodule(path)(kept[-1], *told)
            kept.append(added(h, passing.get(number)))
        if residuals.kept:
            kept = [added(*pair) for pair in zip(kept, residuals.kept, strict=False)]
        return kept


class Deep:
    """A network that is computed whole every few steps, at timesteps within a span."""

    def __init__(self, network: Network, depth: Depth, span: Span) -> None:
        self.unmoved = network  # what `change.changed` alters instead of this
        self.depth = depth
        self.span = span
        self.turns = Turns()
        self.memories: list[Kept] = []
        self.since = 0  # steps within the span

    @property
    def bare(self) -> nn.Module:
        """The network without anything around it."""
        return bare(self.unmoved)

    def __call__(self, z: Tensor, timestep: Tensor, *told: Any, **more: Any) -> Tensor:
        """Compute the whole network, or as much of it as is not deep."""
        now = float(timestep.flatten()[0])
        turn = self.turns.next(now)
        if turn == len(self.memories):
            self.memories.append(Kept())
        within = self.span[0] >= now > self.span[1]
        if turn == 0:
            self.since = self.since + 1 if within else 0
        kept = self.memories[turn]
        whole = not within or (self.since - 1) % self.depth.interval == 0
        if whole or kept.shape != z.shape:
            kept.shape, kept.h = z.shape, None
        answer: Tensor = changed(self.unmoved, deepened(self.depth.branch, kept))(
            z, timestep, *told, **more
        )
        return answer


def deepened(branch: int, kept: Kept) -> Change:
    """Return a change that keeps what comes up to a branch or, once there, begins with it.

    Where the way up has been changed as a whole (see `shrinking`) it does neither.  At use it
    raises `CannotChange` for anything but a U-Net.
    """

    def deepen(network: nn.Module, moment: Moment) -> nn.Module:
        if not isinstance(network, UNet):
            raise CannotChange(f"{type(network).__name__} is no U-Net, so nothing in it is deep")
        if any(type(level) is not UpLevel for level in network.up):
            return network
        skips = network.config.skips
        at = min(branch, len(skips) - 1)
        if kept.h is not None:
            return Shallow(network, at, kept.h)
        number, index = divmod(len(skips) - 1 - at, network.config.blocks + 1)
        path = f"up.{number}.blocks.{index}"
        return variant(network, {path: Keeping(network.get_submodule(path), skips[at], kept)})

    return deepen


def deep(denoise: Guided, depth: Depth, span: Span) -> Guided:
    """Compute what is deep every few steps; a new walk learns anew."""
    return remembering(denoise, lambda network: Deep(network, depth, span))
