"""The transformers' stages at toy size, and the files they are written to."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.conditioning import Conditioning, Frame
from safelight.diffusion.dit import DiT
from safelight.diffusion.families import load_checkpoint
from safelight.diffusion.family_flow import SD3_SMALL
from safelight.diffusion.labels import TRANSFORMER, load_dit
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.sentences import SMALL_LENGTH, hear_beginning
from safelight.diffusion.split import load_denoiser
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import CheckpointError, save_checkpoint
from safelight.training import dit, mmdit
from safelight.training.dit import DiTStage, draw_labels, labels_of
from safelight.training.loop import Budget, Pace, Run, load, train
from safelight.training.mmdit import MMDiTStage, Reader, draw_flow, times
from safelight.training.pictures import Captions, scene_of
from safelight.training.tokenizer import Words, build_tokenizer
from safelight.training.world import SUBJECTS

COLOURS = ("red", "green", "blue")
WORDS = Words(build_tokenizer(COLOURS), length=8)
PACE = Pace(batch=16, bfloat16=False, warm_up=2, save_every_s=1e9, report_every_s=1e9)
COUNT = 512


def flat_latents() -> Tensor:
    """Latents of three kinds in turn."""
    latents = torch.full((COUNT, 4, 16, 16), -0.5)
    latents[torch.arange(COUNT), torch.arange(COUNT) % 3] = 1.0
    return latents


def text_tower() -> TextEncoder:
    """A fresh text tower as wide as the transformer listens."""
    torch.manual_seed(0)
    return TextEncoder(TextConfig(WORDS.size, mmdit.CONFIG.context_width, 1, 2, WORDS.length))


def test_times_come_most_often_from_the_middle() -> None:
    """Half of them are where a logit-normal has its middle half; the rest on both sides."""
    drawn = times(1000, torch.Generator().manual_seed(0))
    quarter = 1 / (1 + torch.tensor(0.6745).exp())
    inside = ((drawn > quarter) & (drawn < 1 - quarter)).float().mean()
    assert float(inside) == pytest.approx(0.5, abs=0.01)
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.01)
    assert 0 < float(drawn.min()) < 0.1


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrower networks, and fewer latents behind a figure."""
    for stage in (mmdit, dit):
        monkeypatch.setattr(stage, "CONFIG", replace(stage.CONFIG, width=64, depth=2))
        monkeypatch.setattr(stage, "MEASURED", 48)


@pytest.mark.usefixtures("small")
def test_the_mmdit_learns_what_captions_tell(tmp_path: Path) -> None:
    """Knowing the three clean latents there are, it halves the error of an untrained one."""
    tower = text_tower()
    captions = Captions([[COLOURS[index % 3]] for index in range(COUNT)])
    stage = MMDiTStage(flat_latents(), captions, tower, WORDS)
    with torch.no_grad():
        before = stage.report(tmp_path)["held_out_loss"]
    train(stage, PACE, Run(tmp_path, Budget(steps=40)))
    assert load(tmp_path / "state.pt")["figures"]["held_out_loss"] < before / 2


@pytest.mark.usefixtures("small")
def test_the_dit_learns_what_labels_mean(tmp_path: Path) -> None:
    """Knowing the three clean latents there are, it halves the error of an untrained one."""
    torch.manual_seed(0)
    stage = DiTStage(flat_latents(), torch.arange(COUNT) % 3)
    with torch.no_grad():
        before = stage.report(tmp_path)["held_out_loss"]
    train(stage, PACE, Run(tmp_path, Budget(steps=40)))
    assert load(tmp_path / "state.pt")["figures"]["held_out_loss"] < before / 2


def test_labels_are_subjects_of_single_cartoon_figures() -> None:
    """Pairs, crowds and other styles have no label."""
    numbers, labels = labels_of(range(60))
    assert 0 < len(numbers) < 60
    for number, label in zip(numbers, labels, strict=True):
        scene = scene_of(number)
        assert SUBJECTS[label] == scene.actors[0].subject
        assert (len(scene.actors), scene.count, scene.style) == (1, 1, "cartoon")


