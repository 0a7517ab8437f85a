r"""A second stream of words beside that of a transformer: what the negative says, refined too.

In a transformer words are not only heard, they listen as well and change from block to block.
So the negative goes through every block beside the positive:

    A+ = attend([words+, x]),   A- = attend([words-, x])
    words+ = after(words+, A+_words),   words- = after(words-, A-_words)
    x = after(x, away(A+_x, A-_x))                          see `leading`

Blocks are exchanged for such as know where the second stream is (`Aside`); it lives for one
call of the network, and the blocks take it from one another.

Symbols: words+ words- the prompts' tokens, x the patches, A what attention makes of them.

Source: Chen et al. 2025 (arXiv:2505.21179), section 4.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion import flux, mmdit
from safelight.diffusion.change import Moment, parts
from safelight.diffusion.changes.attention import patches
from safelight.diffusion.conditioning import expanded
from safelight.diffusion.flux import DoubleBlock, Flux, Heard, SingleBlock
from safelight.diffusion.guides.leading import Leading
from safelight.diffusion.mmdit import JointBlock, LastBlock, MMDiT
from safelight.diffusion.rotary import Turn
from safelight.diffusion.variant import variant


@dataclass(eq=False)
class Aside:
    """The second stream of words, at the block that is computed."""

    said: Float[Tensor, "B L D_c"]  # as the text encoder said it
    read: nn.Linear  # what the network makes of it first
    leading: Leading
    patches: int  # of the picture
    words: Tensor | None = None

    def beside(self, words: Float[Tensor, "B L D"]) -> Float[Tensor, "B M D"]:
        """Return the second stream for as many pictures as the first."""
        if self.words is None:
            missing = self.read.in_features - self.said.shape[-1]
            heard: Tensor = self.read(F.pad(self.said.to(words), (0, missing)))
            self.words = heard
        return expanded(self.words, words.shape[0])


class Jointly(nn.Module):
    """In the place of a block of two streams of Stable Diffusion 3."""

    def __init__(self, block: JointBlock, aside: Aside) -> None:
        super().__init__()
        self.block = block
        self.aside = aside

    def forward(
        self,
        words: Float[Tensor, "B L D"],
        x: Float[Tensor, "B N D"],
        condition: Float[Tensor, "B D"],
    ) -> tuple[Float[Tensor, "B L D"], Float[Tensor, "B N D"]]:
        """Refine three streams."""
        block, other, count = self.block, self.aside.beside(words), words.shape[1]
        from_words, steered = block.words.before(words, condition)
        from_other, _ = block.words.before(other, condition)
        from_picture, steered_picture = block.picture.before(x, condition)
        ours = block.listen(*mmdit.end_to_end(from_words, from_picture))
        theirs = block.listen(*mmdit.end_to_end(from_other, from_picture))
        self.aside.words = block.words.after(other, theirs[:, : other.shape[1]], steered)
        led = self.aside.leading.away(ours[:, count:], theirs[:, other.shape[1] :])
        words = block.words.after(words, ours[:, :count], steered)
        return words, block.picture.after(x, led, steered_picture)


class Finally(nn.Module):
    """In the place of the block after which only the picture is left."""

    def __init__(self, block: LastBlock, aside: Aside) -> None:
        super().__init__()
        self.block = block
        self.aside = aside

    def forward(
        self,
        words: Float[Tensor, "B L D"],
        x: Float[Tensor, "B N D"],
        condition: Float[Tensor, "B D"],
    ) -> Float[Tensor, "B N D"]:
        """Refine the picture."""
        block = self.block
        from_picture, steered = block.picture.before(x, condition)
        ours, theirs = (
            block.listen(*mmdit.end_to_end(block.words.heard(said, condition), from_picture))
            for said in (words, self.aside.beside(words))
        )
        ours, theirs = (mixed[:, -x.shape[1] :] for mixed in (ours, theirs))
        led = self.aside.leading.away(ours, theirs)
        return block.picture.after(x, led, steered)


class Doubly(nn.Module):
    """In the place of a block of two streams of Flux."""

    def __init__(self, block: DoubleBlock, aside: Aside) -> None:
        super().__init__()
        self.block = block
        self.aside = aside

    def forward(
        self,
        words: Float[Tensor, "B L D"],
        x: Float[Tensor, "B N D"],
        condition: Float[Tensor, "B D"],
        turn: Turn,
    ) -> tuple[Float[Tensor, "B L D"], Float[Tensor, "B N D"]]:
        """Refine three streams."""
        block, other, count = self.block, self.aside.beside(words), words.shape[1]
        from_words, steered = block.words.before(words, condition)
        from_other, _ = block.words.before(other, condition)
        from_picture, steered_picture = block.picture.before(x, condition)
        beside = _turn_beside(turn, count, other.shape[1])
        ours = block.listen(*flux.end_to_end(from_words, from_picture).turned(turn))
        theirs = block.listen(*flux.end_to_end(from_other, from_picture).turned(beside))
        self.aside.words = block.words.after(other, theirs[:, : other.shape[1]], steered)
        led = self.aside.leading.away(ours[:, count:], theirs[:, other.shape[1] :])
        words = block.words.after(words, ours[:, :count], steered)
        return words, block.picture.after(x, led, steered_picture)


class Singly(nn.Module):
    """In the place of a block of one stream, the words' and patches' of Flux."""

    def __init__(self, block: SingleBlock, aside: Aside) -> None:
        super().__init__()
        self.block = block
        self.aside = aside

    def forward(
        self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"], turn: Turn
    ) -> Float[Tensor, "B N D"]:
        """Refine every token, and the words beside."""
        block, count = self.block, x.shape[1] - self.aside.patches
        other = self.aside.beside(x[:, :count])
        heard, thought, steered = block.before(x, condition)
        from_other, thought_beside, _ = block.before(other, condition)
        from_picture = Heard(*(part[:, count:] for part in heard))
        beside = _turn_beside(turn, count, other.shape[1])
        ours = block.listen(*heard.turned(turn))
        theirs = block.listen(*flux.end_to_end(from_other, from_picture).turned(beside))
        of_other = theirs[:, : other.shape[1]]
        self.aside.words = block.after(other, of_other, thought_beside, steered)
        led = self.aside.leading.away(ours[:, count:], theirs[:, other.shape[1] :])
        return block.after(x, torch.cat([ours[:, :count], led], dim=1), thought, steered)


def beside(
    network: MMDiT | Flux, moment: Moment, said: Float[Tensor, "B L D_c"], leading: Leading
) -> nn.Module:
    """Return a transformer that is led away from what is said, for one call."""
    aside = Aside(said, network.words, leading, patches(network, moment))
    kinds: dict[type[nn.Module], type[nn.Module]] = {
        JointBlock: Jointly,
        LastBlock: Finally,
        DoubleBlock: Doubly,
        SingleBlock: Singly,
    }
    found = {
        path: made(block, aside)
        for kind, made in kinds.items()
        for path, block in parts(network, kind)
    }
    return variant(network, found)


def _turn_beside(turn: Turn, count: int, other: int) -> Turn:
    """Return the angles of as many other words, all of which are at zero, and of the patches."""
    cos, sin = (torch.cat([part[:1].expand(other, -1, -1), part[count:]]) for part in turn)
    return Turn(cos, sin)
