r"""More prompts than two, compared in one batch.

Dual guidance goes from what nobody wants (U) to a middle (M), often a picture to be edited,
and from there to what the words say (C); each step has its scale:

    regular     D = U + w_2 (M - U) + w_1 (C - M)
    nested      D = U + w_2 (M + w_1 (C - M) - U)

A negative prompt pushes away from all it shares with the positive one too.  The perpendicular
negative takes only what of it the positive lacks, both seen from the empty prompt E:

    p = C - E,   n = N - E,   n' = n - p <n, p> / |p|^2
    D = E + w (p - s n')

Symbols: C, M, U, N, E guesses of one state, told differently; w, w_1, w_2, s scales.

Source: Brooks et al. 2022 (arXiv:2211.09800), section 3.2, for two scales; Armandpour et al.
2023 (arXiv:2304.04968), section 4.
"""

from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.guidance import Guided, Look, Rule, guided

PICTURE = (1, 2, 3)  # the axes of one picture
NEARLY_NOTHING = 1e-8


def dual(
    wanted: Denoiser,
    middle: Denoiser,
    unwanted: Denoiser,
    scales: tuple[float, float],
    *,
    nested: bool = False,
) -> Guided:
    """Return a denoiser led from `unwanted` over `middle` to `wanted`.

    `scales` are w_1 (middle to wanted) and w_2 (unwanted to middle).  What would be multiplied
    by 0 is not asked.
    """
    first, second = scales
    if second == 1:
        return guided(wanted, middle, first)
    if nested and first == 1:
        return guided(wanted, unwanted, second)
    rule = _nested(first) if nested else _regular(first)
    return Guided(wanted, unwanted, second, others=(middle,), rule=rule, always=True)


def perpendicular(
    wanted: Denoiser, unwanted: Denoiser, empty: Denoiser, scale: float, strength: float
) -> Guided:
    """Return a denoiser kept from what `unwanted` says and `wanted` does not.

    At strength 0 it is plain guidance against `empty`.
    """
    if strength == 0:
        return guided(wanted, empty, scale)

    def rule(look: Look) -> Tensor:
        ours, theirs = look.wanted - look.unwanted, look.others[0] - look.unwanted
        shared = _dot(theirs, ours) / _dot(ours, ours).clamp(min=NEARLY_NOTHING)
        return look.unwanted + look.scale * (ours - strength * (theirs - shared * ours))

    return Guided(wanted, empty, scale, others=(unwanted,), rule=rule, always=True)


def _regular(first: float) -> Rule:
    def rule(look: Look) -> Tensor:
        (middle,) = look.others
        lifted = look.unwanted + look.scale * (middle - look.unwanted)
        return lifted + first * (look.wanted - middle)

    return rule


def _nested(first: float) -> Rule:
    def rule(look: Look) -> Tensor:
        (middle,) = look.others
        inner = middle + first * (look.wanted - middle)
        return look.unwanted + look.scale * (inner - look.unwanted)

    return rule


def _dot(a: Float[Tensor, "B C h w"], b: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 1 1 1"]:
    """Multiply and add up each picture."""
    return (a * b).sum(dim=PICTURE, keepdim=True)