def test_the_reader_remembers_what_it_has_read() -> None:
    """The second time the text tower is not asked, and the answer is the same."""
    calls: list[int] = []
    tower = text_tower()
    tower.register_forward_pre_hook(lambda module, given: calls.append(len(given[0])))
    reader = Reader(tower, WORDS)
    first = reader(["red", "green", "red"])
    assert torch.equal(reader(["red"])[0], first[0])
    assert torch.equal(first[0], first[2])
    assert calls == [2]


def test_a_conditioning_is_heard_from_its_beginning() -> None:
    """The small transformer reads the first tokens; their mean is its pooled vector."""
    tokens = torch.randn(1, 77, 8)
    heard = hear_beginning(Conditioning(tokens), Frame(16, 16))
    assert torch.equal(heard.tokens, tokens[:, :SMALL_LENGTH])
    torch.testing.assert_close(heard.vector, tokens[:, :SMALL_LENGTH].mean(1))


@pytest.mark.usefixtures("small")
def test_both_draw_pictures_of_the_asked_size() -> None:
    """The contact sheets' pictures: one for each prompt, one for each label."""
    torch.manual_seed(0)
    vae = AutoencoderKL(VAEConfig(width=8, multipliers=(1, 1, 1, 1), blocks=1, groups=1))
    reader = Reader(text_tower(), WORDS)
    first = draw_flow(MMDiT(mmdit.CONFIG), reader, vae, ["red", "blue"], seed=1)
    assert first.shape == (2, 3, 128, 128)
    assert draw_labels(DiT(dit.CONFIG), [0, dit.ANY - 1], seed=1).shape == (2, 4, 16, 16)


def written(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """A file of these tensors."""
    save_checkpoint(path, tensors, {})
    return path


def test_the_mmdit_s_file_is_known_by_its_four_channels(tmp_path: Path) -> None:
    """Under Stable Diffusion 3's names it opens as the small family, with the same answers."""
    torch.manual_seed(0)
    network = MMDiT(mmdit.CONFIG).eval()
    tensors = SD3_SMALL.network.exported(network, network.config)
    bundle = load_denoiser(written(tmp_path / "mmdit.safetensors", tensors))
    assert bundle.family.name == "Stable Diffusion 3, small"
    assert bundle.network.config == network.config
    given = (torch.randn(2, 4, 16, 16), torch.tensor([500.0, 10.0]), torch.randn(2, 9, 192))
    with torch.no_grad():
        assert torch.equal(
            bundle.network(*given, torch.ones(2, 192)), network(*given, torch.ones(2, 192))
        )
    assert sum(weight.numel() for weight in network.parameters()) <= 5_500_000


def test_a_file_without_words_says_so(tmp_path: Path) -> None:
    """The transformer alone opens as a checkpoint, and names what it lacks when asked."""
    network = MMDiT(replace(mmdit.CONFIG, depth=2))
    tensors = SD3_SMALL.network.exported(network, network.config)
    bundle = load_checkpoint(written(tmp_path / "alone.safetensors", tensors))
    assert "holds no text encoder" in bundle.texts.lacking
    with pytest.raises(CheckpointError):
        _ = bundle.vae


def test_the_dit_s_file_opens_under_its_authors_names(tmp_path: Path) -> None:
    """Sizes come from the shapes: sixteen subjects and one label more."""
    network = DiT(dit.CONFIG).eval()
    tensors = TRANSFORMER.exported(network, network.config)
    opened = load_dit(written(tmp_path / "dit.safetensors", tensors))
    assert opened.config == dit.CONFIG
    assert opened.config.labels == len(SUBJECTS) + 1
    assert json.loads(json.dumps(SUBJECTS)) == list(SUBJECTS)
