r"""The residual block: two convolutions that refine a picture and keep what was there.

    h = conv1(silu(norm1(x)))            look at the neighbourhood
    h = h + W_t silu(t)                  shift every channel by the time (denoisers only)
    y = skip(x) + conv2(silu(norm2(h)))  refine, and keep what we had

A denoiser runs the same weights at every noise level, so each of its blocks must be told
the level: one number a channel, read from the time embedding t.  An autoencoder has no
time; its blocks leave the second line out.

Symbols: B batch, C channels, H x W latent pixels, T time-embedding width.

Source: Ho et al. 2020 (arXiv:2006.11239), appendix B; Dhariwal & Nichol 2021
(arXiv:2105.05233), section 3.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class ResidualConfig:
    """The sizes of one block; see the module docstring for the symbols."""

    channels_in: int
    channels_out: int
    time_width: int = 0  # 0: a block without a clock
    groups: int = 32  # every published Stable Diffusion network uses 32
    epsilon: float = 1e-5


class ResidualBlock(nn.Module):
    """Two convolutions around a time shift, with a skip path.

    The second convolution starts at zero, so that a fresh block passes its input on
    unchanged and a deep stack of them trains from the first step.
    """

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__()
        c_in, c_out = config.channels_in, config.channels_out
        self.norm1 = nn.GroupNorm(config.groups, c_in, eps=config.epsilon)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.time = nn.Linear(config.time_width, c_out) if config.time_width else None
        self.norm2 = nn.GroupNorm(config.groups, c_out, eps=config.epsilon)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.skip = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(
        self, x: Float[Tensor, "B C_in H W"], time: Float[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B C_out H W"]:
        """Refine `x`; `time` is required exactly when the block has a clock.

        Raises:
            ValueError: the block has a clock and no time was given, or the reverse.
        """
        h = self.conv1(F.silu(self.norm1(x)))  # B C_out H W
        if self.time is not None and time is not None:
            h = h + self.time(F.silu(time))[:, :, None, None]  # one shift per channel
        elif self.time is not None or time is not None:
            raise ValueError("a residual block takes a time if and only if it has a clock")
        h = self.conv2(F.silu(self.norm2(h)))
        return self.skip(x) + h
