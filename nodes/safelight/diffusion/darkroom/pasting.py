r"""Pasting: lay one picture over another.

    result = m patch + (1 - m) base        where the patch lies; the base elsewhere

m is a mask between 0 and 1 in the patch's own pixels.  A patch may stick out of the base on
any side; only what is visible is laid down.

Symbols: B batch, C channels, H x W pixels of the base, h x w of the patch, m mask.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

Combine = Callable[[Tensor, Tensor], Tensor]  # (base, patch) -> what stands there then


@dataclass(frozen=True, slots=True)
class Overlap:
    """The pixels where a patch lies on its base, as slices of either."""

    base: tuple[slice, slice]
    patch: tuple[slice, slice]

    @classmethod
    def of(cls, base: Tensor, patch: Tensor, left: int, top: int) -> "Overlap":
        """Line two pictures up; `left` and `top` are the patch's place and may be negative."""
        rows = _common(base.shape[-2], patch.shape[-2], top)
        columns = _common(base.shape[-1], patch.shape[-1], left)
        return cls((rows[0], columns[0]), (rows[1], columns[1]))


def pasted(
    base: Float[Tensor, "*B H W"],
    patch: Float[Tensor, "*B h w"],
    left: int,
    top: int,
    mask: Float[Tensor, "*_ h w"] | None = None,
) -> Float[Tensor, "*B H W"]:
    """Lay `patch` over `base`, as far as `mask` says (everywhere, if there is none)."""
    if mask is None:
        return combined(base, patch, left, top, lambda old, new: new)
    over = Overlap.of(base, patch, left, top)
    share = mask[(..., *over.patch)]
    return combined(base, patch, left, top, lambda old, new: share * new + (1 - share) * old)


def combined(
    base: Float[Tensor, "*B H W"],
    patch: Float[Tensor, "*B h w"],
    left: int,
    top: int,
    combine: Combine,
) -> Float[Tensor, "*B H W"]:
    """Return `base` with `combine(base, patch)` where the patch lies on it."""
    over = Overlap.of(base, patch, left, top)
    result = base.clone()
    result[(..., *over.base)] = combine(base[(..., *over.base)], patch[(..., *over.patch)])
    return result


def _common(base: int, patch: int, at: int) -> tuple[slice, slice]:
    """Return the common stretch along one axis, counted in the base and in the patch."""
    begin, end = max(at, 0), min(at + patch, base)
    end = max(begin, end)
    return slice(begin, end), slice(begin - at, end - at)
