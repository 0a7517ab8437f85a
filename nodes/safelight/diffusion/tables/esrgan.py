"""Networks that enlarge: what three generations of files call RRDBNet's parts.

The oldest files number everything; a doubling takes three numbers there (repeat, convolve,
bend), so what follows depends on how many there are.
"""

from safelight.diffusion.tables import reach
from safelight.diffusion.weights import Shapes, Table

DENSE, CONVOLUTIONS = 3, 5


def dialect(shapes: Shapes) -> dict[str, str] | None:
    """Return our names of an RRDBNet's parts -> the file's; None if it is no such network."""
    if "model.1.sub.0.RDB1.conv1.0.weight" in shapes:
        return _numbered(shapes)
    if "RRDB_trunk.0.RDB1.conv1.weight" in shapes:
        return _named(shapes, "RRDB_trunk.{}.RDB{}.conv{}", "trunk_conv", "upconv{}", "HRconv")
    if "body.0.rdb1.conv1.weight" in shapes:
        return _named(shapes, "body.{}.rdb{}.conv{}", "conv_body", "conv_up{}", "conv_hr")
    return None


def compact_table(convolutions: int) -> Table:
    """Return the names of a compact network: convolutions and bends take turns."""
    return {f"body.{2 * i}": f"convs.{i}" for i in range(convolutions)} | {
        f"body.{2 * i + 1}": f"bends.{i}" for i in range(convolutions - 1)
    }


def _named(shapes: Shapes, dense: str, trunk: str, up: str, refine: str) -> dict[str, str]:
    """Return the names where parts have names."""
    doublings = sum(f"{up.format(i)}.weight" in shapes for i in (1, 2, 3))
    return {
        "first": "conv_first",
        **_blocks(dense, reach(shapes, f"{dense.format('{}', 1, 1)}.weight")),
        "trunk": trunk,
        **{f"up.{i}": up.format(i + 1) for i in range(doublings)},
        "refine": refine,
        "last": "conv_last",
    }


def _numbered(shapes: Shapes) -> dict[str, str]:
    """Return the names where parts have numbers."""
    dense = "model.1.sub.{}.RDB{}.conv{}.0"
    blocks = reach(shapes, f"{dense.format('{}', 1, 1)}.weight")
    doublings = sum(f"model.{3 + 3 * i}.weight" in shapes for i in range(3))
    return {
        "first": "model.0",
        **_blocks(dense, blocks),
        "trunk": f"model.1.sub.{blocks}",
        **{f"up.{i}": f"model.{3 + 3 * i}" for i in range(doublings)},
        "refine": f"model.{2 + 3 * doublings}",
        "last": f"model.{4 + 3 * doublings}",
    }


def _blocks(dense: str, blocks: int) -> dict[str, str]:
    """Return the names of the convolutions of all blocks."""
    return {
        f"blocks.{i}.dense.{j}.convs.{k}": dense.format(i, j + 1, k + 1)
        for i in range(blocks)
        for j in range(DENSE)
        for k in range(CONVOLUTIONS)
    }
