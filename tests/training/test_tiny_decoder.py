"""The tiny decoder that comes with the package, for previews."""

import json

import torch

from safelight.diffusion.taesd_file import load_tiny_decoder
from safelight.diffusion.weights import open_checkpoint
from safelight.pretrained import BUILTIN
from safelight.training.decoder import CONFIG, NAME

FILE = BUILTIN["vae_approx"][f"{NAME}.safetensors"]


def test_it_is_small_and_says_how_well_it_draws() -> None:
    """Half precision, under 1.5 MB; over 20 dB where the colours of a latent reach 17."""
    checkpoint = open_checkpoint(FILE)
    assert FILE.stat().st_size < 1_500_000
    assert {checkpoint.tensors[name].dtype for name in checkpoint.shapes} == {torch.float16}
    assert json.loads(checkpoint.metadata["safelight.recipe"])["psnr_db"] > 20


@torch.no_grad()
def test_it_draws_pictures_eight_times_as_large_as_latents() -> None:
    """Of every size, also far from what is likely."""
    decoder = load_tiny_decoder(FILE).float()
    assert decoder.config == CONFIG
    drawn = decoder(torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(0)) * 20)
    assert drawn.shape == (2, 3, 40, 56)
    assert bool(drawn.isfinite().all())
