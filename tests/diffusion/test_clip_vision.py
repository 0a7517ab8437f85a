"""Vision towers and Redux against the reference implementations, and what is refused."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.peers import error
from torch import Tensor

from safelight.diffusion.clip_vision import CLIP_DEVIATION, CLIP_MEAN, VisionConfig, prepared
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.vision_file import load_style, load_vision
from safelight.diffusion.weights import CheckpointError, save_checkpoint

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 24,
    "patch_size": 8,
}


def tower(kind: str, **more: Any) -> Any:
    """A small tower of transformers with random weights."""
    transformers: Any = import_module("transformers")
    config = getattr(transformers, f"{kind}VisionConfig")(**SIZES, **more)
    name = "CLIPVisionModelWithProjection" if kind == "CLIP" else "SiglipVisionModel"
    network = getattr(transformers, name)(config)
    randomised(network, 3)
    return network


def saved(network: Any, path: Path) -> Path:
    """Save a tower under the names of published files, whatever this version calls its own."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        outer = name.startswith(("vision_model.", "visual_projection."))
        tensors[name if outer else f"vision_model.{name}"] = tensor.contiguous()
    save_checkpoint(path, tensors, checkpoint_metadata(Settings(vision_heads=4)))
    return path


def picture(count: int = 2) -> Tensor:
    """Random pictures of the small towers' size."""
    return torch.randn(count, 3, 24, 24, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_clip_sees_what_transformers_sees(tmp_path: Path) -> None:
    """After the last layer, before it, and in the space of the text tower."""
    reference = tower("CLIP", projection_dim=20, hidden_act="quick_gelu")
    ours = load_vision(saved(reference, tmp_path / "clip.safetensors"))
    theirs = reference(picture(), output_hidden_states=True)
    seen = ours(picture())
    assert seen.pooled is not None
    assert error(seen.last, theirs.last_hidden_state) < 1e-4
    assert error(seen.penultimate, theirs.hidden_states[-2]) < 1e-4
    assert error(seen.pooled, theirs.image_embeds) < 1e-4


@torch.no_grad()
def test_siglip_sees_what_transformers_sees(tmp_path: Path) -> None:
    """Its vectors come normalised; its own way to one vector is passed over."""
    reference = tower("Siglip")
    ours = load_vision(saved(reference, tmp_path / "siglip.safetensors"))
    theirs = reference(picture(), output_hidden_states=True)
    assert error(ours(picture()).last, theirs.last_hidden_state) < 1e-4
    assert ours(picture()).pooled is None


@torch.no_grad()
def test_redux_says_what_diffusers_says(tmp_path: Path) -> None:
    """The same words for the same patches."""
    peer: Any = import_module("diffusers.pipelines.flux.modeling_flux").ReduxImageEncoder
    reference = peer(redux_dim=32, txt_in_features=16)
    randomised(reference, 4)
    tensors = {name: tensor.contiguous() for name, tensor in reference.state_dict().items()}
    save_checkpoint(tmp_path / "redux.safetensors", tensors, {})
    seen = torch.randn(1, 9, 32, generator=torch.Generator().manual_seed(1))
    ours = load_style(tmp_path / "redux.safetensors")
    assert error(ours(seen), reference(seen).image_embeds) < 1e-4


def test_a_picture_is_made_ready_as_clip_was_trained() -> None:
    """A grey one is grey, less the mean, over the deviation; the middle square is taken."""
    grey = torch.full((1, 3, 30, 50), 128 / 255)
    wanted = (128 / 255 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_DEVIATION)
    ready = prepared(grey, VisionConfig(side_px=28))
    torch.testing.assert_close(ready, wanted[None, :, None, None].expand(1, 3, 28, 28))
    split = torch.zeros(1, 3, 20, 60)
    split[..., 20:40] = 1
    config = VisionConfig(side_px=20, classed=False)
    torch.testing.assert_close(prepared(split, config), torch.ones(1, 3, 20, 20))
    assert prepared(split, config, cropped=False)[..., :5].max() < 0


@pytest.mark.parametrize("load", [load_vision, load_style])
def test_a_file_of_something_else_is_refused(load: Any, tmp_path: Path) -> None:
    """The message names what was looked for."""
    save_checkpoint(tmp_path / "a.safetensors", {"a": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError, match=r"it holds no (vision tower|style model) known here"):
        load(tmp_path / "a.safetensors")
