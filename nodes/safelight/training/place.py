"""Where a training computes: on CUDA where there is one, else on the processor.

Chance stays on the processor: batches are chosen and noise is drawn there, so that a seed
means the same everywhere, and then sent to where the network lives.
"""

import torch
from torch import nn

from safelight.diffusion import memory


def place_of(network: nn.Module) -> torch.device:
    """Where the weights of a network are."""
    return next(network.parameters()).device


def resolved(device: str) -> str:
    """Return "cuda" or "cpu" for what was asked for, "auto" among it.

    Raises:
        ValueError: the name is not known, or the device asked for is not there.
    """
    return memory.choose(device, "float32").device.type


def computes_bfloat16(device: torch.device) -> bool:
    """Tell whether bfloat16 is native there; where it is emulated it is slow."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return memory.cpu_has_bfloat16()
