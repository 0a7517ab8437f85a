"""What tests of memory budgets have in common."""

import torch
from torch import nn

from safelight.diffusion.memory import Placement, resident
from safelight.diffusion.streaming import Streamed

FULL = Placement(torch.device("cpu"), torch.float32)


def size(network: nn.Module, place: Placement) -> int:
    """The bytes of a network's weights at a placement."""
    weights = {id(weight): weight for weight in network.parameters()}.values()
    return sum(weight.numel() for weight in weights) * place.dtype.itemsize


def largest(network: nn.Module, place: Placement) -> int:
    """The bytes of its largest weight."""
    return max(weight.numel() for weight in network.parameters()) * place.dtype.itemsize


def layers(width: int = 8) -> nn.Module:
    """Three layers of 4 * width * width bytes each in float32, in float16 as files have them."""
    built = (nn.Linear(width, width, bias=False) for _ in range(3))
    return nn.Sequential(*built).half().requires_grad_(False)


def use(network: nn.Module, place: Placement = FULL) -> nn.Module:
    """Borrow a network for a moment; return what was lent."""
    with resident(network, place) as placed:
        return placed


def streamed(network: nn.Module) -> int:
    """How many weights of a network pass through."""
    return sum(isinstance(weight, Streamed) for weight in network.parameters())
