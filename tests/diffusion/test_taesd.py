"""The tiny autoencoder: its published names, against diffusers, and its halves."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.peers import error
from torch import Tensor

from safelight.diffusion.families import load_vae
from safelight.diffusion.latent import FLUX, SD1, SDXL
from safelight.diffusion.taesd import (
    HalfMissing,
    TinyAutoencoder,
    TinyConfig,
    TinyDecoder,
    TinyEncoder,
)
from safelight.diffusion.taesd_file import DECODER, ENCODER, load_tiny_decoder
from safelight.diffusion.weights import CheckpointError, save_checkpoint

SMALL = TinyConfig(latent_channels=4, width=8)


def halves(config: TinyConfig = SMALL) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random weights of both halves under their author's names."""
    encoder, decoder = TinyEncoder(config), TinyDecoder(config)
    randomised(encoder, 1)
    randomised(decoder, 2)
    return ENCODER.exported(encoder, config), DECODER.exported(decoder, config)


def saved(folder: Path, name: str, config: TinyConfig = SMALL) -> Path:
    """Both halves in files side by side; returns the decoder's."""
    for half, tensors in zip(("encoder", "decoder"), halves(config), strict=True):
        save_checkpoint(folder / f"{name}_{half}.safetensors", tensors, {})
    return folder / f"{name}_decoder.safetensors"


def tiny(path: Path) -> TinyAutoencoder:
    """Open a tiny autoencoder."""
    network = load_vae(path)
    assert isinstance(network, TinyAutoencoder)
    return network


def peer(encoder: dict[str, Tensor], decoder: dict[str, Tensor]) -> Any:
    """diffusers' tiny autoencoder with the same weights; it counts the decoder from 0."""
    diffusers: Any = import_module("diffusers")
    width = SMALL.width
    network = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(width,) * 4, decoder_block_out_channels=(width,) * 4
    )
    theirs = {f"encoder.layers.{name}": tensor for name, tensor in encoder.items()}
    for name, tensor in decoder.items():
        number, _, rest = name.partition(".")
        theirs[f"decoder.layers.{int(number) - 1}.{rest}"] = tensor
    network.load_state_dict(theirs)
    return network.eval()


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_names_and_shapes_are_the_published_ones(reference: Path, half: str) -> None:
    """All 67 of each half."""
    encoder, decoder = halves(TinyConfig())
    named = encoder if half == "encoder" else decoder
    wanted = json.loads((reference / "layouts" / f"taesd-{half}.json").read_text())
    assert {name: list(tensor.shape) for name, tensor in named.items()} == wanted


@torch.no_grad()
def test_it_equals_diffusers(tmp_path: Path) -> None:
    """The latents of a picture and the picture of latents, which diffusers calls scaled."""
    ours, reference = tiny(saved(tmp_path, "taesd")), peer(*halves())
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 32, 48, generator=draw) * 2 - 1
    latent = torch.randn(1, 4, 4, 6, generator=draw) * 2
    assert error(SD1.to_diffusion(ours.encode(image).mean), reference.encode(image).latents) < 1e-4
    drawn = ours.decode(SD1.to_autoencoder(latent))
    assert error(drawn, reference.decode(latent).sample) < 1e-4


@torch.no_grad()
def test_a_file_of_diffusers_is_read_too(tmp_path: Path) -> None:
    """Both halves in one file."""
    tensors = {name: tensor.contiguous() for name, tensor in peer(*halves()).state_dict().items()}
    save_checkpoint(tmp_path / "taesdxl.safetensors", tensors, {})
    whole = tiny(tmp_path / "taesdxl.safetensors")
    apart = tiny(saved(tmp_path, "taesdxl"))
    latent = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole.decode(latent), apart.decode(latent))
    assert whole.format is apart.format is SDXL


def test_its_name_says_whose_latents_it_draws(tmp_path: Path) -> None:
    """An unknown name is guessed by the channels."""
    assert tiny(saved(tmp_path, "taef1", replace(SMALL, latent_channels=16))).format is FLUX
    assert not tiny(saved(tmp_path, "mine")).format.certain


def test_a_lone_half_does_its_half(tmp_path: Path) -> None:
    """The other is refused by a name of its own."""
    path = saved(tmp_path, "taesd")
    (tmp_path / "taesd_encoder.safetensors").rename(tmp_path / "other.safetensors")
    decoder = tiny(path)
    assert decoder.decode(torch.zeros(1, 4, 2, 2)).shape == (1, 3, 16, 16)
    with pytest.raises(HalfMissing, match="came without its encoder: it only decodes"):
        decoder.encode(torch.zeros(1, 3, 16, 16))
    with pytest.raises(HalfMissing, match="came without its decoder: it only encodes"):
        tiny(tmp_path / "other.safetensors").decode(torch.zeros(1, 4, 2, 2))


def test_what_is_no_tiny_decoder_is_refused(tmp_path: Path) -> None:
    """Such as its other half."""
    saved(tmp_path, "taesd")
    with pytest.raises(CheckpointError, match="it holds no tiny decoder"):
        load_tiny_decoder(tmp_path / "taesd_encoder.safetensors")


def test_a_picture_of_an_odd_size_is_refused(tmp_path: Path) -> None:
    """As by the large autoencoder."""
    with pytest.raises(ValueError, match="a 20x16 picture cannot be encoded: want multiples of 8"):
        tiny(saved(tmp_path, "taesd")).encode(torch.zeros(1, 3, 16, 20))
