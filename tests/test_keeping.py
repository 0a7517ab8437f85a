"""What is kept on disk comes back as it was."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from safelight.diffusion.conditioning import Conditioning as Said
from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.region import Region
from safelight.keeping import Values, build
from safelight.library.values import Clip, Conditioning, Image, Latent, Mask

FORMAT = LatentFormat("sd1", 4, 0.18215, 0.0, 8, ((0.1, 0.2, 0.3),) * 5)
PARTS = Said(torch.randn(1, 3, 8), torch.randn(1, 4), score=6.5)
VALUES = [
    Image(torch.rand(2, 8, 8, 3)),
    Mask(torch.rand(1, 8, 8)),
    Latent(torch.randn(1, 4, 2, 2)),
    Latent(torch.randn(1, 4, 2, 2).bfloat16(), FORMAT, torch.rand(1, 8, 8)),
    Conditioning(dataclasses.replace(PARTS, others=(PARTS,), region=Region(strength=0.5))),
]


def leaves(value: Any) -> Any:
    """A value as nested lists whose tensors can be compared."""
    if isinstance(value, Tensor):
        return (value.dtype, value.shape, value.float().tolist())
    if dataclasses.is_dataclass(value):
        parts = [leaves(getattr(value, entry.name)) for entry in dataclasses.fields(value)]
        return [type(value).__name__, *parts]
    return [leaves(each) for each in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    """Bit for bit, with what it carries."""
    content = Values().encode(value)
    assert content is not None
    back = Values().decode(content)
    assert type(back) is type(value)
    assert leaves(back) == leaves(value)


def test_what_holds_a_network_is_not_kept() -> None:
    """Nor what is no picture, latent, mask or conditioning."""
    holding = object.__new__(Clip)
    object.__setattr__(holding, "texts", nn.Linear(1, 1))
    assert Values().encode(holding) is None
    assert Values().encode("text") is None


@pytest.mark.parametrize("content", [b"", b"12345678", b"\x02\0\0\0\0\0\0\0{}"])
def test_what_is_no_kept_value_is_refused(content: bytes) -> None:
    """With the one error that a cache expects."""
    with pytest.raises(ValueError):  # noqa: PT011  # the words are those of safetensors
        Values().decode(content)


def test_a_build_names_the_code() -> None:
    """The same twice; made of 16 bytes."""
    assert build() == build()
    assert len(build()) == 32
