"""Weights that are read when they are used: they look like others and give the same results."""

import weakref
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from safelight.diffusion.streaming import Streamed, lasting

CPU = torch.device("cpu")


class Source:
    """A tensor that counts how often it is read and remembers the last reading, weakly."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.readings = 0
        self.last: Callable[[], Tensor | None] = lambda: None

    def read(self) -> Tensor:
        """Convert, as a placement does."""
        self.readings += 1
        made = self.tensor.to(torch.float32)
        self.last = weakref.ref(made)
        return made

    @property
    def streamed(self) -> Streamed:
        """The stand-in."""
        looks = torch.empty_like(self.tensor, dtype=torch.float32, device="meta")
        return Streamed(self.read, looks, CPU)


def source(*shape: int) -> Source:
    """Some half-precision numbers."""
    return Source(torch.randn(*shape, generator=torch.Generator().manual_seed(0)).half())


def test_a_streamed_weight_is_not_read_to_be_looked_at() -> None:
    """Shape, strides, format and device are those of what a reading gives."""
    given = Source(source(4, 6).tensor.mT)
    weight = given.streamed
    assert given.readings == 0
    real = given.read()
    assert (weight.shape, weight.stride()) == (real.shape, real.stride())
    assert (weight.dtype, weight.device, weight.nbytes) == (real.dtype, real.device, real.nbytes)
    assert isinstance(weight, nn.Parameter)
    assert not weight.requires_grad
    layer = nn.Linear(4, 6)
    layer.weight = weight
    assert isinstance(layer.state_dict()["weight"], Streamed)
    assert torch.zeros(2, dtype=torch.int64).to(weight).dtype == torch.float32
    assert given.readings == 1


def test_a_streamed_weight_is_let_go_of_after_use() -> None:
    """Nothing of the reading is left when the operation is done."""
    given = source(6, 4)
    result = F.linear(torch.ones(3, 4), given.streamed)
    assert given.readings == 1
    assert given.last() is None
    assert type(result) is Tensor


@torch.no_grad()
@pytest.mark.parametrize(
    ("shape", "use"),
    [
        ((6, 4), lambda x, w: F.linear(x[..., :4], w, x[0, 0, 0, :6])),
        ((6, 4), lambda x, w: F.linear(x.mT[..., :4], w)),
        ((6, 8, 3, 3), lambda x, w: F.conv2d(x, w, padding=1)),
        ((8,), lambda x, w: F.group_norm(x, 4, w, w)),
        ((8,), lambda x, w: F.layer_norm(x, (8,), w, w)),
        ((8,), lambda x, w: F.rms_norm(x, (8,), w)),
        ((6, 4), lambda x, w: F.embedding(torch.tensor([[5, 0]]), w)),
        ((6, 4), lambda x, w: w[:3] + w.mT[:3, :3].flatten()[0]),
        ((6, 4), lambda x, w: torch.cat([w, w])),
    ],
)
def test_operations_give_the_same_bits(
    shape: tuple[int, ...], use: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Every kind of layer the networks have."""
    given = source(*shape)
    x = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(use(x, given.streamed), use(x, given.read()))


@given(st.dictionaries(st.integers(), st.integers(0, 50), max_size=12), st.integers(0, 200))
def test_what_lasts_leaves_room_for_the_largest_of_the_rest(
    sizes: dict[int, int], room: int
) -> None:
    """Everything where there is room; else nothing more could stay and let it pass."""
    lasts = lasting(sizes, room)
    rest = sizes.keys() - lasts
    held = sum(sizes[name] for name in lasts)
    if not rest:
        assert held <= room
        return
    assert sum(sizes.values()) > room
    largest = max(sizes[name] for name in rest)
    assert held == 0 or held + largest <= room
    assert held + min(sizes[name] for name in rest) + max(sizes.values()) > room
    assert all(name in lasts for name, size in sizes.items() if size == 0)
