"""How Stable Diffusion 3 and Flux read prompts: T5's tokens, and how towers are joined."""

from importlib import import_module
from math import log
from typing import Any

import pytest
import tokenizers
import torch
from tests.diffusion.networks import randomised
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning, Frame, stacked
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import guided
from safelight.diffusion.hearing import UnheardError
from safelight.diffusion.memory import Placement
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.sentences import (
    T5Tower,
    hear_guided,
    hear_pooled,
    join_flux,
    join_sd3,
)
from safelight.diffusion.t5 import T5Config, T5Encoder
from safelight.diffusion.texts import Texts, TextsError
from safelight.diffusion.tokenizer import TokenizerError
from safelight.diffusion.tokens import Encoded
from safelight.diffusion.unigram import T5_TOKENIZER_KEY

PIECES = ["<pad>", "</s>", "<unk>", "\u2581a", "\u2581cat", "\u2581hat", "\u2581in"]
FRAME = Frame(8, 8)


def vocabulary() -> str:
    """A vocabulary of four words."""
    scores = [(piece, log(0.1)) for piece in PIECES]
    inner = tokenizers.Tokenizer(tokenizers.models.Unigram(scores, 2, byte_fallback=False))
    words = tokenizers.pre_tokenizers
    inner.pre_tokenizer = words.Sequence(  # as in T5's own file
        [words.WhitespaceSplit(), words.Metaspace("\u2581", prepend_scheme="always")]
    )
    return inner.to_str()


def network() -> T5Encoder:
    """A small T5."""
    made = T5Encoder(T5Config(vocabulary=10, width=16, heads=2, head_width=8, hidden=24, layers=2))
    randomised(made, 1)
    return made


def tower(least: int = 6) -> T5Tower:
    """A small T5 with the vocabulary."""
    return T5Tower(network(), least, {T5_TOKENIZER_KEY: vocabulary()})


def heard(tokens: int, width: int, pooled: int, value: float) -> Encoded:
    """What a tower heard: one number everywhere."""
    z = torch.full((1, tokens, width), value)
    return Encoded(z, torch.full((1, pooled), value), z[:, :77])


def test_a_prompt_is_ended_and_padded_to_the_least_length() -> None:
    """One end token, then padding; longer prompts are one sequence, however long."""
    assert tower().tokenized("a cat in a hat") == ([3, 4, 6, 3, 5, 1], [1.0] * 6)
    assert tower().tokenized("cat") == ([4, 1, 0, 0, 0, 0], [1.0] * 6)
    ids, weights = tower().tokenized("cat " * 300)
    assert ids == [4] * 300 + [1]
    assert len(weights) == 301


def test_weights_belong_to_the_words_in_brackets() -> None:
    """End and padding keep weight 1."""
    assert tower().tokenized("a (cat:1.5) hat")[1] == [1.0, 1.5, 1.0, 1.0, 1.0, 1.0]


@torch.no_grad()
def test_a_weight_moves_a_word_away_from_nothing() -> None:
    """By the factor asked for, and its neighbours stay where they are."""
    own = tower()
    plain = own.encode(own.network, "a cat")
    heavy = own.encode(own.network, "a (cat:1.5)")
    assert torch.equal(plain.empty, heavy.empty)
    torch.testing.assert_close(plain.tokens[:, 0], heavy.tokens[:, 0])
    moved = plain.empty[:, 1] + 1.5 * (plain.tokens[:, 1] - plain.empty[:, 1])
    torch.testing.assert_close(heavy.tokens[:, 1], moved)


@torch.no_grad()
def test_nothing_is_an_empty_sentence() -> None:
    """The empty prompt is what weights move away from."""
    own = tower()
    nothing = own.encode(own.network, "")
    torch.testing.assert_close(nothing.tokens, nothing.empty)


def test_a_missing_vocabulary_is_told_when_a_prompt_is_read() -> None:
    """A model can be opened without it; only reading a prompt needs it."""
    lonely = T5Tower(network(), 6, {})
    with pytest.raises(TokenizerError, match=r"^no vocabulary for T5 is at hand: put T5's"):
        lonely.encode(lonely.network, "cat")


def test_version_3_lays_clips_side_by_side_and_t5_behind() -> None:
    """Widths 768 and 1280, zeros up to T5's, then T5; both pooled vectors."""
    told = join_sd3({
        "l": heard(77, 768, 768, 1.0),
        "g": heard(77, 1280, 1280, 2.0),
        "t5": heard(90, 4096, 0, 3.0),
    })  # fmt: skip
    assert told.tokens.shape == (1, 167, 4096)
    row = told.tokens[0, 76]
    assert row[:768].eq(1).all()
    assert row[768:2048].eq(2).all()
    assert row[2048:].eq(0).all()
    assert told.tokens[0, 77:].eq(3).all()
    assert told.pooled is not None
    assert told.pooled[0].tolist() == [1.0] * 768 + [2.0] * 1280


