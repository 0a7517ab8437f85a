r"""Conditioning: what a denoiser is told about the picture it should find.

For Stable Diffusion 1 it is the prompt as token vectors; later families also want one
pooled vector, or the size of the picture that the prompt describes.  A long prompt is
several chunks of 77 tokens laid end to end.

    Conditioning -> listen (of the family's row) -> Inputs -> the network

`Conditioning` is what was said, the same for every family; `Inputs` are the tensors that a
network takes, which also depend on the latent it is asked about.

Two prompts of different length cannot share a batch as they are.  Repeating a prompt
k times changes nothing that a network can see: in softmax attention every key then
appears k times with the same score, numerator and denominator both grow k-fold, and

    sum_j k e^{s_j} v_j / sum_j k e^{s_j} = sum_j e^{s_j} v_j / sum_j e^{s_j}

so prompts are repeated to the least common multiple of their lengths.  That holds for
cross-attention.  Where words and picture share one attention, more words would drown the
picture, so prompts of different length are asked about apart (`counted`).

Symbols: B batch, L tokens, D token width, P pooled width, Y width of the vector that a
network takes, K channels beside the latent, h x w latent pixels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.control import Control, Placed, together
from safelight.diffusion.region import Box, Region

EVERYWHERE = Region()


@dataclass(frozen=True, slots=True)
class Size:
    """What training remembered of each picture, all in pixels.

    Its size before it was scaled, where it was cut out of, and the size it was to have.
    """

    height: int
    width: int
    top: int = 0
    left: int = 0
    target_height: int | None = None  # None: its own height
    target_width: int | None = None

    @property
    def numbers(self) -> tuple[float, ...]:
        """Original size, corner, target size: the order in which networks hear them."""
        target_height = self.height if self.target_height is None else self.target_height
        target_width = self.width if self.target_width is None else self.target_width
        sides = (self.height, self.width, self.top, self.left, target_height, target_width)
        return tuple(map(float, sides))


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What a denoiser is told; a family takes of it what it knows."""

    tokens: Float[Tensor, "B L D"]
    pooled: Float[Tensor, "B P"] | None = None
    size: Size | None = None  # None: that of the latent
    score: float | None = None  # how beautiful the picture is, 0..10; None: as is usual
    beside: Float[Tensor, "B K h w"] | None = None  # channels laid beside the noisy latent
    guidance: float | None = None  # the scale that a distilled network is told; None: as is usual
    control: tuple[Control, ...] = ()  # hints that other networks look at
    region: Region = EVERYWHERE  # where and when it is said
    others: tuple["Conditioning", ...] = ()  # what else is said of the same picture

    def with_region(self, region: Region) -> "Conditioning":
        """Return it said of a region."""
        return replace(self, region=region)

    def followed_by(self, other: "Conditioning") -> "Conditioning":
        """Return it with another's tokens after its own, as if both were one long prompt."""
        return replace(self, tokens=torch.cat([self.tokens, other.tokens], dim=1))

    def averaged(self, other: "Conditioning", share: float) -> "Conditioning":
        """Return `share` of it and the rest of another; what one of them lacks counts as 0.

        Only as many tokens as it has itself are kept.
        """
        missing = self.tokens.shape[1] - other.tokens.shape[1]
        theirs = torch.nn.functional.pad(other.tokens, (0, 0, 0, max(missing, 0)))
        tokens = torch.lerp(theirs[:, : self.tokens.shape[1]], self.tokens, share)
        if self.pooled is None or other.pooled is None:
            pooled = other.pooled if self.pooled is None else self.pooled
        else:
            pooled = torch.lerp(other.pooled, self.pooled, share)
        return replace(self, tokens=tokens, pooled=pooled)

    def each(self, change: Callable[["Conditioning"], "Conditioning"]) -> "Conditioning":
        """Return it with everything that is said changed in the same way."""
        others = tuple(change(other) for other in self.others)
        return replace(change(replace(self, others=())), others=others)

    def joined(self, other: "Conditioning") -> "Conditioning":
        """Return it together with what another says of the same picture."""
        more = (replace(other, others=()), *other.others)
        return replace(self, others=(*self.others, *more))

    def with_size(self, size: Size) -> "Conditioning":
        """Return it with the size that the picture is said to have."""
        return replace(self, size=size)

    def with_score(self, score: float) -> "Conditioning":
        """Return it with a score for beauty."""
        return replace(self, score=score)

    def with_beside(self, beside: Float[Tensor, "B K h w"]) -> "Conditioning":
        """Return it with channels that lie beside the noisy latent, in diffusion's scale."""
        return replace(self, beside=beside)

    def with_guidance(self, guidance: float) -> "Conditioning":
        """Return it with the guidance scale that a distilled network is told."""
        return replace(self, guidance=guidance)

    def with_control(self, control: tuple[Control, ...]) -> "Conditioning":
        """Return it with these hints in place of its own."""
        return replace(self, control=control)

    def hearing(self, other: "Conditioning") -> "Conditioning":
        """Return it with the hints that another shares, wherever it has none of its own."""
        shared = tuple(one for one in other.control if one.shared)
        if not shared:
            return self
        return self.each(lambda one: one if one.control else one.with_control(shared))

    def zeroed(self) -> "Conditioning":
        """Return it with all words gone: zeros, which are not the vectors of no words."""
        pooled = None if self.pooled is None else torch.zeros_like(self.pooled)
        return replace(self, tokens=torch.zeros_like(self.tokens), pooled=pooled)


