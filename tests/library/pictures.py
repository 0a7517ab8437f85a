"""Pictures for tests, and how they are compared."""

import torch
from torch import Tensor

from safelight.library.values import Image


def picture(height: int = 6, width: int = 10, batch: int = 1, channels: int = 3) -> Image:
    """Random colours."""
    return Image(torch.rand(batch, height, width, channels, generator=torch.manual_seed(height)))


def same(result: Image, expected: Tensor) -> None:
    """Compare pixels."""
    torch.testing.assert_close(result.pixels, expected)
