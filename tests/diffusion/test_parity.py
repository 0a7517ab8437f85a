"""Our networks against the reference implementations, same weights, float32.

The weights leave our networks through the single-file names and enter the reference
through *its* reading of those names, so the tables are checked by somebody else's.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.networks import NARROW, SMALL, Sizes, text_encoder, unet, vae
from tests.diffusion.peers import diffusers_unet, diffusers_vae, error
from torch import Tensor

from safelight.diffusion.families import load_vae, sd1_single_file
from safelight.diffusion.weights import save_checkpoint

BOTH = [pytest.param(NARROW, id="narrow"), pytest.param(SMALL, id="small")]


def file_of(sizes: Sizes) -> dict[str, Tensor]:
    """The three networks under the names of a single-file checkpoint."""
    return sd1_single_file(unet(sizes), text_encoder(sizes), vae(sizes))


def transformers_clip(sizes: Sizes, tensors: dict[str, Tensor]) -> Any:
    """Build transformers' text tower of these sizes and load the file into it."""
    transformers: Any = import_module("transformers")
    config = sizes.text
    reference = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.width,
            intermediate_size=4 * config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            bos_token_id=config.vocabulary - 2,
            eos_token_id=config.vocabulary - 1,
        )
    )
    below = "cond_stage_model.transformer."
    named = {name.removeprefix(below): t for name, t in tensors.items() if name.startswith(below)}
    if "embeddings.token_embedding.weight" in reference.state_dict():  # since version 5
        named = {name.removeprefix("text_model."): tensor for name, tensor in named.items()}
    reference.load_state_dict(named)
    return reference.eval()


@pytest.mark.parametrize("sizes", BOTH)
@torch.no_grad()
def test_unet_equals_diffusers(sizes: Sizes) -> None:
    """Same latent, time and prompt: the same answer, for pictures that are not square too."""
    reference = diffusers_unet(sizes.unet, file_of(sizes))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 16, 24, generator=generator)
    context = torch.randn(2, 77, sizes.unet.context_width, generator=generator)
    timestep = torch.tensor([3.0, 950.0])
    theirs = reference(x, timestep, context).sample
    assert error(unet(sizes)(x, timestep, context), theirs) < 1e-4


@pytest.mark.parametrize("sizes", BOTH)
@torch.no_grad()
def test_autoencoder_equals_diffusers(sizes: Sizes) -> None:
    """Mean and deviation of the latent, and the picture drawn from one."""
    ours, reference = vae(sizes), diffusers_vae(sizes.vae, file_of(sizes))
    image = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    gaussian, theirs = ours.encode(image), reference.encode(image).latent_dist
    assert error(gaussian.mean, theirs.mean) < 1e-4
    assert error(gaussian.std, theirs.std) < 1e-4
    latent = gaussian.sample(torch.ones_like(gaussian.mean))
    assert error(ours.decode(latent), reference.decode(latent).sample) < 1e-4


@pytest.mark.parametrize("sizes", BOTH)
@torch.no_grad()
def test_text_encoder_equals_transformers(sizes: Sizes) -> None:
    """Every position, at the last layer and with one layer skipped."""
    ours, reference = text_encoder(sizes), transformers_clip(sizes, file_of(sizes))
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, sizes.text.vocabulary, (2, 77), generator=generator)
    theirs = reference(ids, output_hidden_states=True)
    assert error(ours(ids), theirs.last_hidden_state) < 1e-4
    final_norm = getattr(reference, "text_model", reference).final_layer_norm
    skipped = final_norm(theirs.hidden_states[-2])
    assert error(ours(ids, skip_last=1), skipped) < 1e-4


@torch.no_grad()
def test_an_autoencoder_comes_back_under_the_names_of_diffusers(tmp_path: Path) -> None:
    """The library's own tensors, saved as it saves them, decode as ours do."""
    reference = diffusers_vae(NARROW.vae, file_of(NARROW))
    tensors = {name: tensor.contiguous() for name, tensor in reference.state_dict().items()}
    save_checkpoint(tmp_path / "vae.safetensors", tensors, {})
    latent = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    ours = load_vae(tmp_path / "vae.safetensors")
    assert error(ours.decode(latent), reference.decode(latent).sample) < 1e-4
