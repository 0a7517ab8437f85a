from tokenizers import Tokenizer

from safelight.diffusion.tokenizer import END_TOKEN, START_TOKEN, clip_tokenizer
from safelight.diffusion.tokens import tokenize_prompt
from safelight.training.tokenizer import UNKNOWN, Words, build_tokenizer
from safelight.training.world import CONTACT_PROMPTS, vocabulary

WORDS = Words(build_tokenizer(["a", "cat", "in", "hat", "8-bit", ",", "Red"]))


def spoken(text: str) -> list[str]:
    """The tokens of a text, padding left out."""
    ids = WORDS.ids([text])[0].tolist()
    tokens = [WORDS.tokenizer.id_to_token(index) or "" for index in ids]
    return tokens[: tokens.index(END_TOKEN) + 1]


def test_words_come_back_in_order_between_start_and_end() -> None:
    """Lower-cased, punctuation apart."""
    assert spoken("A red CAT, in a hat") == [
        START_TOKEN, "a", "red", "cat", ",", "in", "a", "hat", END_TOKEN,
    ]  # fmt: skip


def test_an_unknown_word_is_one_token() -> None:
    """A word that was never seen says that there is a word, no more."""
    assert spoken("a zebra") == [START_TOKEN, "a", UNKNOWN, END_TOKEN]


def test_a_word_with_a_hyphen_is_found_by_its_parts() -> None:
    """Entries of the vocabulary are cut up as prompts are."""
    assert spoken("8-bit") == [START_TOKEN, "8", "-", "bit", END_TOKEN]


def test_every_chunk_has_77_tokens_and_ends() -> None:
    """Short texts are filled with end tokens; long ones are cut and still end."""
    ids = WORDS.ids(["", "a cat", "cat " * 200])
    assert ids.shape == (3, 77)
    assert WORDS.ends(ids).tolist() == [1, 3, 76]
    assert ids[0, 1:].eq(WORDS.end).all()


def test_the_tokenizer_does_not_depend_on_the_order_of_the_vocabulary() -> None:
    """A set of words always gives the same document."""
    assert build_tokenizer(["b", "a", "c"]) == build_tokenizer(["c", "b", "a"])


def test_prompts_become_the_ids_that_training_saw() -> None:
    """The tokenizer in a checkpoint's metadata gives the same chunk at drawing time."""
    words = Words(build_tokenizer([*vocabulary(), ","]))
    tokenizer = clip_tokenizer({"safelight.tokenizer": words.document})
    for prompt in CONTACT_PROMPTS:
        (chunk,) = tokenize_prompt(tokenizer, prompt)
        assert list(chunk.pieces) == words.ids([prompt])[0].tolist()


def test_the_vocabulary_is_small() -> None:
    """Its embeddings must not outweigh the model: 500 words are plenty."""
    tokenizer = Tokenizer.from_str(build_tokenizer(vocabulary()))
    assert 100 < tokenizer.get_vocab_size() < 500
