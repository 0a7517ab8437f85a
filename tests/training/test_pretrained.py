"""The model that comes with the package: it opens, and draws what it is told."""

import subprocess
import sys
from functools import lru_cache
from random import Random

import numpy as np
import pytest
import torch
from torch import Tensor

from safelight.diffusion.families import Bundle, load_checkpoint
from safelight.diffusion.latent import SD1
from safelight.diffusion.weights import open_checkpoint
from safelight.pretrained import BUILTIN
from safelight.training.autoencoder import psnr
from safelight.training.prompts import Model, draw_prompts
from safelight.training.tokenizer import Words
from safelight.training.world import Actor, Scene, render

NAME = "safelight-first-light.safetensors"
CHECKPOINT = BUILTIN["checkpoints"][NAME]


@lru_cache(maxsize=1)
def bundle() -> Bundle:
    """The embedded checkpoint, opened."""
    return load_checkpoint(CHECKPOINT)


def drawn(prompts: list[str]) -> Tensor:
    """One picture for each prompt, in -1..1."""
    words = Words(bundle().checkpoint.metadata["safelight.tokenizer"])
    networks = (bundle().unet.float(), bundle().text_encoder.float(), bundle().vae.float())
    return draw_prompts(Model(*networks, words), prompts, seed=5)


def world_pictures() -> Tensor:
    """Drawings that training may have seen the like of, in -1..1."""
    subjects = ("cat", "robot", "house", "fish", "car", "flower", "owl", "boat")
    settings = ("meadow", "night", "snow", "sea", "room", "sunset", "desert", "plain")
    rng = Random(0)
    scenes = [
        Scene((Actor(subject, rng.choice(("red", "blue", "yellow"))),), setting, True)
        for subject, setting in zip(subjects, settings, strict=True)
    ]
    pixels = np.stack([np.asarray(render(scene, 128, k)) for k, scene in enumerate(scenes)])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_the_list_of_checkpoints_needs_no_torch() -> None:
    """The server lists them without loading what only the worker needs."""
    code = (
        "import sys, safelight.pretrained as p; "
        f"assert '{NAME}' in p.BUILTIN['checkpoints']; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_checkpoint_is_small_and_half_precise() -> None:
    """At most 25 MB, all of it float16."""
    checkpoint = open_checkpoint(CHECKPOINT)
    assert CHECKPOINT.stat().st_size <= 25_000_000
    assert {checkpoint.tensors[name].dtype for name in checkpoint.shapes} == {torch.float16}


def test_the_checkpoint_says_what_shapes_do_not() -> None:
    """Velocity, heads and groups come from its metadata; the words too."""
    assert bundle().family.name == "Stable Diffusion 1"
    assert bundle().prediction == "v"
    assert bundle().unet.config.heads == bundle().settings.unet_heads
    assert bundle().tokenizer.encode("a cat") != bundle().tokenizer.encode("a dog")


def test_latents_times_0_18215_are_standard() -> None:
    """As files in this layout promise: other programs multiply without asking."""
    with torch.no_grad():
        latents = SD1.to_diffusion(bundle().vae.float().encode(world_pictures()).mean)
    assert float(latents.std()) == pytest.approx(1.0, abs=0.15)
    assert float(latents.mean()) == pytest.approx(0.0, abs=0.15)


def test_pictures_survive_the_autoencoder() -> None:
    """Unseen drawings come back with 23 dB or more."""
    pictures = world_pictures()
    with torch.no_grad():
        vae = bundle().vae.float()
        assert psnr(vae.decode(vae.encode(pictures).mean), pictures) > 23


def test_the_preview_colours_show_the_picture() -> None:
    """A preview is within a tenth of the picture made small, on average."""
    pictures = world_pictures()
    with torch.no_grad():
        latents = SD1.to_diffusion(bundle().vae.float().encode(pictures).mean)
    small = (torch.nn.functional.avg_pool2d(pictures, 8) + 1) / 2
    shown = bundle().latent.preview(latents).movedim(-1, 1)
    assert float((shown - small).abs().mean()) < 0.1


@pytest.mark.slow
def test_the_prompt_decides_the_colours() -> None:
    """A red car is redder than a blue one; night is darker than snow."""
    prompts = ["a red car", "a blue car", "a robot at night", "a robot in the snow"]
    red, blue, night, snow = drawn(prompts).clamp(-1, 1).mean((2, 3))
    assert red[0] - red[2] > blue[0] - blue[2] + 0.1
    assert night.mean() < snow.mean() - 0.3
