r"""Leading away: what attention heard, moved from what it would have heard of the negative.

    Z  = Z+ + s (Z+ - Z-)                      away from what the negative says
    Z  = Z min(1, tau |Z+|_1 / |Z|_1)          but not further than tau times
    Z  = a Z + (1 - a) Z+                      and mixed with what was heard

Symbols: Z+ Z- what is heard of the positive and of the negative; s scale (0 says nothing), tau
bound, a mix; |.|_1 the sum of sizes over the numbers of one pixel.

Source: Chen et al. 2025 (arXiv:2505.21179), section 4 (its scale is s + 1).
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

NEARLY_NOTHING = 1e-8


@dataclass(frozen=True, slots=True)
class Leading:
    """How strongly to lead away."""

    scale: float
    bound: float = 2.5
    mix: float = 0.5

    def away(
        self, ours: Float[Tensor, "B N C"], theirs: Float[Tensor, "B N C"]
    ) -> Float[Tensor, "B N C"]:
        """Return Z+ led away from Z-."""
        led = ours + self.scale * (ours - theirs)
        length = led.abs().sum(dim=-1, keepdim=True).clamp(min=NEARLY_NOTHING)
        led = led * (self.bound * ours.abs().sum(dim=-1, keepdim=True) / length).clamp(max=1)
        return self.mix * led + (1 - self.mix) * ours
