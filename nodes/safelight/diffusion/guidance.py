r"""Guidance: asking twice, with and without the prompt, and exaggerating the difference.

    D = U + w (C - U)

C is the guess of a denoiser that was told the prompt, U that of one told something else
(nothing, or a negative prompt), w the scale.  w = 1 is the prompt alone; larger w walks
further along the direction in which the prompt changes the guess: closer to the words,
less varied, at last over-saturated.

Every step then costs two evaluations.  They are independent, so they run as one batch.

Many have improved on the line above.  Each improvement is a `Technique`: it takes a guided
denoiser and returns one that does something more, at one of three places:

    C, U = before(C, U)         mend the guesses before they are compared
    D = rule(C, U, w)           compare them otherwise, or with more guesses than two
    D = after(D, C, U)          mend what came out, perhaps by asking once more

They are told in `guides/`, each from one idea.

Symbols: B batch, C h w latent axes; sigma noise.

Source: Ho & Salimans 2022 (arXiv:2207.12598), equation 6 (there w is counted from 0).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser, Told, told_apart


class Guesses(NamedTuple):
    """What guidance makes of a state, and what would be guessed without it."""

    guided: Float[Tensor, "B C h w"]
    unguided: Float[Tensor, "B C h w"]


@runtime_checkable
class Contrasting(Protocol):
    """A `Denoiser` that also tells its guess without the prompt.

    Samplers that measure noise without guidance (`samplers.cfg_pp`) ask for both; whatever
    wraps a guided denoiser and wants to serve them answers both as well.
    """

    def both(self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]) -> Guesses:
        """Guess with and without guidance."""
        ...


def both(denoise: Denoiser, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]) -> Guesses:
    """Ask a denoiser for both guesses; one without guidance has but one."""
    if isinstance(denoise, Contrasting):
        return denoise.both(x, sigma)
    guess = denoise(x, sigma)
    return Guesses(guess, guess)


@dataclass(frozen=True, eq=False)
class Look:
    """All that guidance knows when it has asked about one state."""

    x: Float[Tensor, "B C h w"]
    sigma: Float[Tensor, ""]
    wanted: Float[Tensor, "B C h w"]  # C
    unwanted: Float[Tensor, "B C h w"]  # U; C where it was not asked
    scale: float  # w
    others: tuple[Tensor, ...] = ()  # guesses of further denoisers


Before = Callable[[Look], Look]
Rule = Callable[[Look], Tensor]
After = Callable[[Look, Tensor], Tensor]  # the look, and D so far
Around = Callable[[Denoiser, Tensor, Tensor], Tensor]  # may answer instead of the denoiser


def contrast(look: Look) -> Float[Tensor, "B C h w"]:
    """Return U + w (C - U), the plain rule."""
    return look.unwanted + look.scale * (look.wanted - look.unwanted)


def guided(positive: Denoiser, negative: Denoiser, scale: float) -> "Guided":
    """Return a denoiser that is pushed away from `negative`.

    At scale 1 the negative would be multiplied by 0, so it is only asked for `both`.
    """
    return Guided(positive, negative, scale)


@dataclass(frozen=True, eq=False)
class Guided:
    """The denoiser that `guided` makes, and what techniques have added to it."""

    positive: Denoiser
    negative: Denoiser
    scale: float
    others: tuple[Denoiser, ...] = ()  # asked along with the two
    before: tuple[Before, ...] = ()
    rule: Rule = contrast
    after: tuple[After, ...] = ()
    around: tuple[Around, ...] = ()  # the last one is the outermost
    always: bool = False  # the negative is asked at scale 1 too
    span: tuple[float, float] = (math.inf, 0.0)  # sigmas at which it guides, ends included

    def __call__(
        self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]
    ) -> Float[Tensor, "B C h w"]:
        """Return the guided guess."""
        if not self.around:
            return self._guess(x, sigma)
        inner = replace(self, around=self.around[:-1])
        return self.around[-1](inner, x, sigma)

    def both(self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]) -> Guesses:
        """Return the same, always newly asked, and U."""
        asked = (self.positive, self.negative, *self.others)
        wanted, unwanted, *others = _side_by_side(asked, x, sigma)
        look = Look(x, sigma, wanted, unwanted, self._scale(sigma), tuple(others))
        for mend in self.before:
            look = mend(look)
        return Guesses(self._mended(look, self.rule(look)), look.unwanted)

    def _guess(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Ask only the positive where the rest would count for nothing."""
        if self.always or self._scale(sigma) != 1:
            return self.both(x, sigma).guided
        wanted = self.positive(x, sigma)
        return self._mended(Look(x, sigma, wanted, wanted, 1.0), wanted)

    def _scale(self, sigma: Tensor) -> float:
        """Return w, which is 1 outside the span."""
        if self.span == (math.inf, 0.0):
            return self.scale
        return self.scale if self.span[0] >= float(sigma) >= self.span[1] else 1.0

    def _mended(self, look: Look, guess: Tensor) -> Tensor:
        """Let everything that comes after have its way."""
        for mend in self.after:
            guess = mend(look, guess)
        return guess


# Guidance with something more; what it remembers from step to step lives as long as a walk.
Technique = Callable[[Guided], Guided]


def refined(denoise: Guided, techniques: Sequence[Technique]) -> Guided:
    """Apply techniques in turn."""
    for technique in techniques:
        denoise = technique(denoise)
    return denoise


def _side_by_side(asked: Sequence[Denoiser], x: Tensor, sigma: Tensor) -> list[Tensor]:
    """Ask all, those of the same network in one batch."""
    tolds = list({id(one): one for one in asked if isinstance(one, Told)}.values())
    answers: dict[int, Tensor] = {}
    for model in {id(told.model): told.model for told in tolds}.values():
        same = [told for told in tolds if told.model is model]
        answers |= dict(zip(map(id, same), told_apart(same, x, sigma), strict=True))
    return [answers[id(one)] if id(one) in answers else one(x, sigma) for one in asked]
