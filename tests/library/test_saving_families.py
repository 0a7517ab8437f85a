"""Models of later families are kept and opened again without losing a bit."""

from pathlib import Path

import pytest
import torch
from tests.library import flow_models, test_families

from safelight.diffusion.family_flow import FLUX_DEV, SD3_FAMILY, SD35_MEDIUM
from safelight.diffusion.weights import open_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.loading import CheckpointLoaderSimple
from safelight.library.saving import CheckpointSave, Kept, ModelSave
from safelight.library.split import UNETLoader

FLOW = {
    "sd3": (SD3_FAMILY, ("l", "g", "t5")),
    "sd3 without t5": (SD3_FAMILY, ("l", "g")),
    "sd35": (SD35_MEDIUM, ("l", "g", "t5")),
    "flux": (FLUX_DEV, ("l", "t5")),
}


@pytest.mark.parametrize("name", ["xl", "xl-refiner", "sd2", *FLOW])
def test_a_checkpoint_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    """Names, numbers and settings are those of the file, and so is what prompts mean."""
    folders = Folders(tmp_path)
    folders.create()
    file = tmp_path / "models" / "checkpoints" / "whole.safetensors"
    if name in FLOW:
        family, texts = FLOW[name]
        flow_models.written(family, tmp_path, texts)
    else:
        test_families.written(name, file)
    ctx = NullContext(folders)
    parts = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx)
    kept = CheckpointSave(model=parts.model, clip=parts.clip, vae=parts.vae).run(ctx)
    assert isinstance(kept, Kept)
    (path,) = kept.paths
    old, new = open_checkpoint(file), open_checkpoint(path)
    assert new.shapes == old.shapes
    assert all(torch.equal(new.tensors[each], old.tensors[each]) for each in old.shapes)
    path.replace(file.with_name("again.safetensors"))
    again = CheckpointLoaderSimple(ckpt_name="again.safetensors").run(ctx)
    assert again.model.network.config == parts.model.network.config
    assert again.model.family == parts.model.family
    first, second = (
        CLIPTextEncode(text="a (cat:1.2)", clip=each.clip).run(ctx).whole for each in (parts, again)
    )
    assert torch.equal(first.tokens, second.tokens)


@pytest.mark.parametrize("name", FLOW)
def test_a_denoiser_alone_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    """It opens with the loader for such files."""
    folders = Folders(tmp_path)
    folders.create()
    family, texts = FLOW[name]
    flow_models.written(family, tmp_path, texts)
    ctx = NullContext(folders)
    model = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx).model
    kept = ModelSave(model=model).run(ctx)
    assert isinstance(kept, Kept)
    (path,) = kept.paths
    path.replace(tmp_path / "models" / "diffusion_models" / "again.safetensors")
    again = UNETLoader(unet_name="again.safetensors", weight_dtype="default").run(ctx)
    ours, theirs = model.network.state_dict(), again.network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
