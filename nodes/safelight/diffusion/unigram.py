r"""T5's tokenizer: the most probable way to cut a text, by a unigram language model.

Byte-pair encoding (`tokenizer.py`) joins letters by rules.  A unigram model instead knows how
probable each fragment is, and takes the cut whose fragments have the greatest product:

    best = argmax over cuts (f_1 .. f_n) of the text    sum_i ln p(f_i)

Spaces are part of the text, written as a low line (U+2581) before each word.

The vocabulary comes with the model, as `tokenizer.json` or in SentencePiece's own form, a
protocol buffer.  Of that only three things are read here:

    field 1, once for each fragment: { 1: the text, 2: ln p (float32), 3: kind (2: unknown) }
    field 3: { 2: the table by which characters are brought to one form (NFKC and a bit more) }

Symbols: f fragment, p its probability.

Source: Kudo 2018 (arXiv:1804.10959), section 3; Kudo & Richardson 2018 (arXiv:1808.06226).
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from safelight.diffusion.tokenizer import TokenizerError, is_unigram

T5_TOKENIZER_KEY = "safelight.tokenizer.t5"  # of a checkpoint's metadata
END_TOKEN, PAD_TOKEN = "</s>", "<pad>"
JSON_NAMES = ("t5/tokenizer.json", "t5-tokenizer.json", "tokenizer.json")
SPIECE_NAMES = ("t5/spiece.model", "spiece.model")
SPACE = "\u2581"
_UNKNOWN = 2  # the kind of the fragment that stands for all that is unknown
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # how a field of a protocol buffer is written


@dataclass(frozen=True, eq=False)
class UnigramTokenizer:
    """Text to token ids, without end or padding."""

    _inner: tokenizers.Tokenizer
    end: int
    padding: int

    @classmethod
    def of_json(cls, text: str, origin: str) -> "UnigramTokenizer":
        """Read the JSON form of the `tokenizers` package.

        Raises:
            TokenizerError: it is not that form, or has no end or padding token.
        """
        try:
            inner = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the package raises plain Exception, and only that
            raise TokenizerError(f"the tokenizer in {origin} cannot be read: {error}") from error
        inner.no_truncation()
        inner.no_padding()
        end, padding = inner.token_to_id(END_TOKEN), inner.token_to_id(PAD_TOKEN)
        if end is None or padding is None:
            raise TokenizerError(
                f"the tokenizer in {origin} lacks the tokens {END_TOKEN} and {PAD_TOKEN}"
            )
        return cls(inner, end, padding)

    @classmethod
    def of_spiece(cls, data: bytes, origin: str) -> "UnigramTokenizer":
        """Build it from a SentencePiece model.

        Raises:
            TokenizerError: the bytes are no such model, or it has no end or padding token.
        """
        try:
            model = _Model.read(data)
            inner = model.tokenizer()
        except Exception as error:  # a damaged file fails anywhere, the package as it likes
            raise TokenizerError(f"{origin} is no SentencePiece model: {error}") from error
        return cls.of_json(inner.to_str(), origin)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        ids: list[int] = self._inner.encode(text, add_special_tokens=False).ids
        return ids


def t5_tokenizer(metadata: Mapping[str, str], folders: Sequence[Path] = ()) -> UnigramTokenizer:
    """Return T5's tokenizer: the checkpoint's own, or from a file beside the models.

    Raises:
        TokenizerError: none is found (the message says where to put one) or it is damaged.
    """
    if T5_TOKENIZER_KEY in metadata:
        return UnigramTokenizer.of_json(metadata[T5_TOKENIZER_KEY], "the checkpoint's metadata")
    for folder in folders:
        for path in (folder / name for name in JSON_NAMES):
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if is_unigram(text):
                return UnigramTokenizer.of_json(text, str(path))
        for path in (folder / name for name in SPIECE_NAMES):
            if path.is_file():
                return UnigramTokenizer.of_spiece(path.read_bytes(), str(path))
    places = " or ".join(str(folder) for folder in folders) or "the folder text_encoders"
    raise TokenizerError(
        "no vocabulary for T5 is at hand: put T5's tokenizer.json or spiece.model into "
        f"{places} (or a folder t5 in it)"
    )


@dataclass(frozen=True)
class _Model:
    """What is read of a SentencePiece model."""

    pieces: list[tuple[str, float]]
    unknown: int
    characters: bytes

    @classmethod
    def read(cls, data: bytes) -> "_Model":
        """Pick the fragments and the table of characters."""
        pieces: list[tuple[str, float]] = []
        unknown, characters = -1, b""
        for field, value in _fields(data):
            if field == 1:
                parts = dict(_fields(value))
                if parts.get(3, b"\0")[0] == _UNKNOWN:
                    unknown = len(pieces)
                (score,) = struct.unpack("<f", parts.get(2, bytes(4)))
                pieces.append((parts[1].decode(), score))
            elif field == 3:
                characters = dict(_fields(value)).get(2, b"")
        if unknown < 0:
            raise ValueError("it has no fragment for what is unknown")
        return cls(pieces, unknown, characters)

    def tokenizer(self) -> tokenizers.Tokenizer:
        """Build the tokenizer, which cleans texts as SentencePiece does."""
        inner = tokenizers.Tokenizer(
            tokenizers.models.Unigram(self.pieces, self.unknown, byte_fallback=False)
        )
        normal = tokenizers.normalizers
        steps: list[tokenizers.normalizers.Normalizer] = [
            normal.Strip(left=False, right=True),
            normal.Replace(tokenizers.Regex(" {2,}"), SPACE),
        ]
        if self.characters:
            steps.insert(0, normal.Precompiled(self.characters))
        inner.normalizer = normal.Sequence(steps)
        inner.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
        known = [name for name in (PAD_TOKEN, END_TOKEN) if inner.token_to_id(name) is not None]
        inner.add_special_tokens(known)
        return inner


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a protocol buffer: number and bytes (of a number: little-endian)."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        written = key & 7
        if written == _VARINT:
            number, end = _varint(data, at)
            value = number.to_bytes(10, "little")
        else:
            if written == _BYTES:
                length, at = _varint(data, at)
            elif written in (_FOUR, _EIGHT):
                length = 4 if written == _FOUR else 8
            else:
                raise ValueError(f"a field is written in a way unknown here: {written}")
            end = at + length
            value = data[at:end]
        if end > len(data):
            raise ValueError("it is cut short")
        yield key >> 3, value
        at = end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits to the byte; return it and where the next thing starts."""
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("it is cut short")
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return number, at