def test_version_3_works_without_t5_and_without_a_clip() -> None:
    """One missing CLIP counts as zeros; without T5 or both CLIPs there are only the others'."""
    told = join_sd3({"l": heard(154, 768, 768, 1.0), "g": heard(77, 1280, 1280, 2.0)})
    assert told.tokens.shape == (1, 77, 2048)
    told = join_sd3({"g": heard(77, 1280, 1280, 2.0), "t5": heard(80, 4096, 0, 3.0)})
    assert told.tokens.shape == (1, 157, 4096)
    assert told.tokens[0, 0, :768].eq(0).all()
    assert told.tokens[0, 0, 768:2048].eq(2).all()
    assert told.pooled is not None
    assert told.pooled[0, :768].eq(0).all()
    told = join_sd3({"t5": heard(80, 4096, 0, 3.0)})
    assert told.tokens.shape == (1, 80, 4096)
    assert told.pooled is not None
    assert told.pooled.shape == (1, 2048)


def test_version_3_without_any_tower_is_refused() -> None:
    """The message says what to do."""
    with pytest.raises(
        TextsError,
        match=r"^this file of Stable Diffusion 3 holds no text encoder: open some with a loader",
    ):
        Texts({}, join_sd3).encode("cat", Placement(torch.device("cpu"), torch.float32))


def test_flux_listens_to_t5_with_clip_s_pooled_vector() -> None:
    """CLIP's tokens are not used."""
    told = join_flux({"l": heard(77, 768, 768, 1.0), "t5": heard(256, 4096, 0, 3.0)})
    assert told.tokens.shape == (1, 256, 4096)
    assert told.pooled is not None
    assert told.pooled.shape == (1, 768)


def test_guidance_is_3_5_unless_something_is_said() -> None:
    """It stays in float32 beside words of another format."""
    told = Conditioning(torch.zeros(1, 3, 4), torch.zeros(1, 2))
    for conditioning, scale in ((told, 3.5), (told.with_guidance(2.25), 2.25)):
        inputs = hear_guided(conditioning, FRAME).to(torch.device("cpu"), torch.bfloat16)
        assert inputs.guidance is not None
        assert inputs.guidance.tolist() == [scale]
        assert inputs.guidance.dtype == torch.float32
    assert hear_pooled(told, FRAME).guidance is None


def test_two_scales_are_told_in_one_batch() -> None:
    """Each half of a guided pair keeps its own."""
    told = Conditioning(torch.zeros(1, 3, 4), torch.zeros(1, 2))
    both = stacked([hear_guided(told, FRAME), hear_guided(told.with_guidance(1.0), FRAME)], 2)
    assert both.guidance is not None
    assert both.guidance.tolist() == [3.5, 3.5, 1.0, 1.0]
    assert [part.shape for part in both.more] == [(4, 2), (4,)]


def test_prompts_of_different_length_are_asked_about_apart() -> None:
    """Words and picture share one attention, so repeating words would drown the picture."""
    seen: list[tuple[int, ...]] = []

    def network(z: Tensor, time: Tensor, tokens: Tensor, pooled: Tensor) -> Tensor:
        seen.append(tuple(tokens.shape))
        return torch.zeros_like(z)

    model = LatentModel(network, FlowSchedule(3.0), "flow", listen=hear_pooled)
    short, long = (Conditioning(torch.zeros(1, n, 4), torch.zeros(1, 2)) for n in (77, 154))
    x, sigma = torch.zeros(2, 16, 4, 4), torch.tensor(0.5)
    guided(model.told(long), model.told(short), 4.0)(x, sigma)
    assert seen == [(2, 154, 4), (2, 77, 4)]
    guided(model.told(long), model.told(long), 4.0)(x, sigma)
    assert seen[2:] == [(4, 154, 4)]


def test_a_prompt_of_another_family_is_refused() -> None:
    """Without a pooled vector there is something missing, and the message says what to do."""
    with pytest.raises(UnheardError, match=r"^this model wants a pooled vector beside the prompt"):
        hear_guided(Conditioning(torch.zeros(1, 3, 4)), FRAME)


@torch.no_grad()
def test_towers_are_joined_as_in_diffusers() -> None:
    """The same three heard tensors give the pipeline's prompt and pooled vectors."""
    pipeline: Any = import_module(
        "diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3"
    ).StableDiffusion3Pipeline
    drawn = torch.Generator().manual_seed(0)
    parts: dict[str, Tensor] = {
        "l": torch.randn(1, 77, 768, generator=drawn),
        "g": torch.randn(1, 77, 1280, generator=drawn),
        "t5": torch.randn(1, 77, 4096, generator=drawn),
    }
    pooled = {"l": torch.randn(1, 768, generator=drawn), "g": torch.randn(1, 1280, generator=drawn)}

    class Deaf:
        """A pipeline whose towers always hear the same."""

        _execution_device = torch.device("cpu")
        text_encoder = text_encoder_2 = None

        def _get_clip_prompt_embeds(self, clip_model_index: int, **_: Any) -> tuple[Tensor, Tensor]:
            name = "lg"[clip_model_index]
            return parts[name], pooled[name]

        def _get_t5_prompt_embeds(self, **_: Any) -> Tensor:
            return parts["t5"]

    theirs = pipeline.encode_prompt(Deaf(), "cat", "cat", "cat", do_classifier_free_guidance=False)
    ours = join_sd3({
        name: Encoded(parts[name], pooled.get(name, torch.zeros(1, 0)), parts[name])
        for name in parts
    })  # fmt: skip
    assert torch.equal(ours.tokens, theirs[0])
    assert ours.pooled is not None
    assert torch.equal(ours.pooled, theirs[2])
