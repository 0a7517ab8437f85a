import json
import re
from pathlib import Path
from unittest.mock import patch

import pytest
import tokenizers

from safelight.diffusion.tokenizer import (
    END_TOKEN,
    START_TOKEN,
    FileTokenizer,
    PackagedTokenizer,
    TokenizerError,
    clip_tokenizer,
)

# A vocabulary in CLIP's form: letters, letters that end a word, and two merges.
LETTERS = "abcét"
WORDS = ["at</w>", "cat</w>"]
VOCABULARY = {
    token: number
    for number, token in enumerate(
        [*"abctÃ©", *(f"{c}</w>" for c in "abctÃ©"), "Ã©</w>", *WORDS, START_TOKEN, END_TOKEN]
    )
}
MERGES = "#version: 0.2\na t</w>\nc at</w>\nÃ ©</w>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder with CLIP's two original files."""
    (tmp_path / "vocab.json").write_text(json.dumps(VOCABULARY), encoding="utf-8")
    (tmp_path / "merges.txt").write_text(MERGES, encoding="utf-8")
    return tmp_path


def names(tokenizer: FileTokenizer, text: str) -> list[str]:
    """Encode, and look the ids up again."""
    known = {number: token for token, number in VOCABULARY.items()}
    return [known[number] for number in tokenizer.encode(text)]


def word_level(*tokens: str) -> str:
    """The JSON of a tokenizer of whole words."""
    vocabulary = {token: number for number, token in enumerate(tokens)}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=tokens[0]))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.enable_padding(length=9)
    inner.enable_truncation(2)
    return inner.to_str()


def test_the_original_files_cut_words_by_their_merges(folder: Path) -> None:
    """Lower case, collapsed space, composed accents; merges within words only."""
    tokenizer = clip_tokenizer({}, [folder])
    assert isinstance(tokenizer, FileTokenizer)
    assert names(tokenizer, "  CAT\n tab") == ["cat</w>", "t", "a", "b</w>"]
    assert names(tokenizer, "e\u0301") == names(tokenizer, "é") == ["Ã©</w>"]


def test_special_tokens_in_running_text_are_themselves(folder: Path) -> None:
    """Start and end tokens are not cut into letters."""
    tokenizer = FileTokenizer.of_vocabulary(folder / "vocab.json", folder / "merges.txt")
    assert names(tokenizer, f"cat {END_TOKEN} cat") == ["cat</w>", END_TOKEN, "cat</w>"]
    assert tokenizer.start == VOCABULARY[START_TOKEN]
    assert tokenizer.end == VOCABULARY[END_TOKEN]


def test_a_checkpoint_s_own_tokenizer_comes_before_all_others(folder: Path) -> None:
    """What the metadata hold wins; its padding and truncation are not ours."""
    text = word_level(START_TOKEN, END_TOKEN, "a", "cat")
    tokenizer = clip_tokenizer({"safelight.tokenizer": text}, [folder])
    assert tokenizer.encode("a cat a cat") == [2, 3, 2, 3]
    assert (tokenizer.start, tokenizer.end) == (0, 1)


def test_a_tokenizer_file_comes_before_the_two_original_ones(folder: Path) -> None:
    """tokenizer.json is the newer form of the same."""
    text = word_level(START_TOKEN, END_TOKEN, "dog")
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    assert clip_tokenizer({}, [folder]).encode("dog") == [2]


def test_the_packaged_vocabulary_is_the_last_resort(tmp_path: Path) -> None:
    """With no file anywhere, the package serves."""
    pytest.importorskip("instant_clip_tokenizer")
    assert isinstance(clip_tokenizer({}, [tmp_path]), PackagedTokenizer)


def test_without_any_vocabulary_the_message_says_where_to_put_one(tmp_path: Path) -> None:
    """The folder is named, and the package too."""
    wanted = (
        "no vocabulary for CLIP is at hand: put tokenizer.json (or vocab.json and merges.txt) "
        f"into {tmp_path}, or install the package instant-clip-tokenizer"
    )
    with (
        patch("safelight.diffusion.tokenizer.find_spec", return_value=None),
        pytest.raises(TokenizerError, match=f"^{re.escape(wanted)}$"),
    ):
        clip_tokenizer({}, [tmp_path])


def test_a_damaged_tokenizer_is_refused_with_its_origin() -> None:
    """The message says whose tokenizer it is."""
    with pytest.raises(
        TokenizerError, match=r"^the tokenizer in the checkpoint's metadata cannot be read: "
    ):
        clip_tokenizer({"safelight.tokenizer": "{}"})


def test_a_damaged_vocabulary_is_refused_with_its_path(folder: Path) -> None:
    """The message names both files."""
    (folder / "merges.txt").write_text("no such tokens\n", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"vocab\.json and .*merges\.txt cannot be read: "):
        clip_tokenizer({}, [folder])


def test_a_tokenizer_without_ends_is_refused() -> None:
    """Chunks cannot be opened or closed without the two tokens."""
    wanted = f"the tokenizer in here lacks the tokens {START_TOKEN} and {END_TOKEN}"
    with pytest.raises(TokenizerError, match=f"^{re.escape(wanted)}$"):
        FileTokenizer.of_json(word_level("a", "b"), "here")
