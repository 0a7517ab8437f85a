"""Training the tiny decoder: previews that look like the picture, for a fraction of its cost.

The tiny decoder D learns from latents l whose pictures are known:

    loss = the loss of the autoencoder's pictures, between 2 D(l + n) - 1 and the picture

with a little noise n, of a strength drawn anew for each, because in the middle of a walk
latents are guesses.  Convolutions see only what is near, so it learns from crops: as many
pixels a step, from more pictures.

Source: Ollin Boer Bohan, TAESD, 2023, who distils from a decoder; drawn pictures have no
texture that a decoder would have to be asked for, so ours learns from the pictures.
"""

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from safelight import __version__
from safelight.diffusion.taesd import TinyConfig, TinyDecoder
from safelight.diffusion.taesd_file import DECODER
from safelight.diffusion.weights import save_checkpoint
from safelight.training.autoencoder import (
    MEASURED,
    Errors,
    picture_loss,
    psnr,
    save_before_and_after,
)
from safelight.training.loop import Pace, load_average
from safelight.training.pictures import Pictures, to_tensor

NAME = "safelight-tiny-decoder"
CONFIG = TinyConfig(latent_channels=4, width=32)
PACE = Pace(batch=8, muon=0.01, adamw=1e-3, flat=0.4, average=0.98)
CROP = 8  # latent pixels along the side of what a step looks at
NOISE = 0.3  # most noise on a latent of unit deviation
COLOUR_FIRST_UNTIL = 0.3  # share of the run in which the pooled terms weigh most


class DecoderStage:
    """The tiny decoder learns to draw latents."""

    name = "decoder"

    def __init__(
        self,
        pictures: Pictures,
        latents: Float[Tensor, "N z h w"],
        config: TinyConfig = CONFIG,
    ) -> None:
        """Train on `latents` of unit deviation and the pictures they are of."""
        self.pictures, self.latents = pictures, latents
        self.factor = config.downscale
        self.network = TinyDecoder(config)

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Draw `count` crops from slightly noisy latents."""
        chosen = self.pictures.choose(count, draw)
        latents, given = self._crops(chosen, draw)
        strength = NOISE * torch.rand(count, 1, 1, 1, generator=draw)
        noisy = latents + strength * torch.randn(latents.shape, generator=draw)
        errors = Errors(colour=1.0 if spent < COLOUR_FIRST_UNTIL else 0.0)
        return picture_loss(self.network(noisy) * 2 - 1, given, errors)

    def report(self, folder: Path) -> dict[str, float]:
        """Measure the picture quality on held-out pictures, and show some."""
        given = self.pictures.held_out(MEASURED)
        with torch.autocast("cpu", torch.bfloat16):
            drawn = self.network(self.latents[-MEASURED:].float()).float() * 2 - 1
        save_before_and_after(folder, given, drawn)
        return {"psnr_db": psnr(drawn, given)}

    def _crops(self, chosen: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Cut the same square out of each latent and its picture."""
        side = min(CROP, self.latents.shape[-1])
        corners = torch.randint(self.latents.shape[-1] - side + 1, (len(chosen), 2), generator=draw)
        places = list(zip(chosen.tolist(), corners.tolist(), strict=True))
        latents = [self.latents[i, :, y : y + side, x : x + side].float() for i, (y, x) in places]
        f = self.factor
        pieces = [
            self.pictures.pixels[i, y * f : (y + side) * f, x * f : (x + side) * f]
            for i, (y, x) in places
        ]
        return torch.stack(latents), to_tensor(np.stack(pieces))


def export_decoder(state: Path, path: Path) -> None:
    """Write the decoder that a run left in `state` under its author's names."""
    network = TinyDecoder(CONFIG)
    kept = load_average(state, network)
    recipe = {
        "steps": kept["step"],
        "samples": kept["samples"],
        "minutes": round(kept["seconds"] / 60, 1),
        **{name: round(value, 2) for name, value in kept["figures"].items()},
    }
    metadata = {
        "safelight.name": NAME,
        "safelight.recipe": json.dumps(recipe),
        "safelight.version": __version__,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/vae",
        "modelspec.implementation": "safelight",
        "modelspec.title": "Safelight tiny decoder",
        "modelspec.license": "Apache-2.0",
    }
    tensors = {name: t.half() for name, t in DECODER.exported(network, CONFIG).items()}
    save_checkpoint(path, tensors, metadata)
