r"""T2I-adapters: hints for the price of one look.

A ControlNet is asked at every step, for it also sees the noisy latent.  An adapter sees the
hint alone, so its answer is the same at every noise.  It folds the hint's pixels into
channels and walks down beside the U-Net, a few convolutions a level:

    a = conv(unshuffle(hint))                 8 x 8 pixels become one, of 64 times the channels
    a = a + W_2 relu(W_1 a)                   twice a level, on ever smaller maps
    f_l = a                                   the level's features

and f_l is added to the last feature map of level l of the U-Net, which passes it on to all
that follows.  For XL the hint is folded 16 x 16, the first features meet the map that has
just shrunk, and the last ones are added at the bottom.

Symbols: B batch, K channels of the hint, H x W its pixels; C channels of a level.

Source: Mou et al. 2023 (arXiv:2302.08453), section 3.3 and figure 3; for XL its authors'
release of September 2023, as described in the documentation of the diffusers library.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.control import Controller, ControlMismatch, Question, Residuals
from safelight.diffusion.unet import UNet, UNetConfig


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """The sizes of an adapter; the defaults are Stable Diffusion 1's."""

    channels: tuple[int, ...] = (320, 640, 1280, 1280)  # a level
    hint_channels: int = 3
    blocks: int = 2  # a level
    fold: int = 8  # pixels of the hint along one of the first features

    @property
    def for_xl(self) -> bool:
        """Whether it walks beside an XL U-Net."""
        return self.fold == 16

    @property
    def shrinks(self) -> tuple[bool, ...]:
        """Which levels begin by halving the map."""
        if self.for_xl:
            return tuple(level == 2 for level in range(len(self.channels)))
        return tuple(level > 0 for level in range(len(self.channels)))


class AdapterBlock(nn.Module):
    """Two convolutions around what was there."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """Refine the map."""
        return x + self.conv2(F.relu(self.conv1(x)))


class AdapterLevel(nn.Module):
    """The blocks of one level, perhaps after halving the map and changing its channels."""

    def __init__(self, before: int, channels: int, blocks: int, *, shrinks: bool) -> None:
        super().__init__()
        self.shrinks = shrinks
        self.widen = nn.Conv2d(before, channels, 1) if before != channels else nn.Identity()
        self.blocks = nn.ModuleList(AdapterBlock(channels) for _ in range(blocks))

    def forward(self, x: Float[Tensor, "B C_in h w"]) -> Float[Tensor, "B C h_out w_out"]:
        """Return the features of this level; odd sides round up."""
        if self.shrinks:
            x = F.avg_pool2d(x, 2, ceil_mode=True)
        x = self.widen(x)
        for block in self.blocks:
            x = block(x)
        return x


class T2IAdapter(Controller):
    """A hint -> features to add on the way down of a U-Net."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        first = config.channels[0]
        self.stem = nn.Conv2d(config.hint_channels * config.fold**2, first, 3, padding=1)
        before = (first, *config.channels[:-1])
        self.levels = nn.ModuleList(
            AdapterLevel(come, go, config.blocks, shrinks=shrinks)
            for come, go, shrinks in zip(before, config.channels, config.shrinks, strict=True)
        )

    def forward(self, hint: Float[Tensor, "B K H W"]) -> list[Tensor]:
        """Return the features of every level."""
        x = self.stem(F.pixel_unshuffle(hint, self.config.fold))
        features: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features

    def answer(self, question: Question) -> Residuals:
        """Return the features where the U-Net's maps have their size."""
        hint = question.hint
        if self.config.hint_channels == 1:
            hint = hint.mean(dim=1, keepdim=True)
        features = self(hint)
        if self.config.for_xl:  # stem, 2 blocks, shrink; 2 blocks, shrink; 2 blocks; middle
            first, second, third, last = features
            return Residuals(
                passing=(None, None, None, first, None, second, None, None, third), middle=last
            )
        passing: list[Tensor | None] = [None]  # the stem's
        for level, feature in enumerate(features):
            passing += [None, feature]
            if level < len(features) - 1:
                passing.append(None)  # where the map shrinks
        return Residuals(passing=tuple(passing))

    def on(self, base: object) -> "T2IAdapter":
        """Return itself, if the denoiser has levels of these widths.

        Raises:
            ControlMismatch: it has not.
        """
        if not isinstance(base, UNet):
            raise ControlMismatch(f"it steers a U-Net, and this is a {type(base).__name__}")
        wanted = _channels(base.config, for_xl=self.config.for_xl)
        if base.config.blocks != 2 or wanted != self.config.channels:
            raise ControlMismatch(f"its levels have {self.config.channels} channels, not {wanted}")
        return self


def _channels(config: UNetConfig, *, for_xl: bool) -> tuple[int, ...]:
    """Return the channels that an adapter for such a U-Net has."""
    return (*config.widths, config.widths[-1]) if for_xl else config.widths
