r"""Denoisers: several kinds of network, one question - what is the clean picture?

A sampler wants D(x, sigma), the best guess of the clean latent x_0 in x = x_0 + sigma n.
Networks are trained to answer other questions, about the variance-preserving latent
z = x / sqrt(1 + sigma^2), which always has unit variance:

    "eps"   what is the noise n?                    D = x - sigma eps
    "v"     what is v = alpha n - s x_0?            D = c^2 x - c sigma v

where alpha = 1 / sqrt(1 + sigma^2) = c is the picture's share in z and s = c sigma the
noise's.  (For v: alpha z - s v = alpha^2 x_0 + alpha s n - s alpha n + s^2 x_0 = x_0.)
Noise is easy to see when there is much of it, the picture when there is little; v asks
for the one that is hard, so its error is even over all levels.

Rectified flow lets the picture fade instead, x = (1 - sigma) x_0 + sigma n, and a network
looks at x itself:

    "flow"  what is the velocity u = dx/dsigma = n - x_0?     D = x - sigma u

Symbols: x noisy latent, B C h w its axes; sigma noise, one number; t its timestep.

Source: Ho et al. 2020 (arXiv:2006.11239), equation 11; Salimans & Ho 2022
(arXiv:2202.00512), section 4; Karras et al. 2022 (arXiv:2206.00364), section 5; Liu et al.
2022 (arXiv:2209.03003), section 2.1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.conditioning import (
    Conditioning,
    Frame,
    Inputs,
    Listen,
    hear_tokens,
    stacked,
)
from safelight.diffusion.control import ControlMismatch, Placed, Question, Residuals, asked
from safelight.diffusion.patchwork import Patch, mixed, paired, patches
from safelight.diffusion.reading import Reading
from safelight.diffusion.schedule import Schedule

# (x, sigma) -> the guess of the clean latent; x is (B, C, h, w), sigma is ().
Denoiser = Callable[[Tensor, Tensor], Tensor]

# (z, timestep, tokens) -> noise or velocity; a U-Net, or whatever wraps one.  A network that
# is told more than tokens takes what is `more` in `Inputs`.
Network = Callable[..., Tensor]

Prediction = Literal["eps", "v", "flow"]


@dataclass(frozen=True, eq=False)
class LatentModel:
    """A network together with what is needed to read its answers."""

    network: Network
    schedule: Schedule
    prediction: Prediction
    dtype: torch.dtype | None = None  # what the network computes in; None: as x comes
    listen: Listen = hear_tokens  # what the family's networks hear of a conditioning
    family: str = "an unnamed family"
    reading: Reading | None = None  # other than what they were trained to predict

    def denoise(
        self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""], inputs: Inputs
    ) -> Float[Tensor, "B C h w"]:
        """Guess the clean latent of each picture, each with its own inputs.

        Only the network itself computes in its own number format; the sums that follow
        subtract nearly equal numbers and stay in that of `x`.
        """
        reading = self.reading or Reading(self.prediction)
        c = reading.share(sigma)
        timestep = self.schedule.timestep(sigma).to(x).expand(x.shape[0])
        given = inputs.to(x.device, self.dtype or x.dtype)
        z = (x * c).to(given.tokens.dtype)
        active = [one for one in given.controls if one.control.active(sigma, self.schedule)]
        more = self._residuals(active, z, timestep, given)
        if given.beside is not None:
            z = torch.cat([z, given.beside], dim=1)
        answer = self.network(z, timestep, given.tokens, *given.more, **more).to(x.dtype)
        return reading.clean(x, sigma, timestep, answer)

    def _residuals(
        self, controls: Sequence[Placed], z: Tensor, timestep: Tensor, given: Inputs
    ) -> dict[str, Residuals]:
        """Ask the control networks, if there are any; the network is told by name."""
        if not controls:
            return {}
        question = Question(z, z, timestep, given.tokens, given.vector)
        try:
            return {"residuals": asked(controls, bare(self.network), question)}
        except ControlMismatch as error:
            raise ControlMismatch(f"{error}; the model is of {self.family}") from error

    def told(self, conditioning: Conditioning, *, wanted: bool = True) -> "Told":
        """Bind what the network is told, which makes it a `Denoiser`.

        Say if it is what the picture shall keep away from: some families are told so.
        """
        return Told(self, conditioning, wanted)


@dataclass(frozen=True, eq=False)
class Told:
    """A `Denoiser`: a model that has been told what to find, and where."""

    model: LatentModel
    conditioning: Conditioning
    wanted: bool = True

    def __call__(
        self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]
    ) -> Float[Tensor, "B C h w"]:
        """Guess the clean latent."""
        (guess,) = _asked((self,), [self.patches(x)], x, sigma)
        return guess

    def patches(self, x: Float[Tensor, "B C h w"]) -> tuple[Patch, ...]:
        """Lay out what was told on a latent."""
        return patches(self.conditioning, x.shape[2], x.shape[3])

    def inputs(self, said: Conditioning, x: Float[Tensor, "B C h w"], batch: int) -> Inputs:
        """Return what the network hears of one thing, asked about a latent of that size."""
        height, width = x.shape[2:]
        heard = self.model.listen(said, Frame(height, width, self.wanted)).expanded(batch)
        controls = tuple(one.placed(height, width, batch) for one in said.control)
        return replace(heard, controls=controls)


def bare(network: Network) -> nn.Module:
    """Return a network out of all that is wrapped around it (see `change`).

    Raises:
        TypeError: there is no network inside.
    """
    inner = getattr(network, "bare", network)
    if not isinstance(inner, nn.Module):
        raise TypeError(f"{type(inner).__name__} is no network")
    return inner


def told_apart(
    tolds: Sequence[Told], x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]
) -> list[Tensor]:
    """Guess once for each of several tellings of one model, in as few batches as can be.

    All look at the same areas (see `patchwork`), and at hints that are for all.
    """
    tolds = _sharing(tolds)
    laid = [told.patches(x) for told in tolds]
    for one, _ in enumerate(tolds):
        for other, _ in enumerate(tolds):
            if other != one:
                laid[other] = paired(laid[other], laid[one])
    return _asked(tolds, laid, x, sigma)


def _sharing(tolds: Sequence[Told]) -> list[Told]:
    """Let what is to be kept away from see the hints that what is wanted shares."""
    wanted = next((told.conditioning for told in tolds if told.wanted), None)
    if wanted is None or not any(control.shared for control in wanted.control):
        return list(tolds)
    return [
        told if told.wanted else replace(told, conditioning=told.conditioning.hearing(wanted))
        for told in tolds
    ]


def _asked(
    tolds: Sequence[Told],
    laid: Sequence[Sequence[Patch]],
    x: Float[Tensor, "B C h w"],
    sigma: Float[Tensor, ""],
) -> list[Tensor]:
    """Ask about every patch of several tellings of one model, a batch for each size and length."""
    model, batch = tolds[0].model, x.shape[0]
    looked = [
        (side, patch)
        for side, several in enumerate(laid)
        for patch in several
        if patch.active(sigma, model.schedule)
    ]
    heard = [
        tolds[side].inputs(patch.said, x, batch).cut(patch.box, x.shape[2])
        for side, patch in looked
    ]
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, (_, patch) in enumerate(looked):
        alike.setdefault((*patch.seen(x).shape, heard[index].length), []).append(index)
    guesses: dict[int, Tensor] = {}
    for indices in alike.values():
        seen = torch.cat([looked[index][1].seen(x) for index in indices])
        inputs = stacked([heard[index] for index in indices], batch)
        answers = model.denoise(seen, sigma, inputs).chunk(len(indices))
        guesses |= dict(zip(indices, answers, strict=True))
    return [
        mixed(x, [(p, guesses[i]) for i, (whose, p) in enumerate(looked) if whose == side])
        for side in range(len(laid))
    ]
