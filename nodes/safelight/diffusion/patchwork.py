r"""Patchwork: several things said of one picture, each of its own region.

    D = sum_i w_i D_i(x cut to region i) / sum_i w_i         0 where no region reaches

Guidance compares what is wanted with what is not, and they must look at the same pixels: for
each area of one side the other side says there what it says of the smallest area around it
(or of the whole picture), in addition to what it says anyway.

Symbols: B batch, C h w latent axes; w weights.

Source: `region`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.region import Box, Region
from safelight.diffusion.schedule import Schedule

NEARLY_NOTHING = 1e-37  # added to the sum of weights: 0 / 0 becomes 0


@dataclass(frozen=True, eq=False)
class Patch:
    """One thing said, of a part of a latent of known size; no box is the whole latent."""

    said: Conditioning
    region: Region
    box: Box | None

    def seen(self, x: Float[Tensor, "*rest H W"]) -> Float[Tensor, "*rest h w"]:
        """Return what the network sees of a latent."""
        return x if self.box is None else self.box.cut(x)

    def active(self, sigma: Float[Tensor, ""], schedule: Schedule) -> bool:
        """Tell whether it is said at this noise."""
        start, end = self.region.start, self.region.end
        if (start, end) == (0.0, 1.0):
            return True
        return schedule.percent(start) >= float(sigma) >= schedule.percent(end)


def patches(said: Conditioning, height: int, width: int) -> tuple[Patch, ...]:
    """Lay out all that is said on a latent of that size, but for what lies outside it."""
    laid = (Patch(one, one.region, one.region.box(height, width)) for one in (said, *said.others))
    return tuple(patch for patch in laid if patch.box is None or patch.box.pixels)


def paired(ours: Sequence[Patch], theirs: Sequence[Patch]) -> tuple[Patch, ...]:
    """Return our patches, and one more for each area of the other side that we lack."""
    both = list(ours)
    for patch in theirs:
        answer = None if patch.box is None else _answer(both, patch, patch.box)
        if answer is not None:
            both.append(answer)
    return tuple(both)


def mixed(
    x: Float[Tensor, "B C h w"], guesses: Sequence[tuple[Patch, Tensor]]
) -> Float[Tensor, "B C h w"]:
    """Average the guesses of all patches by their weights."""
    if len(guesses) == 1 and guesses[0][0].region.flat:
        return guesses[0][1]  # (w D) / w
    total = torch.zeros_like(x)
    weights = torch.full_like(x, NEARLY_NOTHING)
    for patch, guess in guesses:
        weight = patch.region.weight(*x.shape[2:]).to(x)[:, None]  # B 1 h w
        rounds = -(-x.shape[0] // weight.shape[0])
        weight = weight.repeat(rounds, 1, 1, 1)[: x.shape[0]]
        patch.seen(total).add_(guess * weight)
        patch.seen(weights).add_(weight)
    return total / weights


def _answer(ours: Sequence[Patch], patch: Patch, box: Box) -> Patch | None:
    """Say in an area of the other side what we say around it; None if we do already."""
    around = [(one.box.pixels, one) for one in ours if one.box is not None and one.box.holds(box)]
    anywhere = [one for one in ours if one.box is None]
    if around:
        _, smallest = min(around, key=itemgetter(0))
        return None if smallest.box == box else replace(patch, said=smallest.said)
    return replace(patch, said=anywhere[0].said) if anywhere else None
