"""Small transformers of Stable Diffusion 3 and Flux, and what to ask them."""

from dataclasses import dataclass, replace

import torch
from tests.diffusion.networks import randomised
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel, Told
from safelight.diffusion.flux import Flux, FluxConfig
from safelight.diffusion.mmdit import MMDiT, MMDiTConfig
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.sentences import hear_guided, hear_pooled

MMDIT = MMDiTConfig(side=8, width=64, depth=4, heads=1, context_width=32, pooled_width=16)
FLUX = FluxConfig(
    width=32,
    hidden=64,
    heads=2,
    double_depth=2,
    single_depth=1,
    axes=(4, 6, 6),
    context_width=32,
    pooled_width=16,
)
LATER = replace(MMDIT, normalised=True, doubled=2)  # of version 3.5


@dataclass(frozen=True)
class Question:
    """What a transformer is asked: arguments of its call, in their order."""

    x: Tensor
    time: Tensor
    words: Tensor
    pooled: Tensor
    guidance: Tensor | None = None

    @property
    def all(self) -> tuple[Tensor, ...]:
        """The arguments that there are."""
        told = (self.x, self.time, self.words, self.pooled, self.guidance)
        return tuple(part for part in told if part is not None)


def drawn(*shape: int, seed: int) -> Tensor:
    """Normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mmdit(config: MMDiTConfig = MMDIT) -> MMDiT:
    """A transformer of four blocks."""
    network = MMDiT(config)
    randomised(network, 1)
    return network


def flux(config: FluxConfig = FLUX) -> Flux:
    """A transformer of two blocks with two streams and one with one."""
    network = Flux(config)
    randomised(network, 1)
    return network


def question(network: MMDiT | Flux, words: int = 7, seed: int = 1) -> Question:
    """Two latents with their prompts."""
    guided = isinstance(network, Flux)
    return Question(
        drawn(2, 16, 8, 6, seed=0),
        torch.full((2,), 0.5 if guided else 500.0),
        drawn(2, words, 32, seed=seed),
        drawn(2, 16, seed=seed + 100),
        torch.full((2,), 3.5) if guided else None,
    )


def told(network: MMDiT | Flux, words: int = 7, seed: int = 1, *, wanted: bool = True) -> Told:
    """A transformer that was told a prompt."""
    listen = hear_guided if isinstance(network, Flux) else hear_pooled
    model = LatentModel(network, FlowSchedule(), "flow", listen=listen)
    said = Conditioning(drawn(1, words, 32, seed=seed), drawn(1, 16, seed=seed + 100))
    return model.told(said, wanted=wanted)
