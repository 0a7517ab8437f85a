r"""Tokens: a prompt as numbers, in the chunks that a text encoder was trained on.

CLIP reads 77 tokens: a start token, up to 75 fragments, an end token, and padding (which
is more end tokens, or zeros, as the encoder was trained).  Longer
prompts become several chunks that are encoded apart and laid end to end.  A segment of
fewer than 8 tokens is not torn apart: the chunk is padded and the segment opens the next.

Weights move the encoder's output z away from that of an empty prompt:

    z = (z - z_empty) w + z_empty

Learnt words (`textual_inversion`) take the places of tokens: a name stands for one or more
rows behind the end of the encoder's table.

Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4, for the 77 tokens; the rules for
long and weighted prompts are customs of the programs that users bring their prompts from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.prompt import parts, segments, stem
from safelight.diffusion.textual_inversion import Rows, with_words
from safelight.diffusion.tokenizer import Tokenizer

CHUNK = 77  # tokens a text encoder reads at once
WHOLE = 8  # segments shorter than this are not torn apart


@dataclass(frozen=True)
class Row:
    """A place for one vector of a textual-inversion embedding, where a token id would be."""

    embedding: str
    index: int


@dataclass(frozen=True)
class Chunk:
    """What a text encoder reads at once: 77 ids (or rows), and a weight for each."""

    pieces: tuple[int | Row, ...]
    weights: tuple[float, ...]


def tokenize_prompt(
    tokenizer: Tokenizer,
    prompt: str,
    embeddings: Mapping[str, int] | None = None,
    padding: int | None = None,
) -> tuple[Chunk, ...]:
    """Return the chunks of a prompt with weights; at least one, even of nothing.

    `embeddings` gives the number of vectors of each embedding known by name; names that
    are not known are dropped.  `padding` fills the chunks, or else the end token does.
    """
    packer = _Packer(tokenizer, padding)
    for segment in segments(prompt):
        for group in _groups(tokenizer, segment.text, embeddings or {}):
            packer.add(group, segment.weight)
    return packer.finished()


def numbered(
    chunks: Sequence[Chunk], embeddings: Mapping[str, int], vocabulary: int
) -> Int[Tensor, "n L"]:
    """Return chunks as ids: rows of embeddings follow a vocabulary, in their order."""
    firsts = accumulate(embeddings.values(), initial=vocabulary)
    first = dict(zip(embeddings, firsts, strict=False))
    return torch.tensor(
        [
            [p if isinstance(p, int) else first[p.embedding] + p.index for p in chunk.pieces]
            for chunk in chunks
        ]
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """How a family reads a prompt with a text encoder of CLIP's kind."""

    skip_last: int = 0  # layers left out at the end
    normed: bool = True  # the final norm is applied to what a skipped layer gives too
    padding: int | None = None  # id that fills a chunk after its end; None: the end token


@dataclass(frozen=True, eq=False)
class Encoded:
    """What one text encoder heard: vectors of all chunks, one vector of the first, float32."""

    tokens: Float[Tensor, "1 N D"]  # N = 77 for each chunk
    pooled: Float[Tensor, "1 P"]
    empty: Float[Tensor, "1 L D"]  # of a chunk without words


def encode(
    text_encoder: TextEncoder,
    tokenizer: Tokenizer,
    prompt: str,
    reading: Reading,
    words: Mapping[str, Float[Tensor, "n D"]] | None = None,
) -> Encoded:
    """Encode a prompt with its weights; `words` are learnt ones that it may mention.

    Raises:
        ValueError: the reading leaves no layer, or a word is not as wide as the encoder's own.
    """
    known = words or {}
    counts = {name: len(rows) for name, rows in known.items()}
    chunks = tokenize_prompt(tokenizer, prompt, counts, reading.padding)
    empty = tokenize_prompt(tokenizer, "", padding=reading.padding)
    ids = numbered((*chunks, *empty), counts, text_encoder.config.vocabulary)
    like = text_encoder.position.weight
    if known:
        new = torch.cat(list(known.values())).to(like)
        text_encoder = with_words(text_encoder, Rows(new))
    ids = ids.to(like.device)
    vectors, pooled = text_encoder.read(ids, tokenizer.end, reading.skip_last, reading.normed)
    z, z_empty = vectors[:-1].float(), vectors[-1:].float()  # n 77 D, 1 77 D
    weights = torch.tensor([chunk.weights for chunk in chunks], device=z.device)[..., None]
    if (weights != 1).any():
        z = (z - z_empty) * weights + z_empty
    return Encoded(_end_to_end(z), pooled[:1].float(), z_empty)


def encode_prompt(
    text_encoder: TextEncoder, tokenizer: Tokenizer, prompt: str, skip_last: int = 0
) -> Conditioning:
    """Encode a prompt as Stable Diffusion 1 reads it: (1, 77 n, D) for n chunks, in float32.

    `skip_last` leaves out that many of the encoder's last layers ("CLIP skip").

    Raises:
        ValueError: `skip_last` leaves no layer.
    """
    return Conditioning(encode(text_encoder, tokenizer, prompt, Reading(skip_last)).tokens)


class _Packer:
    """Fills chunks one after the other."""

    def __init__(self, tokenizer: Tokenizer, padding: int | None) -> None:
        self._end = tokenizer.end
        self._padding = tokenizer.end if padding is None else padding
        self._open: list[tuple[int | Row, float]] = [(tokenizer.start, 1.0)]
        self._start = tokenizer.start
        self._full: list[Chunk] = []

    def add(self, group: Sequence[int | Row], weight: float) -> None:
        """Add tokens that belong together."""
        left = list(group)
        while left:
            room = CHUNK - 1 - len(self._open)
            if len(left) > room and len(group) < WHOLE:
                self._close()
                room = CHUNK - 2
            self._open += [(piece, weight) for piece in left[:room]]
            left = left[room:]
            if left:
                self._close()

    def finished(self) -> tuple[Chunk, ...]:
        """Return all chunks, the last one padded."""
        if len(self._open) > 1 or not self._full:
            self._close()
        return tuple(self._full)

    def _close(self) -> None:
        """End and pad the open chunk and start another."""
        ended = [*self._open, (self._end, 1.0)]
        padded = ended + [(self._padding, 1.0)] * (CHUNK - len(ended))
        pieces, weights = zip(*padded, strict=True)
        self._full.append(Chunk(pieces, weights))
        self._open = [(self._start, 1.0)]


def _groups(
    tokenizer: Tokenizer, text: str, embeddings: Mapping[str, int]
) -> Iterator[Sequence[int | Row]]:
    """Yield the tokens of a segment in groups: text, or the vectors of one embedding."""
    for part in parts(text):
        if isinstance(part, str):
            yield tokenizer.encode(part)
            continue
        name = next((known for known in (part.name, stem(part.name)) if known in embeddings), None)
        if name is not None:
            yield [Row(name, index) for index in range(embeddings[name])]
        if part.comma:
            yield tokenizer.encode(part.comma)


def _end_to_end(z: Float[Tensor, "n L D"]) -> Float[Tensor, "1 n*L D"]:
    """Lay chunks one after the other."""
    return z.flatten(0, 1)[None]
