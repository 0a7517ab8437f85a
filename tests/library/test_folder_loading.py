"""A diffusers folder opens as the model that it is, also where its parts come in shards."""

import json
from pathlib import Path

import pytest
import torch
from tests.library.conftest import tokenizer_json

from safelight.diffusion.families import load_checkpoint
from safelight.diffusion.fused import fused
from safelight.diffusion.settings import checkpoint_metadata
from safelight.diffusion.split import ENCODERS
from safelight.diffusion.tables import diffusers_unet, diffusers_vae
from safelight.diffusion.weights import CheckpointError, exported, save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.folder_loading import DiffusersLoader


@pytest.fixture
def model(folders: Folders, tiny_checkpoint: Path) -> Path:
    """The tiny model, taken apart as diffusers does, its U-Net in two files."""
    whole = load_checkpoint(tiny_checkpoint)
    root = folders.directory("diffusers") / "tiny"
    told = checkpoint_metadata(whole.settings)
    unet = exported(whole.unet, diffusers_unet.table(whole.unet.config))
    places = {name: f"part-{i % 2}-of-2.safetensors" for i, name in enumerate(sorted(unet))}
    for file in set(places.values()):
        part = {name: unet[name] for name in unet if places[name] == file}
        save_checkpoint(root / "unet" / file, part, told)
    index = root / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    words = ENCODERS["l"][1].exported(whole.text_encoder, whole.text_encoder.config)
    save_checkpoint(root / "text_encoder" / "model.safetensors", words, told)
    (root / "tokenizer").mkdir()
    (root / "tokenizer" / "tokenizer.json").write_text(tokenizer_json())
    table = diffusers_vae.table(whole.vae.config)
    vae = fused(exported(whole.vae, table), diffusers_vae.cuts(whole.vae.config))
    save_checkpoint(root / "vae" / "diffusion_pytorch_model.safetensors", vae, told)
    (root / "model_index.json").write_text("{}")
    return root


def test_all_parts_of_a_folder_are_opened(
    model: Path, folders: Folders, tiny_checkpoint: Path
) -> None:
    """Bit for bit those of the checkpoint; what the scheduler predicts is heeded."""
    assert folders.names("diffusers") == ["tiny"]
    ctx = NullContext(folders)
    parts = DiffusersLoader(model_path="tiny").run(ctx)
    whole = load_checkpoint(tiny_checkpoint)
    for ours, wanted in (
        (parts.model.network, whole.network),
        (parts.vae.network, whole.vae),
        (parts.clip.texts.towers["l"].network, whole.text_encoder),
    ):
        tensors = ours.state_dict()
        assert all(torch.equal(tensors[name], t) for name, t in wanted.state_dict().items())
    assert parts.model.denoiser.prediction == "eps"
    (model / "scheduler").mkdir()
    (model / "scheduler" / "scheduler_config.json").write_text(
        '{"prediction_type": "v_prediction"}'
    )
    assert DiffusersLoader(model_path="tiny").run(ctx).model.denoiser.prediction == "v"


def test_a_folder_without_a_part_is_refused(model: Path, folders: Folders) -> None:
    """The message names the folder that lacks something."""
    (model / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(
        CheckpointError, match=r"tiny/vae: there is no safetensors file of weights in this folder$"
    ):
        DiffusersLoader(model_path="tiny").run(NullContext(folders))
