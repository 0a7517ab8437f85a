"""Stable Diffusion 1.5 at its real size, with random weights: does the whole path hold?"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from safelight.diffusion.families import Bundle, load_checkpoint
from safelight.diffusion.guidance import guided
from safelight.diffusion.memory import choose, resident
from safelight.diffusion.noise import initial, noise_for
from safelight.diffusion.path import ADDED
from safelight.diffusion.sampling import SAMPLERS
from safelight.diffusion.schedule import ksampler_sigmas
from safelight.diffusion.tokens import encode_prompt

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def file(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2 GB float16 file with the published names and shapes."""
    path = tmp_path_factory.mktemp("full") / "sd15.safetensors"
    maker = reference.parent / "tools" / "make_checkpoint.py"
    layout = reference / "layouts" / "sd15.json"
    subprocess.run([sys.executable, str(maker), str(layout), str(path)], check=True)
    return path


def developed(bundle: Bundle, device: str, precision: str) -> torch.Tensor:
    """Walk two steps with guidance at 256 x 256 and draw the picture."""
    placement = choose(device, precision)
    with resident(bundle.text_encoder, placement.for_text) as encoder:
        prompts = [encode_prompt(encoder, bundle.tokenizer, text) for text in ("a cat", "")]
    sigmas = ksampler_sigmas(bundle.schedule, "karras", 2)
    noise = initial(0, (1, 4, 32, 32)).to(placement.device)
    with resident(bundle.unet, placement) as network:
        model = bundle.model(network)
        denoise = guided(model.told(prompts[0]), model.told(prompts[1]), 7.0)
        x = ADDED.start(torch.zeros_like(noise), noise, sigmas[0], bundle.schedule.sigma_max)
        walk = SAMPLERS["euler"](denoise, x, sigmas, noise=noise_for("euler", 0, x, sigmas))
        *_, last = walk
    pictures = placement.for_pictures
    with resident(bundle.vae, pictures) as vae:
        return vae.decode(bundle.latent.to_autoencoder(last.x).to(pictures.dtype)).float()


@pytest.mark.timeout(600)
def test_a_full_size_file_is_developed_into_a_picture(file: Path) -> None:
    """From a mapped file to a finite picture, in the format this machine computes fastest."""
    pytest.importorskip("instant_clip_tokenizer", reason="the published file has no vocabulary")
    bundle = load_checkpoint(file)
    weights = (bundle.unet.stem.weight, bundle.vae.decoder.stem.weight)
    assert [weight.dtype for weight in weights] == [torch.float16, torch.float16]
    picture = developed(bundle, "cpu", "auto")
    assert picture.shape == (1, 3, 256, 256)
    assert bool(picture.isfinite().all())
    assert float(picture.std()) > 0
