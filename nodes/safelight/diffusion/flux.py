r"""Flux: a transformer in which words and patches end up as one stream.

The first blocks are those of `mmdit.py`: two streams that listen together and think apart.
Then both are laid end to end and share all weights, and each of those blocks listens and
thinks at the same time, from one projection and back through one:

    [q, k, v, h] = W_1 ((1 + b) norm(x) + a)
    x = x + g W_2 [attention(q, k, v), gelu(h)]

Positions are not added to tokens: queries and keys are turned by them (`rotary`).  Each token
has three coordinates, a spare one, row and column; words have zeros.

The guidance-distilled model ("dev") is told the guidance scale as it is told the time, and so
needs no second, negative question.

Symbols: B batch, C channels, H x W latent pixels, N tokens, L words, D width, d head width, H
numbers with which a token thinks.

Source: Black Forest Labs 2024, "Flux.1" (model code and weights, no paper); Dehghani et al.
2023 (arXiv:2302.05442), section 2, for listening and thinking at the same time; Meng et al.
2022 (arXiv:2210.03142), section 3, for the distilled guidance.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Listening
from safelight.diffusion.dit import (
    CLOCK_HANDS,
    EPSILON,
    FinalLayer,
    Modulation,
    Steering,
    feed_forward,
    modulate,
    plain_norm,
    whole_patches,
)
from safelight.diffusion.embedding import TimeEmbedding
from safelight.diffusion.rotary import Turn, coordinates, turn_for, turned

TIME_UNIT = 1000  # the network's clock hands count thousandths, of time and of guidance


@dataclass(frozen=True, slots=True)
class FluxConfig:
    """The sizes of the transformer; the defaults are Flux.1 dev's."""

    channels: int = 16  # more for models that also see a mask or an outline
    out_channels: int = 16
    patch: int = 2
    width: int = 3072
    hidden: int = 12288  # numbers with which a token thinks
    heads: int = 24
    double_depth: int = 19
    single_depth: int = 38
    axes: tuple[int, ...] = (16, 56, 56)  # numbers of a head that turn with each coordinate
    context_width: int = 4096
    pooled_width: int = 768
    guided: bool = True  # told the guidance scale


class Heard(NamedTuple):
    """What tokens bring to an attention."""

    query: Float[Tensor, "B N heads d"]
    key: Float[Tensor, "B N heads d"]
    value: Float[Tensor, "B N D"]

    def turned(self, turn: Turn) -> tuple[Tensor, Tensor, Tensor]:
        """Turn queries and keys by where the tokens are; each is then (B, N, D)."""
        return turned(self.query, turn).flatten(2), turned(self.key, turn).flatten(2), self.value


def end_to_end(first: Heard, second: Heard) -> Heard:
    """Lay what two streams bring one after the other."""
    pairs = zip(first, second, strict=True)
    return Heard(*(torch.cat(pair, dim=1) for pair in pairs))


