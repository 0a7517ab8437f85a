"""From the few tensors that a LoRA's file has for one module to the change they make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from safelight.diffusion.lora import Change, LowRank
from safelight.diffusion.lora_kinds import (
    Decomposed,
    Difference,
    Hadamard,
    Kronecker,
    Product,
    Rotation,
    Scaling,
    cayley,
)

_LOW_RANK = {"down": "down", "up": "up"} | {"mid": "middle"}
# How the name of a tensor ends -> what it is to the change of its module.
LEAVES: Mapping[str, str] = MappingProxyType(
    {
        **{f".lora_{theirs}.weight": own for theirs, own in _LOW_RANK.items()},
        **{
            f"{way}{theirs}.weight": theirs
            for way in (".lora.", "_lora.", ".lora_linear_layer.")
            for theirs in ("down", "up")
        },
        **{
            f".lora_{letter}{adapter}.{leaf}": own
            for letter, leaf, own in (
                ("A", "weight", "down"), ("B", "weight", "up"), ("B", "bias", "up_bias"),
            )
            for adapter in ("", ".default", ".default_0")
        },
        ".alpha": "alpha",
        ".dora_scale": "lengths",
        **{
            f".lora_magnitude_vector{end}": "magnitude"
            for end in ("", ".weight", ".default.weight")
        },
        **{f".hada_{part}": part for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
        **{
            f".lokr_{part}": f"kron_{part}"
            for part in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
        },
        ".oft_blocks": "blocks",
        ".oft_diag": "blocks",
        ".oft_R.weight": "triangle",
        ".oft_R.default.weight": "triangle",
        ".on_input": "on_input",
        ".weight": "factors",
        ".ia3_l": "louder",
        ".diff": "diff",
        ".w_norm": "diff",
        ".diff_b": "diff_bias",
        ".b_norm": "diff_bias",
    }
)  # fmt: skip


class LeavesError(ValueError):
    """The tensors of a module make no change; says which is missing or does not fit."""


@dataclass(frozen=True, eq=False)
class Leaves:
    """The tensors of one module by leaf, and its alpha."""

    tensors: Mapping[str, Tensor]
    alpha: float | None

    def scale(self, rank: int) -> float:
        """Return alpha / r, or 1 without an alpha."""
        return 1.0 if self.alpha is None else self.alpha / rank

    def get(self, leaf: str) -> Tensor | None:
        """Return a tensor that may be missing."""
        return self.tensors.get(leaf)


def changes(leaves: Leaves) -> dict[str, Change]:
    """Return the changes of one module's "weight" and "bias".

    Raises:
        LeavesError: a half is missing, or halves do not fit each other.
    """
    made: dict[str, Change] = {}
    for needed, build in BUILDERS:
        if any(leaf in leaves.tensors for leaf in needed):
            lacking = [leaf for leaf in needed if leaf not in leaves.tensors]
            if lacking:
                there = ", ".join(sorted(leaves.tensors))
                raise LeavesError(f"it has {there}, but no {', '.join(lacking)}")
            made["weight"] = _measured(build, leaves)
            break
    lengths, rows = leaves.get("lengths"), leaves.get("magnitude")
    if rows is not None:
        lengths = rows.flatten()  # PEFT's are always of rows, in whatever shape
    if lengths is not None and "weight" in made:
        made["weight"] = Decomposed(made["weight"], lengths)
    louder = made.get("weight") if "louder" in leaves.tensors else None
    if isinstance(louder, Scaling) and not louder.on_input:
        made["bias"] = louder  # PEFT scales all that comes out
    if "diff_bias" in leaves.tensors:
        made["bias"] = Difference(leaves.tensors["diff_bias"])
    if "up_bias" in leaves.tensors and "down" in leaves.tensors:
        scale = leaves.scale(leaves.tensors["down"].shape[0])
        made["bias"] = Difference(scale * leaves.tensors["up_bias"].float())
    if not made:
        raise LeavesError(f"{', '.join(sorted(leaves.tensors))} alone change nothing")
    return made


def _measured(build: Callable[[Leaves], Change], leaves: Leaves) -> Change:
    """Build a change, and look whether its factors have sides to measure."""
    try:
        change = build(leaves)
        _ = change.shape
    except (IndexError, RuntimeError) as error:
        shapes = ", ".join(f"{leaf} {list(t.shape)}" for leaf, t in leaves.tensors.items())
        raise LeavesError(f"its tensors do not fit each other: {shapes}") from error
    return change


def _low_rank(leaves: Leaves) -> Change:
    down, up, middle = leaves.tensors["down"], leaves.tensors["up"], leaves.get("middle")
    ranks = (up.shape[1], down.shape[0])
    if middle is not None:
        _same("the ranks of up and mid", ranks[0], middle.shape[0])
        _same("the ranks of mid and down", middle.shape[1], ranks[1])
    else:
        _same("the ranks of up and down", *ranks)
    return LowRank(down, up, leaves.scale(down.shape[0]), middle)


def _product(leaves: Leaves, number: str, before: str = "") -> Product:
    """Return the product w1 or w2 of a module."""
    left, right = (leaves.tensors[f"{before}{number}_{part}"] for part in "ab")
    middle = leaves.get(f"{before}t{number[1]}")
    if middle is None:
        _same(f"the ranks of {number}_a and {number}_b", left.shape[1], right.shape[0])
    else:
        _same(f"the ranks of {number}_a and t{number[1]}", left.shape[0], middle.shape[0])
        _same(f"the ranks of t{number[1]} and {number}_b", middle.shape[1], right.shape[0])
    return Product(left, right, middle)


def _hadamard(leaves: Leaves) -> Change:
    first, second = _product(leaves, "w1"), _product(leaves, "w2")
    if first.shape != second.shape:
        raise LeavesError(f"its products are {list(first.shape)} and {list(second.shape)}")
    return Hadamard(first, second, leaves.scale(first.right.shape[0]))


def _kronecker(leaves: Leaves) -> Change:
    """Either factor may be whole; the rank is that of one that is not, the second's first."""
    first, second = (
        leaves.tensors.get(f"kron_{number}", None) for number in ("w1", "w2")
    )  # fmt: skip
    scale = 1.0
    factors: list[Tensor | Product] = []
    for number, whole in (("w1", first), ("w2", second)):
        if whole is not None:
            factors.append(whole)
            continue
        pieces = {f"kron_{number}_a", f"kron_{number}_b"}
        if not pieces <= leaves.tensors.keys():
            raise LeavesError(f"it has neither lokr_{number} nor both of its pieces")
        product = _product(leaves, number, "kron_")
        factors.append(product)
        scale = leaves.scale(product.right.shape[0])
    return Kronecker(factors[0], factors[1], scale)


