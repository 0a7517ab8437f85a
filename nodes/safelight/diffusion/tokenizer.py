r"""Tokenizers: a vocabulary of word fragments, and how a text is cut into them.

Byte-pair encoding built the vocabulary: start from letters, again and again join the pair
that is most frequent in a large text, and write the joined fragment down.  CLIP's has
49,408 fragments; frequent words end up as one, rare ones as several, none is unknown.

Before it is cut, a text is cleaned as CLIP's own tokenizer does: accents composed (NFC),
white space collapsed, lower case.

Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2; Radford et al. 2021
(arXiv:2103.00020), section 2.4.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import tokenizers

START_TOKEN, END_TOKEN = "<|startoftext|>", "<|endoftext|>"
TOKENIZER_KEY = "safelight.tokenizer"  # of a checkpoint's metadata

# What the words of CLIP's text are: contractions, letters, single digits, runs of the rest.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class TokenizerError(ValueError):
    """No tokenizer is at hand, or the one at hand cannot be used."""


@runtime_checkable
class Tokenizer(Protocol):
    """Text to token ids, without start, end or padding."""

    @property
    def start(self) -> int:
        """The id that opens a chunk."""
        ...

    @property
    def end(self) -> int:
        """The id that closes a chunk, and fills what is left of it."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        ...


def clip_tokenizer(metadata: Mapping[str, str], folders: Sequence[Path] = ()) -> Tokenizer:
    """Return the tokenizer of a checkpoint: its own, or CLIP's.

    Looked for in this order: in the checkpoint's metadata; `tokenizer.json`, or
    `vocab.json` with `merges.txt`, in `folders`; the package instant-clip-tokenizer.

    Raises:
        TokenizerError: none is found (the message says where to put one) or it is damaged.
    """
    if TOKENIZER_KEY in metadata:
        return FileTokenizer.of_json(metadata[TOKENIZER_KEY], "the checkpoint's metadata")
    for folder in folders:
        path = folder / "tokenizer.json"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if text and not is_unigram(text):
            return FileTokenizer.of_json(text, str(path))
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            return FileTokenizer.of_vocabulary(folder / "vocab.json", folder / "merges.txt")
    if find_spec("instant_clip_tokenizer") is not None:
        return PackagedTokenizer.load()
    places = " or ".join(str(folder) for folder in folders) or "the folder text_encoders"
    raise TokenizerError(
        "no vocabulary for CLIP is at hand: put tokenizer.json (or vocab.json and merges.txt) "
        f"into {places}, or install the package instant-clip-tokenizer"
    )


def is_unigram(text: str) -> bool:
    """Tell whether the JSON of a tokenizer holds a unigram model: T5's does, CLIP's does not."""
    return '"unk_id"' in text


@dataclass(frozen=True, eq=False)
class FileTokenizer:
    """A tokenizer read from a file, or from a checkpoint that carries its own."""

    _inner: tokenizers.Tokenizer
    start: int
    end: int

    @classmethod
    def of_json(cls, text: str, origin: str) -> "FileTokenizer":
        """Read the JSON form of the `tokenizers` package.

        Raises:
            TokenizerError: it is not that form, or has no start and end token.
        """
        try:
            inner = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the package raises plain Exception, and only that
            raise TokenizerError(f"the tokenizer in {origin} cannot be read: {error}") from error
        inner.no_truncation()
        inner.no_padding()
        return cls._with_ends(inner, origin)

    @classmethod
    def of_vocabulary(cls, vocabulary: Path, merges: Path) -> "FileTokenizer":
        """Build CLIP's byte-pair encoding from its two original files.

        Raises:
            TokenizerError: the files cannot be read, or lack the start or end token.
        """
        try:
            model = tokenizers.models.BPE.from_file(
                str(vocabulary), str(merges), unk_token=END_TOKEN, end_of_word_suffix="</w>"
            )
        except Exception as error:  # the package raises plain Exception, and only that
            raise TokenizerError(f"{vocabulary} and {merges} cannot be read: {error}") from error
        inner = tokenizers.Tokenizer(model)
        inner.normalizer = tokenizers.normalizers.Sequence(
            [
                tokenizers.normalizers.NFC(),
                tokenizers.normalizers.Replace(tokenizers.Regex(r"\s+"), " "),
                tokenizers.normalizers.Lowercase(),
            ]
        )
        inner.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
            [
                tokenizers.pre_tokenizers.Split(
                    tokenizers.Regex(_WORDS), behavior="removed", invert=True
                ),
                tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        if inner.token_to_id(START_TOKEN) is not None and inner.token_to_id(END_TOKEN) is not None:
            inner.add_special_tokens([START_TOKEN, END_TOKEN])
        return cls._with_ends(inner, str(vocabulary))

    @classmethod
    def _with_ends(cls, inner: tokenizers.Tokenizer, origin: str) -> "FileTokenizer":
        """Find the tokens that every chunk starts and ends with."""
        start, end = inner.token_to_id(START_TOKEN), inner.token_to_id(END_TOKEN)
        if start is None or end is None:
            raise TokenizerError(
                f"the tokenizer in {origin} lacks the tokens {START_TOKEN} and {END_TOKEN}"
            )
        return cls(inner, start, end)

    def to_json(self) -> str:
        """Write it as `of_json` reads it."""
        text: str = self._inner.to_str()
        return text

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        ids: list[int] = self._inner.encode(text, add_special_tokens=False).ids
        return ids


@dataclass(frozen=True, eq=False)
class PackagedTokenizer:
    """CLIP's vocabulary from the package instant-clip-tokenizer.

    The package neither composes accents nor knows the two special tokens in running text;
    both are done here, so that ids are those of CLIP's own tokenizer.
    """

    _inner: Any  # the package has no types
    start: int
    end: int

    @classmethod
    def load(cls) -> "PackagedTokenizer":
        """Load the vocabulary."""
        # Imported by name, for it is absent on some Python versions: see clip_tokenizer.
        inner: Any = import_module("instant_clip_tokenizer").Tokenizer()
        return cls(inner, inner.start_of_text(), inner.end_of_text())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        special = {START_TOKEN: self.start, END_TOKEN: self.end}
        clean = " ".join(unicodedata.normalize("NFC", text).split()).lower()
        ids: list[int] = []
        for part in re.split(r"(<\|(?:startoftext|endoftext)\|>)", clean):
            ids += [special[part]] if part in special else self._inner.encode(part)
        return ids
