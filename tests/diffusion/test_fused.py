import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from safelight.diffusion.fused import Cut, cuts_under, fused, unfused

CUTS = {
    "in_proj": Cut(("q", "k", "v")),
    "bare": Cut(("table.weight",)),
    "turned": Cut(("linear.weight",), transposed=True),
    "flat": Cut(("convolution.weight",), lifted=True),
}


@given(width=st.integers(1, 5), height=st.integers(1, 5))
def test_cutting_and_laying_together_are_inverse(width: int, height: int) -> None:
    """Every tensor comes back under its own name."""
    tensors = {
        "in_proj": torch.randn(3 * height, width),
        "bare": torch.randn(height, width),
        "turned": torch.randn(height, width),
        "flat": torch.randn(height, width),
        "other": torch.randn(2),
    }
    whole = fused(unfused(tensors, CUTS), CUTS)
    assert whole.keys() == tensors.keys()
    assert all(torch.equal(whole[name], tensors[name]) for name in tensors)


def test_slices_are_equal_and_in_order() -> None:
    """Queries first; a matrix stored the other way round is turned, or made a convolution."""
    matrix = torch.ones(2, 3)
    pieces = unfused({"in_proj": torch.arange(6.0), "turned": matrix, "flat": matrix}, CUTS)
    assert [pieces[name].tolist() for name in "qkv"] == [[0, 1], [2, 3], [4, 5]]
    assert pieces["linear.weight"].shape == (3, 2)
    assert pieces["convolution.weight"].shape == (2, 3, 1, 1)


def test_cutting_copies_nothing() -> None:
    """The slices are views of the mapped file."""
    tensor = torch.zeros(6, 2)
    assert unfused({"in_proj": tensor}, CUTS)["q"].data_ptr() == tensor.data_ptr()


def test_what_does_not_divide_is_refused() -> None:
    """The message names the tensor, its shape and the wish."""
    with pytest.raises(ValueError, match=r"^in_proj of shape \[4, 2\] cannot be cut into 3$"):
        unfused({"in_proj": torch.zeros(4, 2)}, CUTS)


def test_cuts_move_below_a_prefix() -> None:
    """Both what is cut and what comes of it."""
    assert cuts_under("a.", {"bare": Cut(("b.weight",))}) == {"a.bare": Cut(("a.b.weight",))}
