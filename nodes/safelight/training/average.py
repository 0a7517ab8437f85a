"""The running average of the weights: steadier than the weights themselves.

    a  <-  d a + (1 - d) w        d = min(longest, 1 - 5 / (step + 5))

Symbols: a the average, w the weights, d the decay, which begins small so that
the first, meaningless weights are soon forgotten.

Source: Polyak & Juditsky 1992; the warm-up is ours.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARM_UP_STEPS = 5


class Average:
    """An average of the trainable parameters of one network."""

    def __init__(self, network: nn.Module, longest: float) -> None:
        self.names = [n for n, p in network.named_parameters() if p.requires_grad]
        self.live = [p for p in network.parameters() if p.requires_grad]
        self.longest = longest
        self.kept = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights as they are after `step` steps."""
        decay = min(self.longest, 1 - WARM_UP_STEPS / (step + WARM_UP_STEPS))
        for kept, live in zip(self.kept, self.live, strict=True):
            kept.lerp_(live, 1 - decay)

    @contextmanager
    def in_place(self) -> Generator[None]:
        """Lend the average to the network; the weights return at the end."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Tensor]:
        """The average by parameter name."""
        return dict(zip(self.names, self.kept, strict=True))

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up an average that `state` gave."""
        for name, kept in zip(self.names, self.kept, strict=True):
            kept.copy_(state[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for kept, live in zip(self.kept, self.live, strict=True):
            held = live.detach().clone()
            live.copy_(kept)
            kept.copy_(held)
