"""Transformers in the dialect of diffusers: the same shapes and the same numbers."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.layouts import layout, shadow
from tests.diffusion.networks import randomised
from tests.diffusion.test_parity_transformers import (
    FLUX,
    MMDIT,
    VERSIONS,
    diffusers_flux,
    diffusers_mmdit,
    drawn,
)
from torch import Tensor, nn

from safelight.diffusion.dialect_flow import MARK, translated
from safelight.diffusion.flux import Flux
from safelight.diffusion.mmdit import MMDiT, MMDiTConfig
from safelight.diffusion.split import load_denoiser
from safelight.diffusion.tables import bfl_flux, sd3_mmdit
from safelight.diffusion.weights import CheckpointError, exported, open_checkpoint, save_checkpoint


@pytest.mark.parametrize(
    ("theirs", "original", "below"),
    [
        ("diffusers/flux/transformer", "flux-dev", ""),
        ("diffusers/sd3/transformer", "sd3-medium", "model.diffusion_model."),
    ],
)
def test_published_files_have_the_shapes_of_the_original(
    theirs: str, original: str, below: str, reference: Path
) -> None:
    """Name by name, nothing missing and nothing left over."""
    wanted = {
        name.removeprefix(below): shape
        for name, shape in layout(reference, original).items()
        if name.startswith(below)
    }
    assert translated(shadow(layout(reference, theirs))).shapes == wanted


def saved(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write tensors to a file."""
    save_checkpoint(path, tensors, {})
    return path


@pytest.mark.parametrize("config", VERSIONS)
def test_version_3_comes_back_number_by_number(config: MMDiTConfig, tmp_path: Path) -> None:
    """What diffusers would save reads as the original it was made of."""
    ours = exported(randomised(MMDiT(config), 1), sd3_mmdit.table(config))
    theirs = diffusers_mmdit(config, dict(ours)).state_dict()
    compared(ours, saved(tmp_path / "transformer.safetensors", theirs))


@pytest.mark.parametrize("guided", [True, False], ids=["dev", "schnell"])
def test_flux_comes_back_number_by_number(guided: bool, tmp_path: Path) -> None:
    """With the guidance that is told, and without."""
    config = replace(FLUX, guided=guided)
    ours = exported(randomised(Flux(config), 1), bfl_flux.table(config))
    theirs = diffusers_flux(config, dict(ours)).state_dict()
    compared(ours, saved(tmp_path / "transformer.safetensors", theirs))


def compared(ours: Mapping[str, Tensor], path: Path) -> None:
    """Every tensor of the translated file equals ours."""
    again = translated(open_checkpoint(path))
    assert again.shapes == {name: tuple(tensor.shape) for name, tensor in ours.items()}
    assert len(again.tensors) == len(ours)
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in ours.items())


@torch.no_grad()
def test_a_denoiser_in_either_dialect_answers_the_same(tmp_path: Path) -> None:
    """It is opened by the same loader, and known by the same row."""
    ours: nn.Module = randomised(MMDiT(MMDIT), 1)
    original = exported(ours, sd3_mmdit.table(MMDIT))
    theirs: dict[str, Any] = diffusers_mmdit(MMDIT, dict(original)).state_dict()
    asked = drawn(1, 16, 8, 8), torch.tensor([5.0]), drawn(1, 3, 48), drawn(1, 40)
    for tensors in (original, theirs):
        bundle = load_denoiser(saved(tmp_path / "transformer.safetensors", tensors))
        assert bundle.family.name == "Stable Diffusion 3 medium"
        torch.testing.assert_close(bundle.network(*asked), ours(*asked))


def test_a_tensor_too_many_is_refused_in_this_dialect_too(tmp_path: Path) -> None:
    """It keeps its name, and the message has it."""
    original = exported(randomised(MMDiT(MMDIT), 1), sd3_mmdit.table(MMDIT))
    theirs = diffusers_mmdit(MMDIT, dict(original)).state_dict()
    theirs["transformer_blocks.0.extra.weight"] = torch.zeros(2)
    bundle = load_denoiser(saved(tmp_path / "transformer.safetensors", theirs))
    with pytest.raises(CheckpointError, match=r"transformer_blocks\.0\.extra\.weight: unknown$"):
        _ = bundle.network


def test_the_original_dialect_comes_back_as_it_is(tmp_path: Path) -> None:
    """Nothing is wrapped that need not be."""
    opened = open_checkpoint(saved(tmp_path / "x.safetensors", {"x": torch.zeros(1)}))
    assert MARK not in opened.shapes
    assert translated(opened) is opened
