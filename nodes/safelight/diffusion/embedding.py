r"""Embeddings of numbers: how a network is told what time it is.

One number t is too little for a network to hold on to, so it is written as a row of
clock hands that turn at geometrically spaced speeds:

    w_k = P^(-k / H),   k = 0 .. H-1           speeds from 1 down to 1/P
    e(t) = [cos(t w_0) .. cos(t w_{H-1}), sin(t w_0) .. sin(t w_{H-1})]

Nearby times have nearby rows; any shift of t is a rotation of each hand.

Symbols: B batch, T embedding width, H = T / 2 hands, P = 10000 the longest period.

Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.5; used for time by Ho et al.
2020 (arXiv:2006.11239), appendix B.  Diffusion codes put the cosines first.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LONGEST_PERIOD = 10_000


def sinusoids(time: Float[Tensor, " B"], width: int) -> Float[Tensor, "B {width}"]:
    """Write each time as `width` / 2 cosines followed by as many sines, in float32.

    Raises:
        ValueError: `width` is odd, so the hands do not pair up.
    """
    if width % 2:
        raise ValueError(f"the width of a time embedding must be even, got {width}")
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=time.device)
    speeds = torch.exp(-math.log(LONGEST_PERIOD) * steps / half)
    angles = time.float()[:, None] * speeds  # B H
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimeEmbedding(nn.Module):
    """Clock hands, then a small network that learns what to read from them."""

    def __init__(self, hands: int, width: int) -> None:
        super().__init__()
        self.hands = hands
        self.widen = nn.Linear(hands, width)
        self.mix = nn.Linear(width, width)

    def forward(self, time: Float[Tensor, " B"]) -> Float[Tensor, "B T"]:
        """Embed times given in the units of the schedule (0..999 for Stable Diffusion)."""
        hands = sinusoids(time, self.hands).to(self.widen.weight.dtype)
        return self.mix(F.silu(self.widen(hands)))


class VectorEmbedding(nn.Sequential):
    """A small network that reads a vector of numbers, to be added to the embedded time."""

    def __init__(self, numbers: int, width: int) -> None:
        super().__init__(nn.Linear(numbers, width), nn.SiLU(), nn.Linear(width, width))
