"""ControlNets of Stable Diffusion 3 against the reference implementation."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.peers import error
from tests.diffusion.test_parity_transformers import MMDIT, VERSIONS, diffusers_mmdit, drawn

from safelight.diffusion.control import ControlMismatch, Question
from safelight.diffusion.controlnet_sd3 import SD3ControlNet
from safelight.diffusion.family_control import load_control
from safelight.diffusion.mmdit import MMDiT, MMDiTConfig
from safelight.diffusion.tables import sd3_mmdit
from safelight.diffusion.weights import exported, save_checkpoint


def reference_controlnet(config: MMDiTConfig) -> Any:
    """Diffusers' ControlNet with random weights, its zeros too."""
    diffusers: Any = import_module("diffusers")
    network = diffusers.SD3ControlNetModel(
        sample_size=32,
        patch_size=config.patch,
        in_channels=config.channels,
        num_layers=config.depth,
        num_attention_heads=config.heads,
        attention_head_dim=config.width // config.heads,
        joint_attention_dim=config.context_width,
        caption_projection_dim=config.width,
        pooled_projection_dim=config.pooled_width,
        out_channels=config.channels,
        pos_embed_max_size=config.side,
        qk_norm="rms_norm" if config.normalised else None,
        dual_attention_layers=tuple(range(config.doubled)),
    )
    randomised(network, 5)
    return network


@pytest.mark.parametrize("config", VERSIONS)
@torch.no_grad()
def test_residuals_and_the_steered_answer_equal_diffusers(
    config: MMDiTConfig, tmp_path: Path
) -> None:
    """Read from its own file, two blocks' residuals spread over the transformer's three."""
    theirs = reference_controlnet(replace(config, depth=2, doubled=min(config.doubled, 1)))
    path = tmp_path / "control.safetensors"
    save_checkpoint(path, theirs.state_dict(), {})
    found = load_control(path)
    assert (found.family, found.latent) == ("Stable Diffusion 3", True)
    base = MMDiT(config)
    randomised(base, 1)
    ours = found.source.on(base)
    assert isinstance(ours, SD3ControlNet)
    x, time, hint = drawn(2, 16, 12, 20), torch.tensor([3.0, 950.0]), drawn(2, 16, 12, 20, seed=3)
    context, pooled = drawn(2, 7, 48, seed=1), drawn(2, 40, seed=2)
    blocks = theirs(x, hint, 1.0, context, torch.zeros_like(pooled), time, return_dict=False)[0]
    got = ours.answer(Question(hint, x, time, context, pooled))
    for own, their in zip(got.passing, blocks, strict=True):
        assert own is not None
        assert error(own, their) < 1e-4
    reference = diffusers_mmdit(config, exported(base, sd3_mmdit.table(config)))
    wanted = reference(x, context, pooled, time, block_controlnet_hidden_states=blocks).sample
    assert error(base(x, time, context, pooled, residuals=got), wanted) < 1e-4


def test_a_transformer_of_other_sizes_or_a_unet_is_refused() -> None:
    """Both sizes are named."""
    network = SD3ControlNet(replace(MMDIT, depth=1))
    with pytest.raises(ControlMismatch, match="width 128 against 64"):
        network.on(MMDiT(replace(MMDIT, width=64, heads=1)))
    with pytest.raises(ControlMismatch, match="and this is a Linear"):
        network.on(torch.nn.Linear(1, 1))


def test_a_fresh_one_adds_nothing() -> None:
    """Its matrices begin at zero."""
    network = SD3ControlNet(replace(MMDIT, depth=1))
    x, time = drawn(1, 16, 4, 4), torch.tensor([500.0])
    said = Question(x, x, time, drawn(1, 7, 48, seed=1), drawn(1, 40, seed=2))
    (more,) = network.answer(said).passing
    assert more is not None
    assert more.abs().max() == 0
