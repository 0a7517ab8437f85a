r"""Answers used again: skip a step whose answer can be foreseen.

From one step to the next the answer of a network changes about as much as its input, times a
rate k that changes slowly.  So the change is foreseen, and added up over the steps skipped:

    k = |a_i - a_{i-1}| / |x_i - x_{i-1}|              at the last two computed steps
    e = e + k |x - x_i| / |a_i|                        at every step since
    a = x + (a_i - x_i)     if e < threshold           reuse
    a = network(x), e = 0   otherwise                  compute

|.| is the mean of sizes.  Threshold 0 computes every step.

`easy` watches what goes into the network and comes out, `lazy` the state of the walk and the
guided guess, whatever made it.

Symbols: x input, a answer, i the last computed step, e expected relative error.

Source: Zhou et al. 2025 (arXiv:2507.02860), section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from torch import Tensor, nn

from safelight.diffusion.denoiser import Denoiser, LatentModel, Network, Told, bare
from safelight.diffusion.guidance import Guided

Span = tuple[float, float]  # from the higher to the lower: sigmas or timesteps
NEARLY_NOTHING = 1e-12


@dataclass(eq=False)
class Memory:
    """What is remembered of the last computed step."""

    threshold: float
    x: Tensor | None = field(default=None, repr=False)
    answer: Tensor | None = field(default=None, repr=False)
    rate: float | None = None
    error: float = 0.0
    reused: int = 0

    def foreseen(self, x: Tensor) -> Tensor | None:
        """Return the answer if it can be foreseen."""
        if self.x is None or self.answer is None or self.rate is None or self.x.shape != x.shape:
            return None
        self.error += self.rate * _size(x - self.x) / max(_size(self.answer), NEARLY_NOTHING)
        if self.error >= self.threshold:
            self.error = 0.0
            return None
        self.reused += 1
        return _like(x, self.answer) + (self.answer - _like(self.x, self.answer))

    def learn(self, x: Tensor, answer: Tensor) -> Tensor:
        """Take in a computed step and return its answer."""
        if self.x is not None and self.answer is not None and self.x.shape == x.shape:
            moved = _size(x - self.x)
            self.rate = _size(answer - self.answer) / moved if moved else None
        self.x, self.answer = x, answer
        return answer


class Turns:
    """Counts how often a network is asked at one step: where prompts do not share a batch."""

    def __init__(self) -> None:
        self._now: float | None = None
        self._turn = 0

    def next(self, now: float) -> int:
        """Return the turn of a question about a timestep, from 0."""
        self._turn = self._turn + 1 if now == self._now else 0
        self._now = now
        return self._turn


class Reusing:
    """A network whose answers are used again between two timesteps.

    It is asked several times a step where prompts do not share a batch: each of those has a
    memory of its own, and all follow the first.
    """

    def __init__(self, network: Network, threshold: float, span: Span) -> None:
        self.unmoved = network  # what `change.changed` alters instead of this
        self.threshold = threshold
        self.span = span
        self.memories: list[Memory] = []
        self.turns = Turns()
        self.skips = False

    @property
    def bare(self) -> nn.Module:
        """The network without anything around it."""
        return bare(self.unmoved)

    def __call__(self, z: Tensor, timestep: Tensor, *told: Any, **more: Any) -> Tensor:
        """Compute, or foresee."""
        now = float(timestep.flatten()[0])
        turn = self.turns.next(now)
        if not self.span[0] >= now > self.span[1]:
            self.skips = False
            answer: Tensor = self.unmoved(z, timestep, *told, **more)
            return answer if now <= self.span[1] else self._memory(turn).learn(z, answer)
        memory = self._memory(turn)
        foreseen = memory.foreseen(z) if turn == 0 or self.skips else None
        if turn == 0:
            self.skips = foreseen is not None
        if foreseen is not None:
            return foreseen
        return memory.learn(z, self.unmoved(z, timestep, *told, **more))

    def _memory(self, turn: int) -> Memory:
        """Return the memory of this turn; those after the first do as the first does."""
        while len(self.memories) <= turn:
            follows = inf if self.memories else self.threshold
            self.memories.append(Memory(follows))
        return self.memories[turn]


def easy(denoise: Guided, threshold: float, span: Span) -> Guided:
    """Reuse the answers of the network, at timesteps within `span`; a new walk learns anew."""
    return remembering(denoise, lambda network: Reusing(network, threshold, span))


def remembering(denoise: Guided, wrap: Callable[[Network], Network]) -> Guided:
    """Ask every network in a wrapping that has a memory, the same for all that share one."""
    made: dict[int, LatentModel] = {}

    def wrapped(denoiser: Denoiser) -> Denoiser:
        if not isinstance(denoiser, Told):
            return denoiser
        model = denoiser.model
        if id(model) not in made:
            made[id(model)] = replace(model, network=wrap(model.network))
        return replace(denoiser, model=made[id(model)])

    return replace(
        denoise,
        positive=wrapped(denoise.positive),
        negative=wrapped(denoise.negative),
        others=tuple(map(wrapped, denoise.others)),
    )


def lazy(denoise: Guided, threshold: float, span: Span) -> Guided:
    """Reuse the guided guess, at sigmas within `span`.

    Samplers that ask for both guesses (CFG++) are always answered anew.
    """
    memory = Memory(threshold)

    def reuse(inner: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
        now = float(sigma)
        if now <= span[1]:
            return inner(x, sigma)
        foreseen = memory.foreseen(x) if now <= span[0] else None
        return memory.learn(x, inner(x, sigma)) if foreseen is None else foreseen

    return replace(denoise, around=(*denoise.around, reuse))


def _size(x: Tensor) -> float:
    """Return the mean of sizes."""
    return float(x.abs().mean())


def _like(x: Tensor, answer: Tensor) -> Tensor:
    """Return the channels of an input that the answer has too: others lie beside the latent."""
    return x[:, : answer.shape[1]]
