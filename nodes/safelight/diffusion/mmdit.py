r"""The multimodal diffusion transformer of Stable Diffusion 3: words and patches as equals.

In DiT (`dit.py`) the condition is one vector.  Here the prompt is a sentence of tokens with
weights of their own, refined in every block beside the picture's.  The two streams think
apart and listen together:

    c = time(t) + pooled(y)                          one vector, steers both streams
    q, k, v = words' then picture's, end to end      each stream has its own W_q, W_k, W_v
    A = softmax(q k^T / sqrt(d)) v                   everyone listens to everyone
    x = x + g A_x;  x = x + g' mlp(...)              each stream goes on with its own part

The last block ends the words' stream: nothing reads it afterwards.

Version 3.5 normalises every query and key to unit size per head (RMS), so that long training
in low precision cannot blow the softmax up; its medium model gives the first blocks a second
attention in which the picture listens to itself alone ("MMDiT-X").

A table of positions for large pictures is stored with the model; smaller ones use its centre,
so that the middle of every picture is at the same place.

Symbols: B batch, C channels, H x W latent pixels, N patches, L words, D width, d head width.

Source: Esser et al. 2024 (arXiv:2403.03206), section 4 and figure 2; the norms of queries and
keys are section 5.3.2 there, after Dehghani et al. 2023 (arXiv:2302.05442), section 2.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Listening, attend
from safelight.diffusion.control import NOTHING, Residuals, added
from safelight.diffusion.dit import (
    CLOCK_HANDS,
    EPSILON,
    FinalLayer,
    Modulation,
    Patches,
    Steering,
    feed_forward,
    modulate,
    picture,
    plain_norm,
    positions,
    whole_patches,
)
from safelight.diffusion.embedding import TimeEmbedding


@dataclass(frozen=True, slots=True)
class MMDiTConfig:
    """The sizes of the transformer; the defaults are Stable Diffusion 3 medium's."""

    channels: int = 16
    patch: int = 2
    side: int = 192  # patches along one side of the table of positions
    width: int = 1536
    depth: int = 24
    heads: int = 24
    context_width: int = 4096
    pooled_width: int = 2048
    normalised: bool = False  # queries and keys, in version 3.5
    doubled: int = 0  # blocks, from the first, with a second attention for the picture


class Heard(NamedTuple):
    """What a stream brings to an attention, each (B, N, D)."""

    query: Tensor
    key: Tensor
    value: Tensor


