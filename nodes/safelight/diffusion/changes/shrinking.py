r"""Deep shrink: start with a smaller picture inside the network.

A U-Net composes at the sizes it was trained on; given a larger latent it draws things twice.
While the composition forms, at the start of the walk, feature maps are shrunk on their way
down and grown again on their way up to the size of what the way up is handed:

    down:  x = resize(x, 1 / f)      after the block of a number
    up:    h = resize(h, size of the skip)

Blocks are counted as the way down keeps their feature maps: 0 is the stem, then come each
level's blocks and its halving.

Symbols: f factor, x and h feature maps on the way down and up.

Source: "Kohya deep shrink", gist.github.com/kohya-ss/3f774da220df102548093a7abc8538ed (2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from safelight.diffusion.change import CannotChange, Change, Moment, parts
from safelight.diffusion.resample import resize
from safelight.diffusion.unet import UNet, UpLevel
from safelight.diffusion.variant import variant


@dataclass(frozen=True, slots=True)
class Shrinking:
    """Where to shrink, how far and how."""

    block: int = 3
    factor: float = 2.0
    after_skip: bool = True  # what is kept for the way up stays large
    down: str = "bicubic"
    up: str = "bicubic"


class Smaller(nn.Module):
    """A part of the way down that is given, or gives, a smaller feature map."""

    def __init__(self, part: nn.Module, shrinking: Shrinking, *, first: bool) -> None:
        super().__init__()
        self.part = part
        self.shrinking = shrinking
        self.first = first

    def forward(self, x: Tensor, *told: Tensor) -> Tensor:
        """Shrink before or after."""
        if self.first:
            refined: Tensor = self.part(self._shrunk(x), *told)
            return refined
        return self._shrunk(self.part(x, *told))

    def _shrunk(self, x: Tensor) -> Tensor:
        height, width = (max(round(side / self.shrinking.factor), 1) for side in x.shape[2:])
        return resize(x, height, width, self.shrinking.down)


class Meeting(UpLevel):
    """A level of the way up that grows what comes from below to what comes from beside."""

    up: str

    def forward(
        self,
        x: Tensor,
        skips: Sequence[Tensor],
        time: Tensor,
        context: Tensor,
        size: torch.Size,
    ) -> Tensor:
        """Meet each skip at its own size."""
        for block, skip in zip(self.blocks, skips, strict=True):
            if x.shape[2:] != skip.shape[2:]:
                x = resize(x, skip.shape[2], skip.shape[3], self.up)
            x = block(torch.cat([x, skip], dim=1), time, context)
        return x if self.grow is None else self.grow(x, size)


def shrinking(settings: Shrinking) -> Change:
    """Return the change; with factor 1 there is none.

    At use it raises `CannotChange` for anything but a U-Net.
    """

    def shrink(network: nn.Module, moment: Moment) -> nn.Module:
        if not isinstance(network, UNet):
            raise CannotChange(f"{type(network).__name__} is no U-Net, so it has no way down")
        if settings.factor == 1:
            return network
        places = way_down(network)
        place = settings.block + settings.after_skip
        if place >= len(places):
            return network
        part = network.get_submodule(places[place])
        found: dict[str, nn.Module] = {
            places[place]: Smaller(part, settings, first=settings.after_skip)
        }
        for path, level in parts(network, UpLevel, "up."):
            found[path] = _meeting(level, settings.up)
        return variant(network, found)

    return shrink


def way_down(network: UNet) -> list[str]:
    """Return the paths of what makes the feature maps of the way down, then the middle."""
    places = ["stem"]
    for number, _ in enumerate(network.down):
        level = network.get_submodule(f"down.{number}")
        blocks = range(network.config.blocks)
        places += [f"down.{number}.blocks.{index}" for index in blocks]
        if level._modules.get("shrink") is not None:
            places.append(f"down.{number}.shrink")
    return [*places, "middle"]


def _meeting(level: UpLevel, up: str) -> Meeting:
    """Return a level that holds the same parts."""
    made = Meeting.__new__(Meeting)
    nn.Module.__init__(made)
    made.blocks, made.grow, made.up = level.blocks, level.grow, up
    return made
