import pytest
import torch
from torch import nn

from safelight.training.muon import Muon, orthogonalise, split_parameters


@pytest.mark.parametrize("shape", [(32, 32), (16, 64), (64, 16)])
def test_orthogonalising_brings_all_singular_values_near_one(shape: tuple[int, int]) -> None:
    """However unlike they were, the singular values end between 0.6 and 1.3."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrix))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_orthogonalising_keeps_the_singular_vectors() -> None:
    """The result is close to U V^T, where the matrix is U S V^T."""
    matrix = torch.randn(24, 24, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrix)
    turned = orthogonalise(matrix)
    cosine = (turned * (u @ v)).sum() / (turned.norm() * (u @ v).norm())
    assert cosine > 0.97


def test_a_step_has_the_same_size_whatever_the_size_of_the_gradient() -> None:
    """A gradient a thousand times larger moves a weight just as far."""
    gradient = torch.randn(32, 32, generator=torch.Generator().manual_seed(2))
    moved = []
    for scale in (1.0, 1000.0):
        weight = nn.Parameter(torch.zeros(32, 32))
        weight.grad = gradient * scale
        Muon([weight], lr=0.1).step()
        moved.append(weight.detach().clone())
    assert (moved[0] - moved[1]).norm() < 0.05 * moved[0].norm()


def test_muon_finds_the_least_squares_solution() -> None:
    """With a falling rate it reaches a loss that only the solution has."""
    draw = torch.Generator().manual_seed(3)
    target, x = torch.randn(16, 16, generator=draw), torch.randn(64, 16, generator=draw)
    weight = nn.Parameter(torch.zeros(16, 16))
    optimizer, loss = Muon([weight], lr=0.3), torch.tensor(torch.inf)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        optimizer.zero_grad()
        loss = (x @ (weight - target).T).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss.item() < 1e-2


def test_only_inner_matrices_and_kernels_go_to_muon() -> None:
    """Embeddings, biases, thin ends and frozen weights do not."""
    network = nn.ModuleDict(
        {
            "words": nn.Embedding(100, 32),
            "first": nn.Conv2d(3, 32, 3),
            "inner": nn.Conv2d(32, 32, 3),
            "linear": nn.Linear(32, 64),
            "frozen": nn.Linear(32, 32),
            "last": nn.Conv2d(32, 4, 3),
        }
    )
    network["frozen"].requires_grad_(False)
    split = split_parameters(network)
    names = {id(weight): name for name, weight in network.named_parameters()}
    assert {names[id(weight)] for weight in split.matrices} == {"inner.weight", "linear.weight"}
    assert {names[id(weight)] for weight in split.rest} == {
        "words.weight", "first.weight", "first.bias", "inner.bias", "linear.bias",
        "last.weight", "last.bias",
    }  # fmt: skip