class HeadNorm(nn.Module):
    """Bring every head's vector to unit size (RMS), then weigh its numbers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))  # named as in files

    def forward(self, x: Float[Tensor, "B N heads d"]) -> Float[Tensor, "B N heads d"]:
        """Normalise over the numbers of each head."""
        return F.rms_norm(x, self.scale.shape, self.scale, EPSILON)


class Ears(nn.Module):
    """Norms for queries and keys, which both kinds of block have."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query_norm = HeadNorm(config.width // config.heads)
        self.key_norm = HeadNorm(config.width // config.heads)

    def forward(self, projected: Float[Tensor, "B N three_D"]) -> Heard:
        """Cut into query, key and value, and normalise the first two in each head."""
        query, key, value = projected.chunk(3, dim=-1)
        split = (*query.shape[:2], self.heads, -1)
        return Heard(
            self.query_norm(query.reshape(split)), self.key_norm(key.reshape(split)), value
        )


class Stream(nn.Module):
    """One block's weights for words or for the picture."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        width = config.width
        self.steering = Steering(width, branches=2)
        self.norm1 = plain_norm(width)
        self.project = nn.Linear(width, 3 * width)
        self.ears = Ears(config)
        self.out = nn.Linear(width, width)
        self.norm2 = plain_norm(width)
        self.feed_forward = feed_forward(width, config.hidden)

    def before(
        self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"]
    ) -> tuple[Heard, tuple[Modulation, ...]]:
        """Return what the stream brings to the joint attention, and how it is steered."""
        steered = self.steering(condition)
        first = steered[0]
        return self.ears(self.project(modulate(self.norm1(x), first.shift, first.scale))), steered

    def after(
        self,
        x: Float[Tensor, "B N D"],
        mixed: Float[Tensor, "B N D"],
        steered: tuple[Modulation, ...],
    ) -> Float[Tensor, "B N D"]:
        """Take in what was heard, and think."""
        listen, think = steered
        x = x + listen.gate * self.out(mixed)
        return x + think.gate * self.feed_forward(modulate(self.norm2(x), think.shift, think.scale))


class DoubleBlock(nn.Module):
    """Two streams: listen together, think apart."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.listen = Listening(config.heads)
        self.words = Stream(config)
        self.picture = Stream(config)

    def forward(
        self,
        words: Float[Tensor, "B L D"],
        x: Float[Tensor, "B N D"],
        condition: Float[Tensor, "B D"],
        turn: Turn,
    ) -> tuple[Float[Tensor, "B L D"], Float[Tensor, "B N D"]]:
        """Refine words and picture."""
        from_words, steered_words = self.words.before(words, condition)
        from_picture, steered = self.picture.before(x, condition)
        mixed = self.listen(*end_to_end(from_words, from_picture).turned(turn))
        of_words, of_picture = torch.split(mixed, [words.shape[1], x.shape[1]], dim=1)
        words = self.words.after(words, of_words, steered_words)
        return words, self.picture.after(x, of_picture, steered)


class SingleBlock(nn.Module):
    """One stream: listen and think at the same time."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        width = config.width
        self.sizes = (3 * width, config.hidden)
        self.listen = Listening(config.heads)
        self.steering = Steering(width, branches=1)
        self.norm = plain_norm(width)
        self.into = nn.Linear(width, sum(self.sizes))
        self.ears = Ears(config)
        self.out_of = nn.Linear(width + config.hidden, width)

    def forward(
        self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"], turn: Turn
    ) -> Float[Tensor, "B N D"]:
        """Refine every token."""
        heard, thought, steered = self.before(x, condition)
        return self.after(x, self.listen(*heard.turned(turn)), thought, steered)

    def before(
        self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"]
    ) -> tuple[Heard, Float[Tensor, "B N H"], Modulation]:
        """Return what tokens bring to the attention, what they think, and how both are steered."""
        (steered,) = self.steering(condition)
        projected, thought = self.into(modulate(self.norm(x), steered.shift, steered.scale)).split(
            self.sizes, dim=-1
        )
        return self.ears(projected), F.gelu(thought, approximate="tanh"), steered

    def after(
        self,
        x: Float[Tensor, "B N D"],
        mixed: Float[Tensor, "B N D"],
        thought: Float[Tensor, "B N H"],
        steered: Modulation,
    ) -> Float[Tensor, "B N D"]:
        """Take in what was heard and thought."""
        return x + steered.gate * self.out_of(torch.cat([mixed, thought], dim=-1))


class Flux(nn.Module):
    """A noisy latent, a time, a prompt, its pooled vector, a guidance scale -> the velocity."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.config = config
        width, pixels = config.width, config.patch**2
        self.patches = nn.Linear(pixels * config.channels, width)
        self.time = TimeEmbedding(CLOCK_HANDS, width)
        self.guidance = TimeEmbedding(CLOCK_HANDS, width) if config.guided else None
        self.pooled = nn.Sequential(
            nn.Linear(config.pooled_width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.words = nn.Linear(config.context_width, width)
        self.double_blocks = nn.ModuleList(DoubleBlock(config) for _ in range(config.double_depth))
        self.single_blocks = nn.ModuleList(SingleBlock(config) for _ in range(config.single_depth))
        self.final = FinalLayer(width, pixels * config.out_channels)

    def forward(
        self,
        x: Float[Tensor, "B C H W"],
        time: Float[Tensor, " B"],
        context: Float[Tensor, "B L D_c"],
        pooled: Float[Tensor, "B P"],
        guidance: Float[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B C_out H W"]:
        """Guess the velocity at times 0..1 (sigma); a model that is not guided ignores the scale.

        Raises:
            ValueError: the model wants a guidance scale and there is none.
        """
        patch, (height, columns) = self.config.patch, x.shape[-2:]
        squares = F.pixel_unshuffle(whole_patches(x, patch), patch)  # B C*p*p rows columns
        tokens = self.patches(squares.flatten(2).transpose(1, 2))  # B N D
        words = self.words(context)  # B L D
        condition = self._condition(time, pooled, guidance)  # B D
        places = coordinates(words.shape[1], *squares.shape[-2:])
        turn = Turn(*(part.to(x.device) for part in turn_for(places, self.config.axes)))
        for block in self.double_blocks:
            words, tokens = block(words, tokens, condition, turn)
        both = torch.cat([words, tokens], dim=1)  # B L+N D
        for block in self.single_blocks:
            both = block(both, condition, turn)
        numbers = self.final(both[:, words.shape[1] :], condition)
        whole = F.pixel_shuffle(numbers.transpose(1, 2).unflatten(2, squares.shape[-2:]), patch)
        return whole[..., :height, :columns]

    def _condition(
        self,
        time: Float[Tensor, " B"],
        pooled: Float[Tensor, "B P"],
        guidance: Float[Tensor, " B"] | None,
    ) -> Float[Tensor, "B D"]:
        """Join all that steers: the time, the pooled prompt, and the guidance scale if wanted."""
        condition = self.time(TIME_UNIT * time) + self.pooled(pooled)
        if self.guidance is None:
            return condition
        if guidance is None:
            raise ValueError("this transformer wants to be told a guidance scale")
        return condition + self.guidance(TIME_UNIT * guidance)
