"""Computing blocks anew on the way back, which saves the memory of what they kept.

Backpropagation wants every feature map of the way there.  Keeping only what enters each block,
and computing the block once more when its turn comes, takes a third more time and as much memory
as the largest block alone.

Source: Chen et al. 2016 (arXiv:1604.06174), section 4.
"""

from typing import Any, TypeVar

from torch import nn
from torch.utils.checkpoint import checkpoint

from safelight.diffusion.flux import DoubleBlock, SingleBlock
from safelight.diffusion.mmdit import JointBlock, LastBlock
from safelight.diffusion.residual import ResidualBlock
from safelight.diffusion.spatial import TransformerLayer
from safelight.diffusion.variant import variant

Network = TypeVar("Network", bound=nn.Module)
BLOCKS = (ResidualBlock, TransformerLayer, JointBlock, LastBlock, DoubleBlock, SingleBlock)


class Recomputed(nn.Module):
    """A block that keeps nothing but what enters it."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, *given: Any) -> Any:
        """Answer as the block does."""
        return checkpoint(self.block, *given, use_reentrant=False)


def recomputed(network: Network) -> Network:
    """Return a variant of a network whose blocks are computed anew on the way back."""
    return variant(
        network,
        {
            path: Recomputed(part)
            for path, part in network.named_modules()
            if isinstance(part, BLOCKS)
        },
    )
