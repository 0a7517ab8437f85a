"""T5's tokenizer, from both forms of its file, and what is told when there is none."""

import json
import re
import struct
from itertools import product
from math import log
from pathlib import Path

import pytest
import tokenizers

from safelight.diffusion.tokenizer import TokenizerError, clip_tokenizer
from safelight.diffusion.unigram import T5_TOKENIZER_KEY, UnigramTokenizer, t5_tokenizer

# Fragments with their probabilities; the low line stands for the space before a word.
PIECES = [
    ("<pad>", 1.0),
    ("</s>", 1.0),
    ("<unk>", 1.0),
    ("\u2581", 0.05),
    ("\u2581a", 0.1),
    ("\u2581c", 0.02),
    ("a", 0.1),
    ("c", 0.05),
    ("t", 0.1),
    ("at", 0.12),
    ("\u2581cat", 0.004),
    ("ca", 0.03),
]
KINDS = {"<pad>": 3, "</s>": 3, "<unk>": 2}


def field(number: int, value: bytes) -> bytes:
    """A field of a protocol buffer, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def spiece() -> bytes:
    """A SentencePiece model of the fragments, with a trainer's section that nobody reads."""
    model = b""
    for text, probability in PIECES:
        entry = field(1, text.encode()) + b"\x15" + struct.pack("<f", log(probability))
        model += field(1, entry + bytes([3 << 3, KINDS.get(text, 1)]))
    return model + field(2, b"\x08\x96\x01") + field(3, field(1, b"identity"))


def as_json() -> str:
    """The same as a file of the `tokenizers` package."""
    inner = tokenizers.Tokenizer(
        tokenizers.models.Unigram([(text, log(p)) for text, p in PIECES], 2, byte_fallback=False)
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace("\u2581", prepend_scheme="always")
    return inner.to_str()


def best_cut(word: str) -> list[int]:
    """The most probable cut of one word, by trying all of them."""
    text = f"\u2581{word}"
    index = {piece: i for i, (piece, _) in enumerate(PIECES)}
    best: tuple[float, list[int]] = (-1e9, [])
    for marks in product([False, True], repeat=len(text) - 1):
        ends = [i + 1 for i, mark in enumerate(marks) if mark] + [len(text)]
        cut = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
        if all(piece in index for piece in cut):
            score = sum(log(PIECES[index[piece]][1]) for piece in cut)
            best = max(best, (score, [index[piece] for piece in cut]))
    return best[1]


@pytest.mark.parametrize("word", ["cat", "at", "tata", "acat", "catcat"])
def test_the_most_probable_cut_is_taken(word: str, tmp_path: Path) -> None:
    """Both forms of the file give what trying every cut gives."""
    (tmp_path / "spiece.model").write_bytes(spiece())
    assert t5_tokenizer({}, [tmp_path]).encode(word) == best_cut(word)
    own = t5_tokenizer({T5_TOKENIZER_KEY: as_json()})
    assert own.encode(word) == best_cut(word)
    assert (own.end, own.padding) == (1, 0)


def test_spaces_before_words_count_once(tmp_path: Path) -> None:
    """Runs of spaces and those at the end mean nothing."""
    tokenizer = UnigramTokenizer.of_spiece(spiece(), "here")
    assert tokenizer.encode("a  cat ") == tokenizer.encode("a cat") == [4, 10]


def test_the_end_token_in_running_text_is_itself() -> None:
    """It is not cut into letters."""
    assert UnigramTokenizer.of_spiece(spiece(), "here").encode("cat</s>") == [10, 1]


def test_a_file_is_found_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """Where CLIP's tokenizer.json has the better place, T5's lies in t5."""
    clip = json.dumps({"model": {"type": "BPE", "unk_token": "x"}})
    (tmp_path / "tokenizer.json").write_text(clip, encoding="utf-8")
    (tmp_path / "t5").mkdir()
    (tmp_path / "t5" / "tokenizer.json").write_text(as_json(), encoding="utf-8")
    assert t5_tokenizer({}, [tmp_path]).encode("cat") == [10]


def test_clip_does_not_take_t5_s_file(tmp_path: Path) -> None:
    """A unigram model is nothing for CLIP, which looks further."""
    pytest.importorskip("instant_clip_tokenizer")
    (tmp_path / "tokenizer.json").write_text(as_json(), encoding="utf-8")
    assert clip_tokenizer({}, [tmp_path]).end == 49407
    assert t5_tokenizer({}, [tmp_path]).end == 1


def test_without_a_vocabulary_the_message_says_where_to_put_one(tmp_path: Path) -> None:
    """The folder is named, and both forms of the file."""
    wanted = (
        "no vocabulary for T5 is at hand: put T5's tokenizer.json or spiece.model into "
        f"{tmp_path} (or a folder t5 in it)"
    )
    with pytest.raises(TokenizerError, match=f"^{re.escape(wanted)}$"):
        t5_tokenizer({}, [tmp_path])


@pytest.mark.parametrize("data", [b"", b"\xff" * 12, spiece()[:-3], b"\x0b\x01", field(1, b"\x0a")])
def test_a_damaged_model_is_refused_with_its_path(data: bytes, tmp_path: Path) -> None:
    """Nothing is read past the end, and nothing is guessed."""
    path = tmp_path / "spiece.model"
    path.write_bytes(data)
    with pytest.raises(TokenizerError, match=f"^{re.escape(str(path))} is no SentencePiece model"):
        t5_tokenizer({}, [tmp_path])


def test_a_tokenizer_without_an_end_is_refused() -> None:
    """The message says whose tokenizer it is and what it lacks."""
    inner = tokenizers.Tokenizer(tokenizers.models.Unigram([("a", -1.0)], 0, byte_fallback=False))
    with pytest.raises(
        TokenizerError, match=r"^the tokenizer in here lacks the tokens </s> and <pad>$"
    ):
        UnigramTokenizer.of_json(inner.to_str(), "here")
