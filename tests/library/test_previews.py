"""What is shown on the way: a tiny decoder's picture where there is one."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from safelight.diffusion.latent import SD1
from safelight.diffusion.memory import Placement
from safelight.diffusion.taesd import TinyAutoencoder, TinyConfig, TinyDecoder, TinyEncoder
from safelight.diffusion.taesd_file import DECODER, ENCODER
from safelight.diffusion.weights import save_checkpoint
from safelight.graph.folders import FolderError, Folders
from safelight.graph.node import NullContext
from safelight.library.latent import VAEDecode, VAEEncode
from safelight.library.loading import VAELoader
from safelight.library.previews import Preview
from safelight.library.values import Image as Picture

CPU = Placement(torch.device("cpu"), torch.float32)
SMALL = TinyConfig(width=4)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A home whose tiny autoencoder `taesd` draws everything red."""
    made = Folders(tmp_path)
    made.create()
    decoder, encoder = TinyDecoder(SMALL), TinyEncoder(SMALL)
    with torch.no_grad():
        nn.init.zeros_(decoder.conv_out.weight)
        assert decoder.conv_out.bias is not None
        decoder.conv_out.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    place = made.directory("vae_approx")
    save_checkpoint(place / "taesd_decoder.safetensors", DECODER.exported(decoder, SMALL), {})
    save_checkpoint(place / "taesd_encoder.safetensors", ENCODER.exported(encoder, SMALL), {})
    return made


def shown(preview: Preview, side: int = 4) -> Image.Image:
    """The preview of a latent."""
    jpeg = preview.jpeg(torch.zeros(1, 4, side, side))
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def test_a_latent_is_shown_by_the_tiny_decoder_of_its_family(folders: Folders) -> None:
    """At the size of the picture."""
    picture = shown(Preview(SD1, folders, CPU))
    assert picture.size == (32, 32)
    red, green, blue = picture.getpixel((16, 16))  # type: ignore[misc]
    assert red > 240
    assert green < 15
    assert blue < 15


@pytest.mark.parametrize(
    "form", [replace(SD1, decoder=""), replace(SD1, decoder="missing"), replace(SD1, channels=16)]
)
def test_without_a_decoder_of_its_own_the_colours_of_the_latent_do(
    form: object, folders: Folders
) -> None:
    """Zeros are grey in Stable Diffusion 1's colours."""
    assert isinstance(form, type(SD1))
    assert Preview(form, folders, CPU).decoder is None


def test_a_large_latent_is_not_decoded_on_a_processor(folders: Folders) -> None:
    """A look would cost as much as a step."""
    red, green, _ = shown(Preview(SD1, folders, CPU), side=40).getpixel((16, 16))  # type: ignore[misc]
    assert abs(red - green) < 10


def test_a_damaged_decoder_does_not_stop_a_run(folders: Folders) -> None:
    """The colours stand in for it."""
    (folders.directory("vae_approx") / "taesd_decoder.safetensors").write_bytes(b"no")
    assert Preview(SD1, folders, CPU).decoder is None


def test_checkpoints_with_an_autoencoder_of_their_own_name_their_decoder() -> None:
    """Their colours are not the family's, so the family's decoder would not understand them."""
    own = ((0.0, 0.0, 0.0),) * 5
    assert SD1.with_preview(None, None).decoder == "taesd_decoder"
    assert SD1.with_preview(own, None).decoder == ""
    assert SD1.with_preview(own, "mine").decoder == "mine"


def test_two_files_are_one_autoencoder_on_wires(folders: Folders) -> None:
    """`taesd` is offered once both are there; pictures go in and out."""
    assert folders.names("vae") == ["taesd"]
    ctx = NullContext(folders)
    vae = VAELoader(vae_name="taesd").run(ctx)
    assert isinstance(vae.network, TinyAutoencoder)
    latent = VAEEncode(pixels=Picture(torch.rand(1, 16, 24, 3)), vae=vae).run(ctx)
    assert latent.format is SD1
    assert VAEDecode(samples=latent, vae=vae).run(ctx).pixels.shape == (1, 16, 24, 3)
    (folders.directory("vae_approx") / "taesd_encoder.safetensors").unlink()
    assert folders.names("vae") == []
    with pytest.raises(FolderError, match="there is no file 'taesd'"):
        folders.resolve("vae", "taesd")
