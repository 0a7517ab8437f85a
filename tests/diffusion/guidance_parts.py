"""Denoisers with known answers, to guide."""

from dataclasses import dataclass

import torch
from torch import Tensor

from safelight.diffusion.guidance import Guided, guided
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear

SCHEDULE = NoiseSchedule.of(scaled_linear())
SIGMA = torch.tensor(2.5, dtype=torch.float64)


@dataclass(eq=False)
class Fixed:
    """A denoiser that always guesses the same, and counts how often it was asked."""

    guess: Tensor
    asked: int = 0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Guess."""
        self.asked += 1
        return self.guess


def drawn(seed: int) -> Tensor:
    """Two latents."""
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(seed)).double()


X, C, U = drawn(0), drawn(1), drawn(2)


def plain(w: float = 5.0) -> Guided:
    """Guidance without anything more."""
    return guided(Fixed(C), Fixed(U), w)
