"""Learnt words: what a prompt hears of them, against transformers, and what is refused."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.networks import NARROW, text_encoder
from tests.diffusion.peers import error
from torch import Tensor

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.hearing import join_xl
from safelight.diffusion.memory import Placement
from safelight.diffusion.prompt import mentions
from safelight.diffusion.tables import clip_text
from safelight.diffusion.texts import ClipTower, Texts, TextsError, alone
from safelight.diffusion.textual_inversion import (
    Embedding,
    InversionError,
    Rows,
    read_embedding,
    with_words,
)
from safelight.diffusion.tokens import Encoded, Reading, encode
from safelight.diffusion.weights import CheckpointError, exported, save_checkpoint

CPU = Placement(torch.device("cpu"), torch.float32)
WIDTH = NARROW.text.width


class Letters:
    """A tokenizer that counts the letters of each word."""

    start, end = 49406, 49407

    def encode(self, text: str) -> list[int]:
        """One id a word."""
        return [300 + len(word) for word in text.replace(",", " , ").split()]


def rows(count: int, width: int = WIDTH, seed: int = 5) -> Tensor:
    """Random rows, as large as the encoder's own."""
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) * 0.1


def heard(prompt: str, **words: Tensor) -> Encoded:
    """What a small tower hears of a prompt."""
    with torch.no_grad():
        return encode(text_encoder(NARROW), Letters(), prompt, Reading(), words)


def texts(*names: str, **embeddings: Embedding) -> Texts:
    """Small towers of these names, which know embeddings."""
    tower = ClipTower(text_encoder(NARROW), Letters())
    join = alone if len(names) == 1 else join_xl
    return Texts(dict.fromkeys(names, tower), join, embeddings=embeddings)


def transformers_heard(encoder: TextEncoder, new: Tensor, ids: list[int]) -> Tensor:
    """What transformers' tower hears once the rows stand behind its table."""
    transformers: Any = import_module("transformers")
    sizes = encoder.config
    reference = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=sizes.vocabulary,
            hidden_size=sizes.width,
            intermediate_size=4 * sizes.width,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            bos_token_id=Letters.start,
            eos_token_id=Letters.end,
        )
    )
    named = exported(encoder, clip_text.table(sizes))
    if "embeddings.token_embedding.weight" in reference.state_dict():  # since version 5
        named = {name.removeprefix("text_model."): tensor for name, tensor in named.items()}
    reference.load_state_dict(named)
    reference.resize_token_embeddings(sizes.vocabulary + len(new), mean_resizing=False)
    reference.get_input_embeddings().weight.data[sizes.vocabulary :] = new
    result: Tensor = reference.eval()(torch.tensor([ids])).last_hidden_state
    return result


@torch.no_grad()
def test_a_learnt_word_is_heard_as_in_transformers() -> None:
    """The rows in the table's place, at their positions, change what all later words hear."""
    encoder, new = text_encoder(NARROW), rows(3)
    ours = heard("a embedding:snail, here", snail=new).tokens
    first = encoder.config.vocabulary
    said = [Letters.start, 301, first, first + 1, first + 2, 301, 304, Letters.end]
    theirs = transformers_heard(encoder, new, said + [Letters.end] * (77 - len(said)))
    assert error(ours, theirs) < 1e-4
    assert error(ours, heard("a snail, here").tokens) > 1e-2


def test_a_weight_belongs_to_all_rows_of_a_word() -> None:
    """z = (z - z_empty) w + z_empty at both rows, and at no other place."""
    new = rows(2)
    plain, heavy = (
        heard(prompt, two=new) for prompt in ("a embedding:two b", "a (embedding:two:1.5) b")
    )
    moved = plain.tokens.clone()
    moved[:, 2:4] = (plain.tokens[:, 2:4] - plain.empty[:, 2:4]) * 1.5 + plain.empty[:, 2:4]
    torch.testing.assert_close(heavy.tokens, moved)


def test_the_encoder_itself_is_left_as_it_was() -> None:
    """A variant shares every tensor and its table has no more rows than before."""
    encoder = text_encoder(NARROW)
    taught = with_words(encoder, Rows(rows(2)))
    assert encoder.token.num_embeddings == NARROW.text.vocabulary
    assert taught.layers is encoder.layers
    ids = torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(taught(ids), encoder(ids), rtol=0, atol=0)


def test_names_are_found_with_weights_commas_and_suffixes() -> None:
    """Each name once, in the order of the prompt."""
    said = "embedding:a, (x embedding:b.pt:1.2) not-embedding:c\nembedding:a"
    assert mentions(said) == ("a", "b.pt")
    assert torch.equal(
        heard("embedding:b.pt", b=rows(1)).tokens, heard("embedding:b", b=rows(1)).tokens
    )


def test_a_word_for_two_towers_gives_each_its_own_rows(tmp_path: Path) -> None:
    """A tower for which the file has nothing does not hear the word."""
    own = {"clip_l": rows(2), "clip_g": rows(2, seed=9)}
    save_checkpoint(tmp_path / "both.safetensors", own, {})
    both = read_embedding(tmp_path / "both.safetensors")
    told = texts("l", "g", both=both).encode("embedding:both", CPU).tokens
    apart = [heard("embedding:both", both=part).tokens for part in own.values()]
    torch.testing.assert_close(told, torch.cat(apart, dim=-1))
    only_g = texts("l", "g", g=Embedding({"g": own["clip_g"]})).encode("embedding:g", CPU).tokens
    torch.testing.assert_close(only_g[..., :WIDTH], heard("").tokens)


@pytest.mark.parametrize("name", ["emb_params", "<snail>", "string_to_param.*"])
def test_a_file_with_one_table_is_read_whatever_it_calls_it(tmp_path: Path, name: str) -> None:
    """A single row may come without a second axis."""
    save_checkpoint(tmp_path / "one.safetensors", {name: rows(1)[0]}, {})
    assert torch.equal(read_embedding(tmp_path / "one.safetensors").rows[""], rows(1))


def test_a_pickle_is_read_only_if_allowed(tmp_path: Path) -> None:
    """The form that the first programs wrote: a table of parameters by token."""
    path = tmp_path / "old.pt"
    content = {"string_to_token": {"*": 265}, "string_to_param": {"*": rows(4)}, "name": "old"}
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="this is a pickle, whatever its name says"):
        read_embedding(path)
    assert torch.equal(read_embedding(path, pickles=True).rows[""], rows(4))


def test_a_word_of_another_model_is_refused_with_both_widths() -> None:
    """Every such word is named."""
    wide = Embedding({"": rows(1, 1024)})
    with pytest.raises(
        InversionError,
        match=r"^embedding 'b' has rows of 1024 numbers; words of this model have 64$",
    ):
        texts("l", b=wide, fine=Embedding({"": rows(1)})).encode("embedding:b embedding:fine", CPU)


def test_unknown_names_are_told_with_those_that_are_known() -> None:
    """All of them at once."""
    with pytest.raises(
        TextsError,
        match=r"mentions embeddings that are not there: hat, snial \(there are: snail\)$",
    ):
        texts("l", snail=Embedding({"": rows(1)})).encode(
            "embedding:snial, embedding:hat embedding:snail", CPU
        )


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """The message says what was wanted and what is there."""
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, {"a": torch.zeros(2, 3, 4), "b": torch.zeros(2)}, {})
    with pytest.raises(CheckpointError, match=r"it holds no textual inversion: want one table"):
        read_embedding(path)