class StreamAttention(nn.Module):
    """One stream's way into the attention and out of it."""

    def __init__(self, width: int, heads: int, *, normalised: bool, out: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.query_norm = nn.RMSNorm(width // heads, eps=EPSILON) if normalised else nn.Identity()
        self.key_norm = nn.RMSNorm(width // heads, eps=EPSILON) if normalised else nn.Identity()
        self.out = nn.Linear(width, width) if out else nn.Identity()

    def heard(self, x: Float[Tensor, "B N D"]) -> Heard:
        """Project, and normalise query and key in each head."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        split = (*query.shape[:2], self.heads, -1)
        return Heard(
            self.query_norm(query.reshape(split)).flatten(2),
            self.key_norm(key.reshape(split)).flatten(2),
            value,
        )

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Let the stream listen to itself alone."""
        return self.out(attend(*self.heard(x), self.heads))


class PictureStream(nn.Module):
    """One block's weights for a stream that goes on to the next block."""

    def __init__(self, config: MMDiTConfig, *, doubled: bool = False) -> None:
        super().__init__()
        width, normalised = config.width, config.normalised
        self.steering = Steering(width, branches=3 if doubled else 2)
        self.norm1 = plain_norm(width)
        self.attention = StreamAttention(width, config.heads, normalised=normalised)
        self.alone = (
            StreamAttention(width, config.heads, normalised=normalised) if doubled else None
        )
        self.norm2 = plain_norm(width)
        self.feed_forward = feed_forward(width)

    def before(
        self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"]
    ) -> tuple[Heard, tuple[Modulation, ...]]:
        """Return what the stream brings to the joint attention, and how it is steered."""
        steered = self.steering(condition)
        joint = steered[0]
        return self.attention.heard(modulate(self.norm1(x), joint.shift, joint.scale)), steered

    def after(
        self,
        x: Float[Tensor, "B N D"],
        mixed: Float[Tensor, "B N D"],
        steered: tuple[Modulation, ...],
    ) -> Float[Tensor, "B N D"]:
        """Take in what was heard, and think."""
        joint, think = steered[:2]
        heard = joint.gate * self.attention.out(mixed)
        if self.alone is not None:
            alone = steered[2]
            own = self.alone(modulate(self.norm1(x), alone.shift, alone.scale))
            heard = heard + alone.gate * own
        x = x + heard
        return x + think.gate * self.feed_forward(modulate(self.norm2(x), think.shift, think.scale))


class LastWords(nn.Module):
    """The words' weights in the last block: they are listened to and then dropped."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        width = config.width
        self.norm1 = plain_norm(width)
        self.steer = nn.Linear(width, 2 * width)
        self.attention = StreamAttention(
            width, config.heads, normalised=config.normalised, out=False
        )

    def heard(self, x: Float[Tensor, "B L D"], condition: Float[Tensor, "B D"]) -> Heard:
        """Return what the words bring to the joint attention."""
        shift, scale = self.steer(F.silu(condition))[:, None].chunk(2, dim=-1)
        return self.attention.heard(modulate(self.norm1(x), shift, scale))


class JointBlock(nn.Module):
    """Both streams: listen together, think apart."""

    def __init__(self, config: MMDiTConfig, *, doubled: bool) -> None:
        super().__init__()
        self.listen = Listening(config.heads)
        self.words = PictureStream(config)
        self.picture = PictureStream(config, doubled=doubled)

    def forward(
        self,
        words: Float[Tensor, "B L D"],
        x: Float[Tensor, "B N D"],
        condition: Float[Tensor, "B D"],
    ) -> tuple[Float[Tensor, "B L D"], Float[Tensor, "B N D"]]:
        """Refine words and picture."""
        from_words, steered_words = self.words.before(words, condition)
        from_picture, steered = self.picture.before(x, condition)
        mixed = self.listen(*end_to_end(from_words, from_picture))
        of_words, of_picture = torch.split(mixed, [words.shape[1], x.shape[1]], dim=1)
        words = self.words.after(words, of_words, steered_words)
        return words, self.picture.after(x, of_picture, steered)


class LastBlock(nn.Module):
    """The block after which only the picture is left."""

    def __init__(self, config: MMDiTConfig, *, doubled: bool) -> None:
        super().__init__()
        self.listen = Listening(config.heads)
        self.words = LastWords(config)
        self.picture = PictureStream(config, doubled=doubled)

    def forward(
        self,
        words: Float[Tensor, "B L D"],
        x: Float[Tensor, "B N D"],
        condition: Float[Tensor, "B D"],
    ) -> Float[Tensor, "B N D"]:
        """Refine the picture."""
        from_picture, steered = self.picture.before(x, condition)
        mixed = self.listen(*end_to_end(self.words.heard(words, condition), from_picture))
        return self.picture.after(x, mixed[:, words.shape[1] :], steered)


class Reception(nn.Module):
    """What stands before the blocks: patches and their places, the time, the words.

    A ControlNet of this family begins in the same way (`controlnet_sd3`).
    """

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch
        self.patches = Patches(config.channels, patch, width)
        self.register_buffer("pos_embed", positions(config.side, width))  # named as in files
        self.time = TimeEmbedding(CLOCK_HANDS, width)
        self.pooled = nn.Sequential(
            nn.Linear(config.pooled_width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.words = nn.Linear(config.context_width, width)

    def placed(self, x: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "B N D"], int]:
        """Return a latent as tokens that know their places, and how many rows they make.

        Raises:
            ValueError: the latent is larger than the table of positions.
        """
        covered = whole_patches(x, self.config.patch)
        rows = covered.shape[-2] // self.config.patch
        tokens = self.patches(covered)  # B N D
        return tokens + self._positions(rows, tokens.shape[1] // rows), rows

    def read(self, context: Float[Tensor, "B L D_c"]) -> Float[Tensor, "B L D"]:
        """Return the words; those narrower than the network reads are filled up with zeros."""
        missing = self.config.context_width - context.shape[-1]
        return self.words(F.pad(context, (0, missing)))

    def _positions(self, rows: int, columns: int) -> Float[Tensor, "1 N D"]:
        """Cut the centre of the table to the shape of a picture."""
        side = self.config.side
        if rows > side or columns > side:
            limit = side * self.config.patch
            asked = f"{columns * self.config.patch}x{rows * self.config.patch}"
            raise ValueError(
                f"a latent of {asked} is too large for this transformer: at most {limit}x{limit}"
            )
        top, left = (side - rows) // 2, (side - columns) // 2
        table = self.get_buffer("pos_embed").reshape(1, side, side, -1)
        return table[:, top : top + rows, left : left + columns].flatten(1, 2)


class MMDiT(Reception):
    """A noisy latent, a time, a prompt and its pooled vector -> the velocity of the flow."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__(config)
        last = config.depth - 1
        self.blocks = nn.ModuleList(
            JointBlock(config, doubled=i < config.doubled) for i in range(last)
        )
        self.last = LastBlock(config, doubled=last < config.doubled)
        self.final = FinalLayer(config.width, config.patch**2 * config.channels)

    def forward(
        self,
        x: Float[Tensor, "B C H W"],
        time: Float[Tensor, " B"],
        context: Float[Tensor, "B L D_c"],
        pooled: Float[Tensor, "B P"],
        residuals: Residuals = NOTHING,
    ) -> Float[Tensor, "B C H W"]:
        """Guess the velocity at times 0..1000 (1000 sigma).

        Residuals are fewer than blocks, each for as many blocks in a row.

        Raises:
            ValueError: the latent is larger than the table of positions.
        """
        tokens, rows = self.placed(x)
        condition = self.time(time) + self.pooled(pooled)  # B D
        words, passing = self.read(context), residuals.passing
        for i, block in enumerate(self.blocks):
            words, tokens = block(words, tokens, condition)
            more = passing[i * len(passing) // self.config.depth] if passing else None
            tokens = added(tokens, more)
        tokens = self.last(words, tokens, condition)
        whole = picture(self.final(tokens, condition), rows, self.config.patch)
        return whole[..., : x.shape[-2], : x.shape[-1]]


def end_to_end(words: Heard, picture: Heard) -> Heard:
    """Lay what two streams bring one after the other."""
    pairs = zip(words, picture, strict=True)
    return Heard(*(torch.cat(pair, dim=1) for pair in pairs))
