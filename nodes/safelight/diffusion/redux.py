r"""Redux: a picture said to Flux in words that no vocabulary has.

What SigLIP sees in a picture, one vector v for each of its patches, is turned into vectors
as T5 would give them, and laid behind those of the prompt:

    w = W_down silu(W_up v)          tokens = [prompt, strength * w]

The denoiser is not changed: it listens to both as to one long prompt.  So the picture gives
content and style at once, and a strength below 1 leaves more room to the words.

Symbols: B batch, N patches, S width of the vision tower, D width of the prompt.

Source: Black Forest Labs, FLUX.1 Tools (2024), `redux`.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class ReduxConfig:
    """The sizes of a Redux; the defaults are the published one's."""

    seen_width: int = 1152
    hidden: int = 12288
    token_width: int = 4096


class Redux(nn.Module):
    """Patches as words."""

    def __init__(self, config: ReduxConfig) -> None:
        super().__init__()
        self.config = config
        self.up = nn.Linear(config.seen_width, config.hidden)
        self.down = nn.Linear(config.hidden, config.token_width)

    def forward(self, seen: Float[Tensor, "B N S"]) -> Float[Tensor, "B N D"]:
        """Say what was seen."""
        return self.down(F.silu(self.up(seen)))