@dataclass(frozen=True, slots=True)
class Frame:
    """The latent that a network is asked about, and whether it shall come near or keep away."""

    height: int  # latent pixels
    width: int
    wanted: bool = True


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network hears, for one picture or for each of a batch."""

    tokens: Float[Tensor, "B L D"]
    vector: Float[Tensor, "Bv Y"] | None = None
    beside: Float[Tensor, "Bb K h w"] | None = None
    guidance: Float[Tensor, " Bg"] | None = None
    controls: tuple[Placed, ...] = ()  # hints, each for some pictures of the batch
    counted: bool = False  # how many tokens there are matters: they may not be repeated

    @property
    def length(self) -> int:
        """The number of tokens that others in the same batch must have too; 0: any number."""
        return self.tokens.shape[1] if self.counted else 0

    @property
    def more(self) -> tuple[Tensor, ...]:
        """What a network takes after the tokens, in this order."""
        return tuple(part for part in (self.vector, self.guidance) if part is not None)

    def expanded(self, batch: int) -> "Inputs":
        """Give every picture of a batch its own; see the function `expanded`."""
        return replace(
            self,
            tokens=expanded(self.tokens, batch),
            vector=_expanded(self.vector, batch),
            beside=_expanded(self.beside, batch),
            guidance=_expanded(self.guidance, batch),
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> "Inputs":
        """Return them where and in the number format that a network computes in."""
        vector = None if self.vector is None else self.vector.to(device, dtype)
        beside = None if self.beside is None else self.beside.to(device, dtype)
        guidance = None if self.guidance is None else self.guidance.to(device)  # as exact as time
        tokens = self.tokens.to(device, dtype)
        return replace(self, tokens=tokens, vector=vector, beside=beside, guidance=guidance)

    def cut(self, box: Box | None, height: int) -> "Inputs":
        """Return them for a part of a latent so high: hints and what lies beside are cut alike."""
        if box is None:
            return self
        beside = None if self.beside is None else box.cut(self.beside)
        controls = tuple(placed.cut(box, height) for placed in self.controls)
        return replace(self, beside=beside, controls=controls)


def stacked(several: Sequence[Inputs], batch: int) -> Inputs:
    """Stack the inputs of one family, each for `batch` pictures, prompts at a common length."""
    length = math.lcm(*(inputs.tokens.shape[1] for inputs in several))
    wide = [replace(one, tokens=_repeated(one.tokens, length)).expanded(batch) for one in several]
    return Inputs(
        torch.cat([one.tokens for one in wide]),
        _stacked([one.vector for one in wide]),
        _stacked([one.beside for one in wide]),
        _stacked([one.guidance for one in wide]),
        together(
            placed.shifted(i * batch) for i, one in enumerate(several) for placed in one.controls
        ),
    )


# What a conditioning means to the networks of a family.
Listen = Callable[[Conditioning, Frame], Inputs]


def hear_tokens(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Take the prompt's tokens and nothing else: Stable Diffusion 1 and 2."""
    return Inputs(conditioning.tokens)


def expanded(rows: Float[Tensor, "B *rest"], batch: int) -> Float[Tensor, "{batch} *rest"]:
    """Give every picture of a batch its prompt (or whatever has rows); one serves all.

    With fewer prompts than pictures they are used in turn, from the first again.
    """
    rest = rows.ndim - 1
    if rows.shape[0] == 1:
        return rows.expand(batch, *[-1] * rest)
    rounds = math.ceil(batch / rows.shape[0])
    return rows.repeat(rounds, *[1] * rest)[:batch]


def _repeated(tokens: Float[Tensor, "B L D"], length: int) -> Float[Tensor, "B {length} D"]:
    """Lay a prompt end to end until it is `length` tokens long."""
    return tokens.repeat(1, length // tokens.shape[1], 1)


def _expanded(rows: Tensor | None, batch: int) -> Tensor | None:
    """Expand what is there."""
    return None if rows is None else expanded(rows, batch)


def _stacked(several: Sequence[Tensor | None]) -> Tensor | None:
    """Stack what is there; the inputs of one family have the same parts."""
    there = [rows for rows in several if rows is not None]
    return torch.cat(there) if there else None
