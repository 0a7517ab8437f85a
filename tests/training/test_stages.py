"""The stages that train networks, on toy data: seconds, not minutes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.latent import SD1
from safelight.diffusion.taesd import TinyConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.training.autoencoder import AutoencoderStage, PolishStage, divergence, psnr
from safelight.training.contrastive import WIDTH, ContrastiveStage
from safelight.training.decoder import DecoderStage
from safelight.training.denoiser import CONFIG, DenoiserStage
from safelight.training.export import preview_colours
from safelight.training.loop import Budget, Pace, Run, load, train
from safelight.training.pictures import HELD_OUT, Captions, Pictures
from safelight.training.tokenizer import Words, build_tokenizer

TINY = VAEConfig(width=8, multipliers=(1, 2), blocks=1, groups=1)
PACE = Pace(batch=8, bfloat16=False, warm_up=2, save_every_s=1e9, report_every_s=1e9)
COLOURS = ("red", "green", "blue")
WORDS = Words(build_tokenizer(COLOURS), length=8)


def flat_pictures(count: int, size_px: int = 64) -> Pictures:
    """Pictures of one colour each: red, green, blue in turn."""
    pixels = np.zeros((count, size_px, size_px, 3), np.uint8)
    pixels[np.arange(count), ..., np.arange(count) % 3] = 255
    return Pictures(pixels)


def flat_latents(count: int) -> torch.Tensor:
    """Latents that differ as the pictures do."""
    latents = torch.full((count, 4, 8, 8), -0.5)
    latents[torch.arange(count), torch.arange(count) % 3] = 1.0
    return latents


def colour_names(count: int) -> Captions:
    """What each picture shows."""
    return Captions([[COLOURS[index % 3]] for index in range(count)])


def test_the_autoencoder_learns_colours_in_a_few_steps(tmp_path: Path) -> None:
    """Thirty steps on flat pictures bring the quality up by 6 dB or more."""
    torch.manual_seed(0)
    stage = AutoencoderStage(flat_pictures(32), TINY)
    with torch.no_grad():
        before = stage.report(tmp_path)["psnr_db"]
    train(stage, PACE, Run(tmp_path, Budget(steps=30)))
    assert load(tmp_path / "state.pt")["figures"]["psnr_db"] > before + 6
    assert (tmp_path / "sheet.png").is_file()


def test_polishing_leaves_the_encoder_alone(tmp_path: Path) -> None:
    """Only the decoder has changed, and draws better."""
    torch.manual_seed(0)
    pictures, network = flat_pictures(32), AutoencoderKL(TINY)
    with torch.no_grad():
        latents = network.encode(pictures.held_out(32)).mean
    old = {name: weight.clone() for name, weight in network.state_dict().items()}
    stage = PolishStage(pictures, latents, network)
    with torch.no_grad():
        before = stage.report(tmp_path)["psnr_db"]
    train(stage, PACE, Run(tmp_path, Budget(steps=20)))
    changed = {n for n, weight in network.state_dict().items() if not weight.equal(old[n])}
    assert changed
    assert all(name.startswith("decoder.") for name in changed)
    assert load(tmp_path / "state.pt")["figures"]["psnr_db"] > before + 1


def test_the_text_tower_learns_which_words_belong_to_which_latents(tmp_path: Path) -> None:
    """Three colours are told apart after forty steps."""
    torch.manual_seed(0)
    count = 2 * HELD_OUT
    captions = colour_names(count)
    names = {captions.first(index): index for index in range(HELD_OUT, count)}
    stage = ContrastiveStage(flat_latents(count), captions, WORDS, list(names.values()))
    pace = replace(PACE, batch=24, muon=0.0)
    train(stage, pace, Run(tmp_path, Budget(steps=40)))
    assert load(tmp_path / "state.pt")["figures"]["recall_at_1"] > 0.95


@pytest.mark.slow
def test_the_denoiser_s_loss_falls_when_it_is_told_the_colour(tmp_path: Path) -> None:
    """Knowing the few clean latents there are, it halves the error of an untrained one."""
    torch.manual_seed(0)
    text = TextEncoder(TextConfig(WORDS.size, CONFIG.context_width, 1, 2, WORDS.length))
    count = 2 * HELD_OUT
    stage = DenoiserStage(flat_latents(count), colour_names(count), text, WORDS)
    with torch.no_grad():
        before = stage.report(tmp_path)["held_out_loss"]
    train(stage, replace(PACE, batch=16), Run(tmp_path, Budget(steps=30)))
    assert load(tmp_path / "state.pt")["figures"]["held_out_loss"] < before / 2


def test_the_tiny_decoder_learns_colours_in_a_few_steps(tmp_path: Path) -> None:
    """From latents that tell the colour, forty steps gain 6 dB or more."""
    torch.manual_seed(0)
    stage = DecoderStage(flat_pictures(32), flat_latents(32), TinyConfig(width=16))
    with torch.no_grad():
        before = stage.report(tmp_path)["psnr_db"]
    train(stage, PACE, Run(tmp_path, Budget(steps=40)))
    assert load(tmp_path / "state.pt")["figures"]["psnr_db"] > before + 6


def test_a_standard_normal_latent_costs_nothing() -> None:
    """The KL divergence from N(0, 1) to itself is 0, and grows with the mean."""
    network = AutoencoderKL(TINY)
    latents = network.encode(torch.zeros(1, 3, 16, 16))
    still = replace(latents, mean=torch.zeros(1, 4, 8, 8), std=torch.ones(1, 4, 8, 8))
    moved = replace(still, mean=torch.full((1, 4, 8, 8), 2.0))
    assert float(divergence(still)) == 0.0
    assert float(divergence(moved)) == pytest.approx(2.0)


def test_quality_is_measured_against_the_whole_range() -> None:
    """An error of a tenth of the range everywhere is 20 dB."""
    given = torch.zeros(2, 3, 8, 8)
    assert psnr(given + 0.2, given) == pytest.approx(20.0, abs=1e-4)


def test_preview_colours_find_a_linear_code() -> None:
    """If colours are linear in the latents, the preview shows them exactly."""
    draw = torch.Generator().manual_seed(0)
    latents, mixing = torch.randn(8, 4, 4, 4, generator=draw), torch.randn(4, 3, generator=draw)
    small = torch.einsum("nzhw,zc->nchw", latents, mixing * 0.1) + 0.25
    pictures = small.repeat_interleave(8, 2).repeat_interleave(8, 3)
    preview = SD1.with_rgb(preview_colours(latents, pictures)).preview(latents)
    wanted = ((small + 1) / 2).clamp(0, 1).movedim(1, -1)
    torch.testing.assert_close(preview, wanted, rtol=0, atol=1e-3)


def test_the_text_tower_is_as_wide_as_the_denoiser_listens() -> None:
    """Two modules state one width."""
    assert CONFIG.context_width == WIDTH
