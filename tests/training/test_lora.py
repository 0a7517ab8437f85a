"""Training a LoRA: examples, adapters, files, and what other programs make of them."""

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.diffusion.networks import SMALL, text_encoder, unet, vae
from torch import Tensor

from safelight.diffusion.lora import merged
from safelight.diffusion.lora_file import open_lora
from safelight.diffusion.lora_names import fit, network_places, text_places
from safelight.training.adapter import adapted
from safelight.training.blueprint import blueprint_share, blueprints, is_blueprint, scenes
from safelight.training.captioned import Examples, ExamplesError, read_examples
from safelight.training.likeness import drawings
from safelight.training.loop import Budget, Pace, Run, load, train
from safelight.training.lora import CONVOLUTIONS, TRANSFORMERS, LoraStage, Recipe
from safelight.training.lora_export import export_lora, kohya_metadata
from safelight.training.pictures import to_tensor
from safelight.training.prompts import Model
from safelight.training.tokenizer import Words, build_tokenizer
from safelight.training.world import draw

PACE = Pace(batch=8, adamw=5e-3, bfloat16=False, warm_up=2, save_every_s=0.0, report_every_s=1e9)
WORDS = Words(build_tokenizer(["red", "green", "a", "of"]))


def model() -> Model:
    """Small networks with random weights."""
    return Model(unet(SMALL), text_encoder(SMALL), vae(SMALL), WORDS)


