r"""LoRA: teach a large network something new by adding small matrices to its large ones.

Training a style or a face moves every weight of a network a little.  Hu et al. found that
the move of one matrix, W' - W, can be of low rank r, that is, a product of a tall and a wide
matrix, without loss; so only these two are trained and kept:

    W' = W + s (alpha / r) B A        W: out x in,  B: out x r,  A: r x in

B begins as zeros, so training begins with the network as it is.  alpha says how loudly the
product speaks, so that a rate of learning found for one rank suits others; s is the strength
that the user picks.  A convolution is the matrix out x (in * k * k): A looks with the
kernel, B mixes what A saw.  Its product may pass through a small kernel M in between
(LoCon's "Tucker" form, which keeps A and B as small as a matrix's):

    W'[o, i, x, y] = W[o, i, x, y] + s (alpha / r) sum_pq B[o, p] M[p, q, x, y] A[q, i]

`lora_kinds` has other ways to write a move in few numbers, `lora_file` reads them from files,
and `lora_names` finds out which of our weights a file's names mean.  `merged` adds moves to a
network and leaves it alone: what comes back is a variant that owns the moved weights and
shares all others, so every branch of a graph may hold another LoRA, a strength of 0 is the
very same network, and another strength costs nothing but the moved weights again.

Three ways to teach a trained network (`lora`, `textual_inversion`, `controlnet`), measured on the
embedded model: a LoRA of rank 4 in transformers and convolutions, a word of 8 vectors, edges.

                       LoRA                  textual inversion     ControlNet
    what is changed    weights, by products  nothing: words more   nothing: maps get a sum
    what is trained    two thin matrices     a few vectors         a copy of half the U-Net
    what it learns by  captioned pictures    a few pictures        pictures, captions, hints
    what goes in       the prompt, as ever   a new word in it      a hint, at every step
    what it adds       a style, a subject    what can be drawn     places and outlines
    numbers            290,560               1,536                 3,010,288
    of the U-Net's     1/25                  1/4,657               2/5
    its file           0.6 MB                4 kB                  6.0 MB

Symbols: W a weight, A, B, M its factors, r rank, s strength.

Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1; Yeh et al. 2023 (arXiv:2309.14859),
section 3 and appendix B, for convolutions and the form with M.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from safelight.diffusion.variant import variant

Network = TypeVar("Network", bound=nn.Module)
Shape = tuple[int, ...]


@runtime_checkable
class Change(Protocol):
    """How a weight moves; `lora_kinds` has more of them."""

    @property
    def shape(self) -> Shape:
        """The shape of the weight that it was made for; 0 stands for a side it does not tell."""
        ...

    def delta(self, weight: Tensor) -> Tensor:
        """Return W' - W at strength 1, float32, for a weight W in float32."""
        ...


@dataclass(frozen=True, eq=False)
class LowRank:
    """B A, with or without a kernel M in between, times a scale of alpha / r."""

    down: Tensor  # A: [r, in] or [r, in, k, k]
    up: Tensor  # B: [out, r] or [out, r, 1, 1]
    scale: float = 1.0
    middle: Tensor | None = None  # M: [r, r, k, k]

    @property
    def shape(self) -> Shape:
        """The shape of the whole product."""
        kernel = self.down if self.middle is None else self.middle
        return (self.up.shape[0], self.down.shape[1], *kernel.shape[2:])

    def delta(self, weight: Tensor) -> Tensor:
        """Multiply the factors."""
        up, down = self.up.float().flatten(1), self.down.float()
        if self.middle is None:
            return self.scale * (up @ down.flatten(1)).reshape(self.shape)
        middle = self.middle.float()
        return self.scale * torch.einsum("op,pqxy,qi->oixy", up, middle, down.flatten(1))


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of one of our weights, or of some of its rows where a file has several for one."""

    change: Change
    rows: slice = field(default_factory=lambda: slice(None))
    swapped: bool = False  # the file has the halves of the weight the other way round

    def fits(self, shape: Shape) -> bool:
        """Tell whether a weight of that shape can be so changed."""
        made_for = self.change.shape
        rows = len(range(*self.rows.indices(shape[0])))
        own = (rows, *shape[1:])
        if 0 in made_for:
            return all(want in (0, have) for want, have in zip(made_for, own, strict=False))
        count = torch.Size(own).numel()
        return made_for[0] == rows and torch.Size(made_for).numel() == count

    def move(self, weight: Tensor, strength: float) -> Tensor:
        """Return a float32 weight with its rows moved."""
        whole = _swapped(weight) if self.swapped else weight
        rows = whole[self.rows]
        whole = whole.clone()
        whole[self.rows] = rows + strength * self.change.delta(rows).reshape(rows.shape)
        return _swapped(whole) if self.swapped else whole


Edits = Mapping[str, Sequence[Edit]]  # a parameter's path in our network -> what moves it


def merged(
    network: Network,
    edits: Edits,
    strength: float,
    share: Callable[[str], float] = lambda name: 1.0,
) -> Network:
    """Return a variant of `network` with weights moved; at strength 0 the network itself.

    The sums are made in float32 and kept in the weight's own format.  `share` may give the
    part of the strength that a parameter gets, by its path.
    """
    strengths = {name: strength * share(name) for name in edits}
    moved = {
        name: _moved(network.get_parameter(name), edits[name], own)
        for name, own in strengths.items()
        if own
    }
    return variant(network, moved) if moved else network


@torch.no_grad()
def _moved(parameter: nn.Parameter, edits: Sequence[Edit], strength: float) -> nn.Parameter:
    """Return one parameter with all its changes, in their order."""
    weight = parameter.float()
    for edit in edits:
        weight = edit.move(weight, strength)
    return nn.Parameter(weight.to(parameter.dtype), requires_grad=False)


def _swapped(weight: Tensor) -> Tensor:
    """Let the halves of a weight change places."""
    return torch.cat(weight.chunk(2)[::-1])
