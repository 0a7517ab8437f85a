r"""Muon: gradient descent whose every step turns all directions equally.

A weight matrix learns along a few loud directions and starves the others.
Muon keeps a running mean of the gradient and replaces it, just before the
step, by the nearest matrix with all singular values one:

    M  <-  beta M + (1 - beta) G         the running mean
    U  =   orthogonalise(M + beta (G - M))    looked ahead, as Nesterov does
    W  <-  (1 - eta lambda) W - eta sqrt(max(1, rows / columns)) U

Symbols: W weight, G gradient, beta momentum, eta learning rate, lambda decay.
A convolution is the matrix (channels out) x (channels in * kernel).

The singular values are brought near one by five rounds of a quintic
polynomial, X <- a X + (b A + c A^2) X with A = X X^T: products only, so it
runs in bfloat16.  Its coefficients trade exactness for speed, so the singular
values end between about 0.7 and 1.2.

Vectors, embeddings, and the thin layers at both ends of a network have no
such directions to balance; they are left to AdamW.

Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural
networks" (2024); AdamW: arXiv:1711.05101.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, overload

import torch
import torch.distributed as dist
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)  # steepest at zero among those that settle near one
NARROWEST_MATRIX = 16  # channels; under this a layer is an end of the network, not a matrix


@torch.no_grad()
def orthogonalise(matrix: Tensor, rounds: int = 5) -> Tensor:
    """Return the orthogonal factor of `matrix` (rows x columns), roughly.

    The singular vectors stay, the singular values come near one.
    """
    a, b, c = QUINTIC
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)  # no singular value above one
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum steps of equal size in every direction of a matrix.

    Between several processes the orthogonalising is shared out and the
    results are summed, so that each process does its part of the work.  The
    momentum is kept by all, which makes any one process's state complete.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every matrix by one step along its gradient."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            ahead = [self._look_ahead(weight, group["momentum"]) for weight in weights]
            for weight, turned in zip(weights, _orthogonalised(ahead), strict=True):
                rows, columns = turned.shape
                reach = group["lr"] * max(1.0, rows / columns) ** 0.5
                weight.mul_(1 - group["lr"] * group["decay"])
                weight.add_(turned.view_as(weight), alpha=-reach)
        return loss

    def _look_ahead(self, weight: Tensor, momentum: float) -> Tensor:
        """Update the running mean; return where it will be, as a matrix."""
        gradient = weight.grad
        if gradient is None:
            raise ValueError("a weight without a gradient has nowhere to go")
        state: dict[str, Any] = self.state[weight]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(weight)
        mean: Tensor = state["mean"]
        mean.lerp_(gradient, 1 - momentum)
        return gradient.lerp(mean, momentum).flatten(1)


def _orthogonalised(matrices: list[Tensor]) -> list[Tensor]:
    """Orthogonalise all `matrices`, each in one of the processes."""
    if not dist.is_initialized() or not matrices:
        return [orthogonalise(matrix) for matrix in matrices]
    mine = _shares([matrix.numel() for matrix in matrices], dist.get_world_size())
    rank = dist.get_rank()
    parts = [
        orthogonalise(matrix) if share == rank else torch.zeros_like(matrix)
        for matrix, share in zip(matrices, mine, strict=True)
    ]
    whole = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(whole)
    turned = torch.split(whole, [part.numel() for part in parts])
    return [flat.view_as(part) for flat, part in zip(turned, parts, strict=True)]


def _shares(sizes: list[int], count: int) -> list[int]:
    """Give each size to one of `count` processes, the largest first, evenly."""
    load = [0] * count
    owner = [0] * len(sizes)
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        owner[index] = load.index(min(load))
        load[owner[index]] += sizes[index]
    return owner


@dataclass(frozen=True, slots=True)
class Split:
    """The parameters of a network, by the optimizer that suits them."""

    matrices: list[nn.Parameter]
    rest: list[nn.Parameter]


def split_parameters(network: nn.Module) -> Split:
    """Part the trainable parameters: inner matrices and kernels, and all else."""
    tables = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
    split = Split([], [])
    for weight in network.parameters():
        if not weight.requires_grad:
            continue
        matrix = weight.ndim >= 2 and min(weight.shape[:2]) >= NARROWEST_MATRIX
        (split.matrices if matrix and id(weight) not in tables else split.rest).append(weight)
    return split
