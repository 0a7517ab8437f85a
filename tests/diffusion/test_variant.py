"""Variants share what they do not change, and leave the original alone."""

import re

import pytest
import torch
from torch import nn

from safelight.diffusion.variant import variant


def network() -> nn.Sequential:
    """Two blocks of two layers."""
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)) for _ in range(2)])


def test_only_the_parts_named_differ() -> None:
    """A module and a parameter are exchanged; every other tensor is the very same."""
    original = network()
    before = {name: weight.clone() for name, weight in original.named_parameters()}
    weight = nn.Parameter(torch.zeros(3, 3))
    changed = variant(original, {"0.1": nn.Identity(), "1.0.weight": weight})

    shared = dict(original.named_parameters())
    assert {
        name: value is shared.get(name) for name, value in changed.named_parameters()
    } == {
        "0.0.weight": True, "0.0.bias": True, "1.0.weight": False,
        "1.0.bias": True, "1.1.weight": True, "1.1.bias": True,
    }  # fmt: skip
    x = torch.randn(2, 3)
    second = original.get_submodule("1.1")
    bias = original.get_parameter("1.0.bias")
    assert torch.equal(changed(x), second.forward(bias.expand(2, 3)))
    assert all(value.equal(before[name]) for name, value in original.named_parameters())


def test_a_part_may_lie_in_another_new_part() -> None:
    """The outer one is put in first, and is itself left unchanged."""
    outer = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    changed = variant(network(), {"0": outer, "0.1": nn.Identity()})
    assert isinstance(changed.get_submodule("0.1"), nn.Identity)
    assert isinstance(outer[1], nn.Linear)


@pytest.mark.parametrize(
    ("path", "named"),
    [("2", "2"), ("0.0.scale", "0.0.scale"), ("0.5.weight", "0.5"), ("0.0", "0.0")],
)
def test_unknown_parts_are_refused(path: str, named: str) -> None:
    """By name; a parameter does not stand in for a module either."""
    with pytest.raises(KeyError, match=f"the network has no part {re.escape(named)}'"):
        variant(network(), {path: nn.Parameter(torch.zeros(1))})
