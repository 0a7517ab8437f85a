r"""Merging: a network between two others of one shape.

Networks that were fine-tuned from one ancestor lie in one valley: the mean of their weights
is a good network too, and a difference of weights is a skill that can be added to a third:

    simple      w A + (1 - w) B            w may differ from block to block
    difference  m (A - B)                  what A has learnt since B
    sum         A + D                      add such a skill

Sums are taken in float32 and rounded once, to A's number format.  The result is a variant of
A: a weight that is A's alone is shared with it, and nothing is changed in place.

Symbols: A, B networks; w a share in 0..1; m a factor; D a difference.

Source: Wortsman et al. 2022 (arXiv:2203.05482), section 2; Ilharco et al. 2023
(arXiv:2212.04089), section 2.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from safelight.diffusion.variant import variant
from safelight.diffusion.weights import MisfitError

Network = TypeVar("Network", bound=nn.Module)
# The name of a weight -> what A and B are multiplied by.
Shares = Callable[[str], tuple[float, float]]


def simple(share: float) -> Shares:
    """Return shares for w A + (1 - w) B, w being the same everywhere."""
    return lambda name: (share, 1 - share)


def difference(factor: float) -> Shares:
    """Return shares for m (A - B)."""
    return lambda name: (factor, -factor)


def total(name: str) -> tuple[float, float]:
    """Return shares for A + B."""
    return 1.0, 1.0


def by_blocks(starts: Mapping[str, float], other: float, names: Mapping[str, str]) -> Shares:
    """Return shares for w A + (1 - w) B, with w told by how a weight's name begins.

    The longest beginning counts; `other` is w where none fits.  `names` translates ours to
    those in which the beginnings are written.
    """

    def shares(name: str) -> tuple[float, float]:
        fitting = [start for start in starts if names[name].startswith(start)]
        share = starts[max(fitting, key=len)] if fitting else other
        return share, 1 - share

    return shares


def merged(first: Network, second: nn.Module, shares: Shares) -> Network:
    """Return a network with the weights of two, A and B, in these shares.

    Raises:
        MisfitError: the two differ in the names or shapes of their weights; lists every one.
    """
    theirs = dict(second.named_parameters())
    ours = dict(first.named_parameters())
    misfits = [f"{name}: only in one of the two" for name in ours.keys() ^ theirs.keys()]
    misfits += [
        f"{name}: {list(ours[name].shape)} in the first, {list(theirs[name].shape)} in the second"
        for name in ours.keys() & theirs.keys()
        if ours[name].shape != theirs[name].shape
    ]
    if misfits:
        raise MisfitError(sorted(misfits))
    parts: dict[str, nn.Module | nn.Parameter] = {}
    for name, own in ours.items():
        a, b = shares(name)
        if (a, b) != (1, 0):
            parts[name] = nn.Parameter(_sum(own, a, theirs[name], b), requires_grad=False)
    return variant(first, parts)


def _sum(own: Tensor, a: float, other: Tensor, b: float) -> Tensor:
    """Return a A + b B in A's number format."""
    if (a, b) == (0, 1):
        return other.detach().to(own.dtype)
    return (own.detach().float() * a + other.detach().float() * b).to(own.dtype)
