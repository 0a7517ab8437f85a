r"""FreeU: on the way up, trust what comes from below more, and what comes from beside less.

Each block of the way up is handed h from below, which has understood the picture, and a skip
from beside, which is mostly fine texture.  At the two lowest widths

    h[first half of the channels]  *=  b                                version 1
                                   *=  1 + (b - 1) (m - min m) / (max m - min m)    version 2
    skip = IFFT(mask FFT(skip)),   mask = s at the lowest frequencies, 1 elsewhere

with m the mean of h over its channels, so that version 2 strengthens where h is strong.

Symbols: b, s factors, one pair for each of the two widths (four and two times the model's);
1 leaves everything as it is.

Source: Si et al. 2023 (arXiv:2309.11497), equations 4 to 8; version 2 is that of the authors'
code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.change import CannotChange, Change, Moment, parts
from safelight.diffusion.guides.frequency import filtered
from safelight.diffusion.unet import UNet, UpLevel
from safelight.diffusion.variant import variant


@dataclass(frozen=True, slots=True)
class Factors:
    """What h and the skip are multiplied by at one width."""

    below: float  # b
    beside: float  # s


class Weighed(nn.Module):
    """A block of the way up whose inputs are weighed first."""

    def __init__(self, block: nn.Module, channels: int, factors: Factors, *, local: bool) -> None:
        super().__init__()
        self.block = block
        self.channels = channels  # of h; the rest of the input is the skip
        self.factors = factors
        self.local = local

    def forward(self, x: Float[Tensor, "B C h w"], *told: Tensor) -> Float[Tensor, "B C_out h w"]:
        """Weigh h and the skip, which lie one after the other in `x`."""
        h, skip = x[:, : self.channels], x[:, self.channels :]
        if self.factors.below != 1:
            half = self.channels // 2
            strength = self._strength(h)
            h = torch.cat([h[:, :half] * strength, h[:, half:]], dim=1)
        if self.factors.beside != 1:
            skip = filtered(skip, self.factors.beside, 1.0, cutoff=1)
        refined: Tensor = self.block(torch.cat([h, skip], dim=1), *told)
        return refined

    def _strength(self, h: Float[Tensor, "B C h w"]) -> Tensor | float:
        """Return what half of h is multiplied by."""
        if not self.local:
            return self.factors.below
        mean = h.mean(dim=1, keepdim=True)  # B 1 h w
        low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
        spread = (high - low).clamp(min=torch.finfo(h.dtype).tiny)
        return 1 + (self.factors.below - 1) * (mean - low) / spread


def freeu(widest: Factors, wide: Factors, *, local: bool) -> Change:
    """Return the change; `local` is version 2.

    At use it raises `CannotChange` for anything but a U-Net.
    """

    def weigh(network: nn.Module, moment: Moment) -> nn.Module:
        if not isinstance(network, UNet):
            raise CannotChange(f"{type(network).__name__} is no U-Net, so it has no way up")
        width = network.config.width
        factors = {4 * width: widest, 2 * width: wide}
        found: dict[str, nn.Module] = {}
        for path, block, channels in _blocks(network):
            if channels in factors:
                found[path] = Weighed(block, channels, factors[channels], local=local)
        return variant(network, found)

    return weigh


def _blocks(network: UNet) -> Sequence[tuple[str, nn.Module, int]]:
    """Return every block of the way up with its path and the channels it gets from below."""
    found: list[tuple[str, nn.Module, int]] = []
    channels = network.config.widths[-1]
    levels = list(parts(network, UpLevel, "up."))
    for (path, level), width in zip(levels, network.config.widths[::-1], strict=True):
        for index, block in enumerate(level.blocks):
            found.append((f"{path}.blocks.{index}", block, channels))
            channels = width
    return found
