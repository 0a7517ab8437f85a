"""Drawing by label: the class-conditional transformer as a denoiser like any other."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.test_parity_transformers import diffusers_dit, drawn, error

from safelight.diffusion.dit import DiT, DiTConfig
from safelight.diffusion.guidance import guided
from safelight.diffusion.labels import TRANSFORMER, labelled, linear_schedule, load_dit
from safelight.diffusion.tables import dit_blocks
from safelight.diffusion.weights import CheckpointError, exported, save_checkpoint

SMALL = DiTConfig(side=6, width=64, depth=2, heads=1, labels=11)
ANYTHING = SMALL.labels - 1


def network() -> DiT:
    """A small transformer with random weights."""
    made = DiT(SMALL)
    randomised(made, 1)
    return made


def test_a_transformer_comes_back_from_a_file(tmp_path: Path) -> None:
    """Sizes are read from the shapes; every number is the same."""
    path, ours = tmp_path / "dit.safetensors", network()
    save_checkpoint(path, TRANSFORMER.exported(ours, SMALL), {})
    again = load_dit(path)
    assert again.config == SMALL
    x, time, labels = drawn(1, 4, 12, 12), torch.tensor([7.0]), torch.tensor([3])
    torch.testing.assert_close(again(x, time, labels), ours(x, time, labels))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """The message names the first tensor that is wanted."""
    path = tmp_path / "dit.safetensors"
    save_checkpoint(path, {"x": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError, match=r"it lacks the tensor x_embedder\.proj\.weight$"):
        load_dit(path)


def test_an_unknown_label_is_refused() -> None:
    """The message has the range."""
    with pytest.raises(ValueError, match=r"^there is no label 11: want 0 to 10$"):
        labelled(network(), linear_schedule(), 11)


@torch.no_grad()
def test_labels_steer_and_guidance_exaggerates() -> None:
    """Two labels give two guesses; guidance goes on along their difference."""
    ours, schedule = network(), linear_schedule()
    x, sigma = drawn(2, 4, 12, 12), schedule.sigmas[400].float()
    cat, anything = labelled(ours, schedule, 3), labelled(ours, schedule, ANYTHING)
    assert not torch.allclose(cat(x, sigma), anything(x, sigma))
    pushed = guided(cat, anything, 4.0)(x, sigma)
    wanted = anything(x, sigma) + 4.0 * (cat(x, sigma) - anything(x, sigma))
    torch.testing.assert_close(pushed, wanted)


@torch.no_grad()
def test_a_step_of_ddim_equals_the_reference_s() -> None:
    """A guess of the clean latent, by the reference's scheduler from the reference's network."""
    diffusers: Any = import_module("diffusers")
    ours, schedule = network(), linear_schedule()
    reference = diffusers_dit(SMALL, exported(ours, dit_blocks.table(SMALL)))
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.0001, beta_end=0.02, beta_schedule="linear", clip_sample=False
    )
    scheduler.set_timesteps(1000)
    z, level = drawn(1, 4, 12, 12), 600
    noise = reference(z, torch.tensor([float(level)]), torch.tensor([3])).sample[:, :4]
    theirs = scheduler.step(noise, level, z).pred_original_sample
    sigma = schedule.sigmas[level].float()
    x = z * (1 + sigma**2).sqrt()
    assert error(labelled(ours, schedule, 3)(x, sigma), theirs) < 1e-4
