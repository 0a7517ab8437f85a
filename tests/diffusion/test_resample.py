"""Resampling keeps what it promises to keep."""

import math

import pytest
import torch

from safelight.diffusion.resample import METHODS, crop_to_aspect, resize


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_picture_stays_constant(method: str) -> None:
    """No method invents structure, and every method gives the size it was asked for."""
    flat = torch.full((2, 4, 6, 10), 0.5)
    grown = resize(flat, 9, 25, method)
    assert grown.shape == (2, 4, 9, 25)
    torch.testing.assert_close(grown, torch.full_like(grown, 0.5))


def test_bislerp_goes_along_the_arc() -> None:
    """Halfway between two orthogonal unit vectors lies the unit vector at 45 degrees."""
    pair = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[None, :, None, :]  # two pixels in a row
    middle = resize(pair, 1, 3, "bislerp")[0, :, 0, 1]
    torch.testing.assert_close(middle, torch.full((2,), math.sqrt(0.5)))


def test_bislerp_interpolates_lengths() -> None:
    """Between vectors of length 1 and 3 lies one of length 2, whatever their angle."""
    pair = torch.tensor([[1.0, 0.0], [0.0, 3.0]])[None, :, None, :]
    middle = resize(pair, 1, 3, "bislerp")[0, :, 0, 1]
    assert middle.norm().item() == pytest.approx(2.0)


def test_cropping_keeps_the_middle() -> None:
    """A wide picture loses its left and right, evenly."""
    ramp = torch.arange(8.0).expand(1, 1, 4, 8)
    square = crop_to_aspect(ramp, 100, 100)
    assert square[0, 0, 0].tolist() == [2.0, 3.0, 4.0, 5.0]


def test_an_impossible_request_is_refused() -> None:
    """The message names what was asked and what there is."""
    with pytest.raises(ValueError, match="unknown resampling method 'magic'; there are nearest"):
        resize(torch.zeros(1, 1, 2, 2), 2, 2, "magic")
    with pytest.raises(ValueError, match="cannot resize to 0x2 pixels"):
        resize(torch.zeros(1, 1, 2, 2), 2, 0, "area")
