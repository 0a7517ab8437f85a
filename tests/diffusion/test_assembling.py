"""Networks made of tensors: nothing missing, left over or misshapen."""

import pytest
import torch
from torch import Tensor, nn

from safelight.diffusion.weights import (
    MisfitError,
    assemble,
    exported,
    names_in_file,
    under,
)


class Pair(nn.Module):
    """Two layers, for tables."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 1, bias=False)
        nn.init.normal_(self.first.weight)


PAIR_TABLE = under("theirs", "", {"a.0": "first", "b": "second"})


def pair_tensors() -> dict[str, Tensor]:
    """Tensors for `Pair` under the file's names."""
    return {
        "theirs.a.0.weight": torch.ones(3, 2),
        "theirs.a.0.bias": torch.zeros(3),
        "theirs.b.weight": torch.ones(1, 3),
    }


def test_a_network_adopts_the_tensors_it_is_given() -> None:
    """No copy: the parameter lies where the tensor lay; and it asks for no gradient."""
    tensors = pair_tensors()
    network = assemble(Pair, tensors, PAIR_TABLE)
    assert network.first.weight.data_ptr() == tensors["theirs.a.0.weight"].data_ptr()
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_assembling_draws_no_random_numbers() -> None:
    """The skeleton is made without the numbers that networks are born with."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assemble(Pair, pair_tensors(), PAIR_TABLE)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_misfit_is_listed() -> None:
    """Missing, misshapen and unknown tensors appear together, by the file's names."""
    tensors = pair_tensors() | {"theirs.c.weight": torch.ones(1)}
    del tensors["theirs.b.weight"]
    tensors["theirs.a.0.bias"] = torch.zeros(4)
    with pytest.raises(MisfitError) as raised:
        assemble(Pair, tensors, PAIR_TABLE)
    assert raised.value.misfits == (
        "theirs.a.0.bias: the file has [4], want [3]",
        "theirs.b.weight: not in the file",
        "theirs.c.weight: unknown",
    )
    assert str(raised.value).startswith("3 tensors do not fit:\n  theirs.a.0.bias: the file has")


def test_a_long_list_of_misfits_is_cut() -> None:
    """Twenty are shown, the rest is counted."""
    text = str(MisfitError(f"t{i}: unknown" for i in range(25)))
    assert text.endswith("t19: unknown\n  and 5 more")


def test_exporting_undoes_assembling() -> None:
    """A network's tensors go back under the names they came by."""
    tensors = pair_tensors()
    back = exported(assemble(Pair, tensors, PAIR_TABLE), PAIR_TABLE)
    assert {name: tensor.tolist() for name, tensor in back.items()} == {
        name: tensor.tolist() for name, tensor in tensors.items()
    }


def test_names_go_below_their_module() -> None:
    """A table moves modules; the parameter keeps its own name."""
    assert names_in_file(["down.0.weight"], {"input.1": "down.0"}) == {
        "down.0.weight": "input.1.weight"
    }
