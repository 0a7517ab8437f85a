r"""Blocks left out: what a transformer draws without some of its layers.

    words, x  ->  words, x          instead of the block

Each block adds to what it is given, so a network without one still works, only worse: parts
lose their place and their number.  `guides.weaker` makes use of that.

Numbers are those of the blocks from the first (0); those that the network lacks are ignored,
so that one setting serves several sizes.

Symbols: words and x, the tokens of prompt and picture.

Source: see `guides.weaker`.
"""

from collections.abc import Collection

from torch import Tensor, nn

from safelight.diffusion.change import CannotChange, Change, Moment
from safelight.diffusion.flux import Flux
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.variant import variant


class PassedBoth(nn.Module):
    """In the place of a block with two streams."""

    def forward(self, words: Tensor, x: Tensor, *steering: object) -> tuple[Tensor, Tensor]:
        """Pass both on as they are."""
        return words, x


class PassedPicture(nn.Module):
    """In the place of the block after which only the picture is left."""

    def forward(self, words: Tensor, x: Tensor, *steering: object) -> Tensor:
        """Pass the picture on as it is."""
        return x


class PassedOne(nn.Module):
    """In the place of a block with one stream."""

    def forward(self, x: Tensor, *steering: object) -> Tensor:
        """Pass it on as it is."""
        return x


def skipping(double: Collection[int], single: Collection[int] = ()) -> Change:
    """Return a change that leaves blocks out: of two streams, and of one (Flux only).

    At use it raises `CannotChange` for a network that is not built of such blocks.
    """

    def skip(network: nn.Module, moment: Moment) -> nn.Module:
        out: dict[str, nn.Module] = {}
        if isinstance(network, MMDiT):
            last = len(network.blocks)
            out = {f"blocks.{i}": PassedBoth() for i in double if i < last}
            if last in double:
                out["last"] = PassedPicture()
        elif isinstance(network, Flux):
            out = {f"double_blocks.{i}": PassedBoth() for i in double}
            out |= {f"single_blocks.{i}": PassedOne() for i in single}
            out = {path: part for path, part in out.items() if _there(network, path)}
        else:
            raise CannotChange(f"{type(network).__name__} has no blocks that could be left out")
        return variant(network, out)

    return skip


def _there(network: nn.Module, path: str) -> bool:
    name, _, index = path.partition(".")
    return int(index) < len(getattr(network, name))