def examples(count: int = 4) -> Examples:
    """Flat pictures, red and green in turn."""
    pictures = torch.full((count, 3, 32, 32), -1.0)
    pictures[torch.arange(count), torch.arange(count) % 2] = 1.0
    return Examples(pictures, [["a red"], ["a green"]] * (count // 2))


PLAIN = Recipe(rank=2, alpha=1.0)


def stage(recipe: Recipe = PLAIN) -> LoraStage:
    """Adapters in a small U-Net."""
    torch.manual_seed(0)
    return LoraStage(model(), examples(), recipe)


class Mortal(LoraStage):
    """A stage that dies before its fourth step."""

    steps = 0

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        self.steps += 1
        if self.steps == 4:
            raise InterruptedError
        return super().loss(count, draw, spent)


def fixed_loss(learner: LoraStage) -> float:
    """The loss with always the same noise."""
    return float(learner.loss(16, torch.Generator().manual_seed(3), 0.0).detach())


@torch.no_grad()
def answer(network: torch.nn.Module) -> Tensor:
    """What a U-Net says of a fixed latent."""
    draw_ = torch.Generator().manual_seed(5)
    x = torch.randn(1, 4, 8, 8, generator=draw_)
    context = torch.randn(1, 7, SMALL.unet.context_width, generator=draw_)
    told: Tensor = network(x, torch.tensor([400.0]), context)
    return told


def test_a_fresh_adapter_changes_nothing() -> None:
    """B is zero, so the first answer is the network's own, bit for bit."""
    network = unet(SMALL)
    learner = adapted(network, (*TRANSFORMERS, *CONVOLUTIONS), 4, 4.0)
    assert answer(learner.network).equal(answer(network))


def test_only_the_adapters_learn(tmp_path: Path) -> None:
    """The loss on the examples falls; the networks stay bit for bit."""
    learner = stage()
    before = {n: t.clone() for n, t in learner.taught.unet.named_parameters() if "adapter" not in n}
    start = fixed_loss(learner)
    train(learner, PACE, Run(tmp_path, Budget(steps=25)))
    assert fixed_loss(learner) < 0.97 * start
    after = dict(learner.taught.unet.named_parameters())
    assert all(after[name].equal(tensor) for name, tensor in before.items())


def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Killed before its fourth step and continued, it ends with the same adapters, bit for bit."""
    budget = Budget(steps=6)
    train(stage(), PACE, Run(tmp_path / "whole", budget))
    torch.manual_seed(0)
    mortal = Mortal(model(), examples(), PLAIN)
    with pytest.raises(InterruptedError):
        train(mortal, PACE, Run(tmp_path / "killed", budget))
    train(stage(), PACE, Run(tmp_path / "killed", budget, resume=True))
    whole, killed = (load(tmp_path / name / "state.pt") for name in ("whole", "killed"))
    assert killed["step"] == whole["step"] == 6
    for part in ("network", "average"):
        torch.testing.assert_close(killed[part], whole[part], rtol=0, atol=0)


@pytest.mark.parametrize("recipe", [Recipe(rank=2, parts=2), Recipe(rank=2, checkpointing=True)])
def test_saving_memory_does_not_change_the_gradient(recipe: Recipe) -> None:
    """In parts or computed twice, each adapter is pulled the same way."""
    plain = stage(replace(recipe, parts=1, checkpointing=False))
    frugal = stage(recipe)
    if recipe.parts > 1:  # other noise is drawn for parts: compare with their own sum
        plain = stage(replace(recipe, checkpointing=True))
    for learner in (plain, frugal):
        loss = learner.loss(8, torch.Generator().manual_seed(2), 0.0)
        torch.autograd.backward([loss])
    for one, other in zip(plain.network.parameters(), frugal.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_min_snr_weighs_levels_without_noise_less() -> None:
    """min(snr, 5) / (snr + 1) for velocities: 5 / (snr + 1) where there is little noise."""
    learner = stage(Recipe(rank=2, min_snr=5.0))
    weights = learner._weights(torch.tensor([0, 999]))
    kept = learner.kept[torch.tensor([0, 999])]
    snr = kept / (1 - kept)
    torch.testing.assert_close(weights, torch.stack([5 / (snr[0] + 1), snr[1] / (snr[1] + 1)]))


def test_a_prior_is_learnt_beside() -> None:
    """Its loss is added with its weight."""
    torch.manual_seed(0)
    recipe = replace(PLAIN, prior=0.5)
    both = LoraStage(model(), examples(), recipe, prior=examples())
    only = LoraStage(model(), examples(), replace(recipe, prior=0.0), prior=examples())
    none = LoraStage(model(), examples(), recipe)
    losses = [
        float(s.loss(8, torch.Generator().manual_seed(1), 0.0).detach()) for s in (both, only)
    ]
    assert losses[0] > losses[1] > 0
    assert len(none.shown) == 1


def trained(folder: Path, *, text: bool) -> tuple[LoraStage, Path]:
    """A LoRA of a few steps, and its file."""
    learner = stage(Recipe(rank=2, alpha=1.0, text=text, targets=(*TRANSFORMERS, *CONVOLUTIONS)))
    train(learner, PACE, Run(folder, Budget(steps=4)))
    state = folder / "state.pt"
    metadata = kohya_metadata(learner.recipe, [["a red"]], load(state), "toy")
    path, base = folder / "toy.safetensors", folder / "base.safetensors"
    base.write_bytes(b"base")
    export_lora(learner, state, path, metadata, base)
    return learner, path


@pytest.mark.parametrize("text", [False, True])
def test_what_is_exported_is_what_was_learnt(text: bool, tmp_path: Path) -> None:
    """The file, merged into the plain network, answers as the adapters did."""
    learner, path = trained(tmp_path, text=text)
    file, plain = open_lora(path), model()
    fitting = fit(file, plain.unet, network_places(plain.unet), "this model")
    again = merged(plain.unet, fitting.edits, 1.0)
    torch.testing.assert_close(answer(again), answer(learner.taught.unet), rtol=2e-3, atol=2e-3)
    heard = fit(file, plain.text, text_places("l", plain.text, alone=True), "the text encoder")
    assert bool(heard.edits) == text
    assert len(fitting.used) + len(heard.used) == len(file.changes)
    assert {"ss_network_dim": "2", "ss_network_alpha": "1.0"}.items() <= file.metadata.items()


@pytest.mark.filterwarnings("ignore")
def test_a_lora_trained_here_says_the_same_in_diffusers(tmp_path: Path) -> None:
    """Their loader, their network, the same numbers to 1e-4."""
    pytest.importorskip("peft")
    parity: Any = import_module("tests.diffusion.test_lora_parity")
    _, path = trained(tmp_path, text=False)
    file, network = open_lora(path), unet(SMALL)
    theirs = parity.peer(network)
    tensors = {name: t.float() for name, t in parity_tensors(path).items()}
    parity.load(theirs, tensors, 1.0)
    assert parity.error(*parity.answers(parity.taught(network, file), theirs)) < parity.CLOSE


def parity_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file."""
    opened: Any = import_module("safetensors.torch")
    tensors: dict[str, Tensor] = opened.load_file(path)
    return tensors


def test_a_layer_that_is_not_there_is_refused() -> None:
    """And a rank that is none."""
    with pytest.raises(ValueError, match=r"^no layer of the UNet has to_nobody$"):
        adapted(unet(SMALL), ("to_nobody",), 4, 4.0)
    with pytest.raises(ValueError, match=r"^a LoRA needs a rank of at least 1, got 0$"):
        adapted(unet(SMALL), TRANSFORMERS, 0, 4.0)


def picture(path: Path) -> None:
    """Write a small picture."""
    Image.new("RGB", (40, 30), "red").save(path)


def test_pictures_of_a_folder_are_read_with_their_captions(tmp_path: Path) -> None:
    """As squares, in the order of their names; each line of a caption is a way to say it."""
    picture(tmp_path / "b.png")
    picture(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("a red\n\nred\n")
    (tmp_path / "b.txt").write_text("b\n")
    found = read_examples(tmp_path, 16)
    assert found.pictures.shape == (2, 3, 16, 16)
    assert found.captions == [["a red", "red"], ["b"]]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    """Empty or missing."""
    with pytest.raises(ExamplesError, match=r"it holds no pictures \(\.bmp, \.gif"):
        read_examples(tmp_path, 16)
    with pytest.raises(ExamplesError, match=r"none: there is no such folder$"):
        read_examples(tmp_path / "none", 16)


def test_every_wrong_file_of_a_folder_is_named(tmp_path: Path) -> None:
    """Missing halves, empty captions and what is no picture, all at once."""
    for name in ("alone.png", "empty.png", "good.png"):
        picture(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for name, text in {"broken": "x", "empty": " ", "good": "y", "lost": "z"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    with pytest.raises(ExamplesError) as caught:
        read_examples(tmp_path, 16)
    assert re.sub(r"^\S+: ", "", str(caught.value)).splitlines() == [
        "4 files are wrong:",
        "  alone.png: no caption alone.txt",
        "  lost.txt: no picture lost.png",
        "  broken.png: not a picture that can be read",
        "  empty.txt: the caption is empty",
    ]


def test_the_statistic_tells_blueprints_from_other_styles() -> None:
    """All drawn blueprints are called so, and at most one in fifty other pictures."""
    drawn = drawings(scenes(40, seed=5), 128)
    others = to_tensor(np.stack([draw(index).image for index in range(150)]))
    assert is_blueprint(drawn).mean() == 1
    assert is_blueprint(others).mean() <= 0.02
    assert blueprint_share(drawn).min() > blueprint_share(others).median() + 0.5


def test_half_of_the_captions_of_a_blueprint_name_the_style() -> None:
    """So that the style comes unasked too."""
    told = blueprints(6).captions
    assert all(len(ways) == 4 for ways in told)
    named = [["blueprint" in way for way in ways] for ways in told]
    assert named == [[True, True, False, False]] * 6
