"""Learning a word: only its rows learn, what they teach is measured, the file is readable."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.textual_inversion import read_embedding
from safelight.diffusion.tokens import Reading, encode
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import open_checkpoint
from safelight.training.inversion import (
    ASKED,
    EMBEDDED,
    LEARNT,
    NAME,
    InversionStage,
    Lesson,
    TaughtWords,
    export_inversion,
    figures,
    prompts,
    scenes,
    taught_model,
)
from safelight.training.likeness import drawings, likeness, recognised
from safelight.training.loop import Budget, Pace, Run, load, train
from safelight.training.prompts import Model
from safelight.training.tokenizer import Words, build_tokenizer
from safelight.training.world import HELD_OUT_SUBJECT

PACE = Pace(batch=8, muon=0.0, adamw=0.05, bfloat16=False, warm_up=2, average=0.5)
LATER = 1e9  # seconds: never in a test


def small_model() -> Model:
    """Three networks that belong together, with random weights."""
    torch.manual_seed(0)
    words = Words(build_tokenizer(("a", "red", "cat")), length=77)
    unet = UNet(
        UNetConfig(
            width=16,
            multipliers=(1, 2),
            blocks=1,
            depths=(1, 1),
            context_width=16,
            groups=8,
            heads=2,
        )
    )
    text = TextEncoder(TextConfig(words.size, 16, 1, 2))
    vae = AutoencoderKL(VAEConfig(width=8, multipliers=(1, 2, 2, 2), blocks=1, groups=4))
    for network in (unet, text):
        for parameter in network.parameters():
            if parameter.ndim > 1:  # fresh zeros would hide what stands behind them
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return Model(unet, text, vae, words)


def lesson() -> Lesson:
    """Two pictures of one colour each, told in two ways."""
    pictures = torch.stack([torch.full((3, 32, 32), value) for value in (-0.5, 0.5)])
    return Lesson("it", pictures, [["a embedding:it", "red embedding:it"]] * 2)


def held_loss(stage: InversionStage) -> float:
    """The loss on always the same examples."""
    with torch.no_grad():
        draws = [torch.Generator().manual_seed(seed) for seed in range(8)]
        return sum(float(stage.loss(8, draw, 0.0)) for draw in draws)


def test_only_the_rows_of_the_word_learn(tmp_path: Path) -> None:
    """The loss falls, and every tensor of the model is as it was, bit for bit."""
    model = small_model()
    networks = (model.unet, model.text, model.autoencoder)
    before = [tensor.clone() for network in networks for tensor in network.state_dict().values()]
    stage = InversionStage(model, lesson(), rows=3)
    first, start = stage.network.weight.detach().clone(), held_loss(stage)
    pace = replace(PACE, save_every_s=LATER, report_every_s=LATER)
    train(stage, pace, Run(tmp_path, Budget(steps=30)))
    after = [tensor for network in networks for tensor in network.state_dict().values()]
    assert all(map(torch.equal, before, after))
    assert not torch.equal(stage.network.weight, first)
    assert held_loss(stage) < start
    assert load(tmp_path / "state.pt")["network"].keys() == {"weight"}


def test_training_and_prompts_number_a_word_alike() -> None:
    """What the word is trained as is what a prompt with the file hears."""
    model = small_model()
    table = torch.nn.Embedding(2, 16)
    taught = taught_model(model, "it", table)
    ids = taught.words.ids(["a red embedding:it cat"])
    with torch.no_grad():
        trained = taught.text(ids)
        words = taught.words
        assert isinstance(words, TaughtWords)
        heard = encode(
            model.text, words.plain, "a red embedding:it cat", Reading(), {"it": table.weight}
        )
    torch.testing.assert_close(trained, heard.tokens)


def test_the_file_is_small_and_says_what_it_is(tmp_path: Path) -> None:
    """The published layout, in half precision, with the base model by name and digest."""
    state = {"average": {"weight": torch.ones(4, 16)}, "step": 7, "samples": 56, "seconds": 90.0}
    torch.save(state | {"figures": {"recognised": 0.875}}, tmp_path / "state.pt")
    path = tmp_path / f"{NAME}.safetensors"
    export_inversion(tmp_path / "state.pt", path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.shapes == {"emb_params": (4, 16)}
    assert path.stat().st_size < 4000
    assert checkpoint.metadata["safelight.base"].startswith(EMBEDDED.name)
    assert json.loads(checkpoint.metadata["safelight.recipe"]) == {
        "steps": 7, "samples": 56, "minutes": 1.5, "recognised": 0.875,
    }  # fmt: skip
    assert read_embedding(path).rows[""].dtype == torch.float16


@pytest.mark.parametrize("subject", [HELD_OUT_SUBJECT, "mushroom"])
def test_a_drawn_figure_is_recognised_wherever_it_is(subject: str) -> None:
    """The measure is right about pictures whose truth is known, blurred a little."""
    asked = scenes(ASKED[:4], subject)
    pictures: Tensor = drawings(asked, 128, seed=77)
    blurred = torch.nn.functional.avg_pool2d(pictures, 5, stride=1, padding=2)
    assert recognised(blurred, asked) == [subject] * 4


def test_the_margin_tells_how_much_nearer_the_figure_is() -> None:
    """1 for its very drawing, below 0 where another figure is nearer."""
    asked = scenes(ASKED[:2])
    drawn = drawings(asked, 128, seed=1)  # one of the drawings that pictures are compared with
    assert figures(likeness(drawn, asked)) == {"recognised": 1.0, "margin": 1.0}
    cats = drawings(scenes(ASKED[:2], "cat"), 128, seed=5)
    assert figures(likeness(cats, asked))["recognised"] == 0
    assert figures(likeness(cats, asked))["margin"] < 0


def test_the_word_is_asked_for_where_it_was_not_learnt() -> None:
    """No setting is in both lists, and every prompt names the word."""
    assert not {place for _, place in LEARNT} & {place for _, place in ASKED}
    assert all("embedding:it" in prompt for prompt in prompts(scenes(ASKED), "embedding:it"))
