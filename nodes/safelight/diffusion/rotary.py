r"""Places as angles: queries and keys are turned by where they are ("RoPE").

Each token has a few coordinates m.  Before queries meet keys, every pair of their numbers is
turned like a clock hand by an angle in proportion to a coordinate:

    (a, b) -> (a cos(m w) - b sin(m w), a sin(m w) + b cos(m w)),   w_k = P^(-2 k / d_m)

The product of a query turned by m and a key turned by n depends on m - n alone: what counts
is how far apart two tokens are.

Symbols: B batch, N tokens, d head width, d_m the numbers of a head that turn with coordinate
m, P = 10000.

Source: Su et al. 2021 (arXiv:2104.09864), section 3.2.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.embedding import LONGEST_PERIOD


class Turn(NamedTuple):
    """By which angles the tokens' numbers are turned, each (N, 1, d / 2) for all heads."""

    cos: Tensor
    sin: Tensor


def coordinates(words: int, rows: int, columns: int) -> Float[Tensor, "N 3"]:
    """Return where each token is: the words at zero, then the patches row by row."""
    patches = torch.zeros(rows, columns, 3, dtype=torch.float64)
    patches[..., 1] = torch.arange(rows)[:, None]
    patches[..., 2] = torch.arange(columns)
    return torch.cat([torch.zeros(words, 3, dtype=torch.float64), patches.flatten(0, 1)])


def turn_for(places: Float[Tensor, "N axes"], axes: tuple[int, ...]) -> Turn:
    """Return the angles of tokens at `places`; computed in float64, kept in float32."""
    angles = [
        places[:, i, None]
        * LONGEST_PERIOD ** -(torch.arange(0, numbers, 2, dtype=torch.float64) / numbers)
        for i, numbers in enumerate(axes)
    ]
    joined = torch.cat(angles, dim=-1)[:, None]  # N 1 d/2
    return Turn(joined.cos().float(), joined.sin().float())


def turned(x: Float[Tensor, "B N heads d"], turn: Turn) -> Float[Tensor, "B N heads d"]:
    """Turn each pair of neighbouring numbers by its angle."""
    a, b = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    pairs = [a * turn.cos - b * turn.sin, a * turn.sin + b * turn.cos]
    return torch.stack(pairs, dim=-1).flatten(-2).to(x.dtype)
