"""Edges: found where they are, thin, and compared with a tolerance."""

import pytest
import torch
from torch import Tensor

from safelight.diffusion.edges import canny, edge_agreement, gradient, sobel


def square(contrast: float = 1.0) -> Tensor:
    """A bright square on black: pixels 8 to 23 of 32."""
    picture = torch.zeros(1, 3, 32, 32)
    picture[..., 8:24, 8:24] = contrast
    return picture


def test_a_ramp_has_the_slope_of_the_sobel_operator() -> None:
    """Eight times the slope along the ramp, nothing across it."""
    ramp = 0.01 * torch.arange(16.0).expand(1, 1, 16, 16)
    across, down = gradient(ramp)
    torch.testing.assert_close(across[..., 1:-1], torch.full((1, 1, 16, 14), 0.08))
    torch.testing.assert_close(down, torch.zeros(1, 1, 16, 16), atol=1e-6, rtol=0)


def test_the_edges_of_a_square_are_its_outline_and_thin() -> None:
    """Straight sides give one pixel a row, at the border or beside it."""
    edges = canny(square(), 0.4, 0.8)[0, 0]
    assert edges[12:20].sum(dim=1).tolist() == [2.0] * 8
    columns = edges[16].nonzero().flatten().tolist()
    assert all(min(abs(c - 7.5), abs(c - 23.5)) <= 0.5 for c in columns)
    assert edges[:6].sum() == 0
    assert edges[11:21, 11:21].sum() == 0


def test_weak_edges_count_where_they_touch_strong_ones() -> None:
    """Between the thresholds the same square is kept only beside something strong."""
    weak = square(0.3)  # its magnitude is about 0.5
    assert canny(weak, 0.2, 0.9).sum() == 0
    assert canny(weak, 0.2, 0.3).sum() >= 56
    fading = torch.zeros(1, 3, 32, 32)
    fading[..., 16:] = torch.linspace(1.0, 0.3, 32)[:, None]  # strong above, weak below
    assert canny(fading, 0.2, 0.9)[0, 0, 2:30].sum(dim=1).tolist() == [1.0] * 28
    assert canny(fading[..., 16:, :], 0.2, 2.0).sum() == 0


def test_a_flat_picture_has_no_edges() -> None:
    """Neither thin nor soft."""
    flat = torch.full((1, 3, 16, 16), 0.7)
    assert canny(flat, 0.1, 0.2).sum() == 0
    assert sobel(flat).max() < 1e-3


def test_edges_agree_with_themselves_and_within_two_pixels() -> None:
    """Moved by two pixels they still agree, by three no longer."""
    line = torch.zeros(1, 1, 32, 32)
    line[..., 16] = 1
    for moved, wanted in ((0, 1.0), (2, 1.0), (3, 0.0)):
        assert edge_agreement(line.roll(moved, 3), line).item() == pytest.approx(wanted)


def test_agreement_is_the_harmonic_mean_of_precision_and_recall() -> None:
    """Half of the drawn edges are right, and they are all of the given ones: 2/3."""
    given, drawn = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    given[..., 8], drawn[..., 8], drawn[..., 24] = 1, 1, 1
    assert edge_agreement(drawn, given).item() == pytest.approx(2 / 3)
    empty = torch.zeros(1, 1, 32, 32)
    assert edge_agreement(empty, empty).item() == 1.0