def _rotation(leaves: Leaves) -> Change:
    """LyCORIS: blocks [n, b, b] that turn rows; only their skew part counts."""
    blocks = leaves.tensors["blocks"].float()
    if blocks.ndim != 3 or blocks.shape[1] != blocks.shape[2]:
        raise LeavesError(f"its blocks are {list(blocks.shape)}, want [n, b, b]")
    return Rotation(cayley(blocks - blocks.mT, leaves.alpha or 0.0))


def _turned(leaves: Leaves) -> Change:
    """PEFT: the upper triangles of skew matrices, [n, b (b - 1) / 2], that turn columns."""
    triangles = leaves.tensors["triangle"].float()
    block = round((1 + (1 + 8 * triangles.shape[1]) ** 0.5) / 2)
    skew = torch.zeros(len(triangles), block, block)
    rows, columns = torch.triu_indices(block, block, 1)
    skew[:, rows, columns] = triangles
    return Rotation(cayley(skew - skew.mT), on_input=True)


def _scaling(leaves: Leaves) -> Change:
    on_input = bool(leaves.tensors["on_input"].float().any())
    return Scaling(leaves.tensors["factors"].flatten(), on_input)


def _louder(leaves: Leaves) -> Change:
    """PEFT: factors that begin at 1, [out, 1] or [1, in]; of convolutions, of what comes out."""
    factors = leaves.tensors["louder"]
    on_input = factors.ndim == 2 and factors.shape[0] == 1 and factors.shape[1] > 1
    return Scaling(factors.float().flatten() - 1, on_input)


def _difference(leaves: Leaves) -> Change:
    return Difference(leaves.tensors["diff"])


def _same(what: str, one: int, other: int) -> None:
    if one != other:
        raise LeavesError(f"{what} are {one} and {other}")


# The leaves without which a change cannot be built -> how it is built; the first that fits.
BUILDERS: Sequence[tuple[tuple[str, ...], Callable[[Leaves], Change]]] = (
    (("up", "down"), _low_rank),
    (("w1_a", "w1_b", "w2_a", "w2_b"), _hadamard),
    *((((leaf,), _kronecker)) for leaf in ("kron_w1", "kron_w2", "kron_w1_a", "kron_w2_a")),
    (("blocks",), _rotation),
    (("triangle",), _turned),
    (("factors", "on_input"), _scaling),
    (("louder",), _louder),
    (("diff",), _difference),
)
