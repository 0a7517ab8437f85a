"""LoRA files made for tests: real layouts, random numbers."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from safelight.diffusion.lora_file import LoraFile, open_lora
from safelight.diffusion.weights import Shapes, save_checkpoint


def numbers(shapes: Shapes, seed: int = 0, spread: float = 0.3) -> dict[str, Tensor]:
    """Random tensors of those shapes; every alpha is 2."""
    draw = torch.Generator().manual_seed(seed)
    return {
        name: torch.full(shape, 2.0)
        if name.endswith(".alpha")
        else spread * torch.randn(shape, generator=draw)
        for name, shape in shapes.items()
    }


def written(
    folder: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> LoraFile:
    """Write tensors as a file and read it as a LoRA."""
    path = folder / "lora.safetensors"
    save_checkpoint(path, tensors, metadata or {})
    return open_lora(path)
