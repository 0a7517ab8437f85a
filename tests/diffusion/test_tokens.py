import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.diffusion.networks import NARROW, text_encoder

from safelight.diffusion.prompt import segments
from safelight.diffusion.tokenizer import PackagedTokenizer
from safelight.diffusion.tokens import CHUNK, Row, encode_prompt, tokenize_prompt

pytest.importorskip("instant_clip_tokenizer", reason="CLIP's vocabulary is in this package")

FOLDER = Path(__file__).parent.parent / "references"
ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "clip_tokens.json").read_text())["entries"]
EMBEDDINGS = {"one": 1, "two": 2}  # name -> vectors, as in the recorded cases


@pytest.fixture(scope="module")
def clip() -> PackagedTokenizer:
    """CLIP's vocabulary."""
    return PackagedTokenizer.load()


@pytest.mark.parametrize("entry", ENTRIES, ids=[e["prompt"][:30] for e in ENTRIES])
def test_prompt_becomes_the_recorded_chunks(entry: dict[str, Any], clip: PackagedTokenizer) -> None:
    """Ids, weights and chunks are the recorded ones; the rest of each chunk is padding."""
    chunks = tokenize_prompt(clip, entry["prompt"], EMBEDDINGS)
    assert len(chunks) == len(entry["ids"])
    for chunk, ids, weights in zip(chunks, entry["ids"], entry["weights"], strict=True):
        pieces = tuple(Row(*i) if isinstance(i, list) else i for i in ids)
        padding = CHUNK - len(ids)
        assert chunk.pieces == pieces + (clip.end,) * padding
        assert chunk.weights == tuple(weights) + (1.0,) * padding


@pytest.mark.parametrize(
    "entry",
    [e for e in ENTRIES if "raw_ids" in e],
    ids=[e["prompt"][:30] for e in ENTRIES if "raw_ids" in e],
)
def test_text_becomes_the_recorded_ids(entry: dict[str, Any], clip: PackagedTokenizer) -> None:
    """Without chunks and weights: accents, special tokens, emoji, scripts of the world."""
    assert clip.encode(entry["prompt"]) == entry["raw_ids"]


@pytest.mark.parametrize("entry", ENTRIES, ids=[e["prompt"][:30] for e in ENTRIES])
def test_prompt_is_cut_where_its_weight_changes(entry: dict[str, Any]) -> None:
    """The segments are the recorded ones, text and weight."""
    expected = [(text, weight) for text, weight in entry["segments"] if text]
    assert [tuple(segment) for segment in segments(entry["prompt"]) if segment.text] == expected


@given(prompt=st.text(alphabet="ab ():\\1.", max_size=40))
def test_no_text_is_lost_but_markup(prompt: str) -> None:
    """Letters survive in order whatever the parentheses do."""
    kept = "".join(segment.text for segment in segments(prompt))
    assert [c for c in kept if c in "ab"] == [c for c in prompt if c in "ab"]


def test_deep_nesting_is_only_a_large_weight() -> None:
    """A thousand parentheses are read without recursion."""
    (segment,) = segments("(" * 1000 + "a" + ")" * 1000)
    assert segment.text == "a"
    assert segment.weight == pytest.approx(1.1**1000)


def test_a_weight_that_is_not_finite_is_plain_text() -> None:
    """`inf` and `nan` are words here; they would turn the whole picture to nothing."""
    assert segments("(a:inf)") == [("a:inf", 1.1)]
    assert segments("(a:nan)") == [("a:nan", 1.1)]


@torch.no_grad()
def test_weights_move_the_output_away_from_that_of_nothing(clip: PackagedTokenizer) -> None:
    """z = (z - z_empty) w + z_empty at the weighted positions, and nowhere else."""
    encoder = text_encoder(NARROW)
    plain = encode_prompt(encoder, clip, "a red cat").tokens
    empty = encode_prompt(encoder, clip, "").tokens
    heavy = encode_prompt(encoder, clip, "a (red:1.5) cat").tokens
    expected = plain.clone()
    expected[:, 2] = (plain[:, 2] - empty[:, 2]) * 1.5 + empty[:, 2]
    torch.testing.assert_close(heavy, expected)


@torch.no_grad()
def test_chunks_of_a_long_prompt_lie_end_to_end(clip: PackagedTokenizer) -> None:
    """A prompt of two chunks is their encodings side by side."""
    encoder = text_encoder(NARROW)
    long = encode_prompt(encoder, clip, "cat " * 80).tokens
    assert long.shape == (1, 2 * CHUNK, 64)
    first = encode_prompt(encoder, clip, "cat " * 75).tokens
    second = encode_prompt(encoder, clip, "cat " * 5).tokens
    torch.testing.assert_close(long, torch.cat([first, second], dim=1))


@torch.no_grad()
def test_skipping_layers_skips_them_in_every_chunk(clip: PackagedTokenizer) -> None:
    """Clip skip reaches the encoder."""
    encoder = text_encoder(NARROW)
    ids = torch.tensor([tokenize_prompt(clip, "a cat")[0].pieces])
    tokens = encode_prompt(encoder, clip, "a cat", skip_last=1).tokens
    torch.testing.assert_close(tokens, encoder(ids, skip_last=1))


def test_an_embedding_without_vectors_cannot_be_encoded(clip: PackagedTokenizer) -> None:
    """Names that are not known are dropped, as `encode_prompt` knows none yet."""
    (chunk,) = tokenize_prompt(clip, "embedding:missing cat")
    assert chunk.pieces[:3] == (clip.start, *clip.encode("cat"), clip.end)
