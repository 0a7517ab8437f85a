r"""Other ways to write the move of a weight in few numbers, as LyCORIS and PEFT have them.

    LoHa         dW = (B1 A1) * (B2 A2)          entry by entry: rank up to r^2
    LoKr         dW = K1 (x) K2                  a small matrix, each entry times another
    difference   dW = D                          the whole move, for those who have the space
    (IA)3        dW = l * W                      rows or columns louder or softer
    OFT          W' = R W,  R = diag(R_1 ..)     turned, so that angles between rows remain
                 R_i = (I + Q_i)(I - Q_i)^-1     a rotation, if Q_i = -Q_i^T (Cayley)
    DoRA         W' = m (W + dW) / |W + dW|      a LoRA for the direction, m for the length

Any factor may itself be a product of two (LoKr), or have a kernel in between as in `lora`.
All give W' - W at strength 1, and strengths run along that line.

Symbols: A, B factors, * entry by entry, (x) the Kronecker product, |.| the length of each
row (or, in older files, of each column).

Source: Yeh et al. 2023 (arXiv:2309.14859), section 3; Liu, H. et al. 2022
(arXiv:2205.05638), section 3.3; Qiu et al. 2023 (arXiv:2306.07280), section 3; Liu, S.-Y.
et al. 2024 (arXiv:2402.09353), section 4.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from safelight.diffusion.lora import Change, Shape

TINY = 1e-8  # keeps a weight of zeros from being divided by its length


@dataclass(frozen=True, eq=False)
class Product:
    """A factor in two pieces, maybe with a kernel [p, q, k, k] between them.

    Without a kernel the pieces are [out, r] and [r, in]; with one, [p, out] and [q, in].
    """

    left: Tensor
    right: Tensor
    middle: Tensor | None = None

    def whole(self) -> Tensor:
        """Multiply the pieces."""
        left, right = self.left.float(), self.right.float()
        if self.middle is None:
            return left @ right
        return torch.einsum("pqxy,po,qi->oixy", self.middle.float(), left, right)

    @property
    def shape(self) -> Shape:
        """The shape of the product."""
        if self.middle is None:
            return (self.left.shape[0], self.right.shape[1])
        return (self.left.shape[1], self.right.shape[1], *self.middle.shape[2:])


@dataclass(frozen=True, eq=False)
class Hadamard:
    """LoHa: two products of low rank, multiplied entry by entry."""

    first: Product
    second: Product
    scale: float = 1.0

    @property
    def shape(self) -> Shape:
        """The shape of either product; a convolution's may be laid flat."""
        return self.first.shape

    def delta(self, weight: Tensor) -> Tensor:
        """Multiply."""
        return self.scale * self.first.whole() * self.second.whole()


@dataclass(frozen=True, eq=False)
class Kronecker:
    """LoKr: every entry of the first factor times the whole second."""

    first: Tensor | Product
    second: Tensor | Product
    scale: float = 1.0

    @property
    def shape(self) -> Shape:
        """The sides multiply; what only the second has, remains."""
        first, second = self.first.shape, self.second.shape
        return (first[0] * second[0], first[1] * second[1], *second[2:])

    def delta(self, weight: Tensor) -> Tensor:
        """Multiply; a kernel belongs to the second factor."""
        first, second = _whole(self.first), _whole(self.second)
        first = first.reshape(*first.shape[:2], *[1] * (second.ndim - 2))
        return self.scale * torch.kron(first, second.contiguous())


@dataclass(frozen=True, eq=False)
class Difference:
    """The whole move of a weight or a bias."""

    whole: Tensor

    @property
    def shape(self) -> Shape:
        """Its own."""
        return tuple(self.whole.shape)

    def delta(self, weight: Tensor) -> Tensor:
        """Return it."""
        return self.whole.float()


@dataclass(frozen=True, eq=False)
class Scaling:
    """(IA)3: a number for each row, or for each column, by which it becomes louder."""

    factors: Tensor  # [n]: the row times 1 + factor
    on_input: bool

    @property
    def shape(self) -> Shape:
        """The side that it scales."""
        count = self.factors.numel()
        return (0, count) if self.on_input else (count, 0)

    def delta(self, weight: Tensor) -> Tensor:
        """Scale."""
        if weight.ndim == 1:
            return weight * self.factors.float()
        sides = (1, -1) if self.on_input else (-1, 1)
        return weight * self.factors.float().reshape(*sides, *[1] * (weight.ndim - 2))


@dataclass(frozen=True, eq=False)
class Rotation:
    """OFT: rows (or columns) in blocks of b, each block turned by its own rotation."""

    turns: Tensor  # [n, b, b]; one turn may serve all blocks of columns
    on_input: bool = False

    @property
    def shape(self) -> Shape:
        """The side that it turns; columns of a convolution count its kernel too."""
        return (0, 0) if self.on_input else (self.turns.shape[0] * self.turns.shape[1], 0)

    def delta(self, weight: Tensor) -> Tensor:
        """Turn.

        Raises:
            ValueError: the weight's columns cannot be parted into blocks of that size.
        """
        flat, (count, block, _) = weight.flatten(1), self.turns.shape
        if not self.on_input:
            turned = torch.einsum("knm,knc->kmc", self.turns, flat.reshape(count, block, -1))
            return turned.reshape(weight.shape) - weight
        if flat.shape[1] % block or count not in (1, flat.shape[1] // block):
            raise ValueError(f"{flat.shape[1]} columns cannot be turned in {count} x {block}")
        blocks = flat.reshape(len(flat), -1, 1, block) @ self.turns
        return blocks.reshape(weight.shape) - weight


def cayley(skew: Tensor, limit: float = 0.0) -> Tensor:
    """Return the rotations [n, b, b] of skew matrices Q; a limit bounds the norm of all Q."""
    norm = skew.norm()
    if limit > 0 and norm > limit:
        skew = skew * (limit / norm)
    eye = torch.eye(skew.shape[-1])
    rotations: Tensor = torch.linalg.solve(eye - skew, eye + skew, left=False)
    return rotations


@dataclass(frozen=True, eq=False)
class Decomposed:
    """DoRA: another change gives the direction of each row or column, m its length."""

    direction: Change
    lengths: Tensor  # m: [out, 1 ..] or [out]; in older files [1, in ..]

    @property
    def shape(self) -> Shape:
        """That of the change of direction."""
        return self.direction.shape

    def delta(self, weight: Tensor) -> Tensor:
        """Move, then give every row (or column) its length."""
        moved = weight + self.direction.delta(weight).reshape(weight.shape)
        rows = self.lengths.ndim == 1 or self.lengths.numel() == self.lengths.shape[0]
        sides = (-1, 1) if rows and self.lengths.numel() == len(weight) else (1, -1)
        across = [axis for axis in range(weight.ndim) if axis != sides.index(-1)]
        lengths = self.lengths.float().reshape(*sides, *[1] * (weight.ndim - 2))
        norms = torch.linalg.vector_norm(moved, dim=across, keepdim=True)
        return moved * lengths / (norms + TINY) - weight


def _whole(factor: Tensor | Product) -> Tensor:
    """Return a factor multiplied out."""
    return factor.whole() if isinstance(factor, Product) else factor.float()
