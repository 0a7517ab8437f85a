"""Training the autoencoder, and polishing its decoder afterwards.

Together, the encoder and the decoder learn to lose little:

    loss = |d| + 2 d^2 + 0.4 |grad d| + w (|pool_4 d| + |pool_8 d|) + 2e-4 KL

where d is the drawn picture minus the given one, |.| a mean of absolute
values, grad the difference of neighbouring pixels (it keeps outlines sharp),
pool_n the mean over n x n pixels (it brings the colours in early), and KL the
pull of the latents towards N(0, 1), kept weak.  The first half of the run sees
crops, which are cheap and teach texture; the second half whole pictures.

Later the encoder is frozen, because diffusion is trained on its latents, and
the decoder alone learns on, from latents with a little noise added: those that
a sampler hands it are not perfect either.

Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.1; the weights of the
terms were found by trial.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.vae import AutoencoderKL, Gaussian, VAEConfig
from safelight.training.loop import Pace
from safelight.training.pictures import Pictures
from safelight.training.place import place_of
from safelight.training.sheet import save_sheet

# Eight channels a group at the widest resolution: fewer leave the colours behind.
CONFIG = VAEConfig(latent_channels=4, width=24, multipliers=(1, 2, 4, 4), blocks=1, groups=3)
PACE = Pace(batch=8, muon=0.02, adamw=2e-3, flat=0.5, average=0.98)
POLISH_PACE = Pace(batch=8, muon=0.01, adamw=1e-3, flat=0.3, average=0.98)

CROP_PX = 64
CROPS_UNTIL = 0.5  # share of the run
COLOUR_FIRST_UNTIL = 0.3  # share of the run in which the pooled terms weigh most
NOISE = 0.12  # most noise added while polishing, in standard deviations of the latents
SHOWN = 16  # held-out pictures in a contact sheet
MEASURED = 64  # held-out pictures behind a figure


@dataclass(frozen=True, slots=True)
class Errors:
    """The weights of the terms of the loss; see the module docstring."""

    square: float = 2.0
    edges: float = 0.4
    colour: float = 1.0


def picture_loss(
    drawn: Float[Tensor, "B 3 H W"], given: Float[Tensor, "B 3 H W"], errors: Errors
) -> Float[Tensor, ""]:
    """How far the drawn pictures are from the given ones, without the KL term."""
    d = drawn.float() - given
    across = (d[..., 1:] - d[..., :-1]).abs().mean()
    down = (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
    pooled = F.avg_pool2d(d, 4).abs().mean() + F.avg_pool2d(d, 8).abs().mean()
    return (
        d.abs().mean()
        + errors.square * d.square().mean()
        + errors.edges * (across + down)
        + errors.colour * pooled
    )


def divergence(latents: Gaussian) -> Float[Tensor, ""]:
    """KL(latents || N(0, 1)), the mean over all numbers of the latents."""
    mean, std = latents.mean.float(), latents.std.float()
    return 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).mean()


def psnr(drawn: Float[Tensor, "B 3 H W"], given: Float[Tensor, "B 3 H W"]) -> float:
    """Peak signal-to-noise ratio in dB, the mean over pictures in -1..1."""
    error = ((drawn.clamp(-1, 1) - given) / 2).square().mean(dim=(1, 2, 3))
    return float((-10 * error.log10()).mean())


class AutoencoderStage:
    """Encoder and decoder learn together."""

    name = "autoencoder"

    def __init__(self, pictures: Pictures, config: VAEConfig = CONFIG) -> None:
        self.pictures = pictures
        self.network = AutoencoderKL(config)

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Encode and decode `count` pictures, or as many pixels in crops."""
        place = place_of(self.network)
        given = self._choose(count, draw, spent < CROPS_UNTIL).to(place)
        latents = self.network.encode(given)
        noise = torch.randn(latents.mean.shape, generator=draw).to(place)
        drawn = self.network.decode(latents.mean + latents.std * noise)
        errors = Errors(colour=1.0 if spent < COLOUR_FIRST_UNTIL else 0.3)
        return picture_loss(drawn, given, errors) + 2e-4 * divergence(latents)

    def report(self, folder: Path) -> dict[str, float]:
        """Measure the picture quality on held-out pictures, and show some."""
        place = place_of(self.network)
        given = self.pictures.held_out(MEASURED).to(place)
        with torch.autocast(place.type, torch.bfloat16):
            latents = self.network.encode(given)
            drawn = self.network.decode(latents.mean).float()
        save_before_and_after(folder, given, drawn)
        return {"psnr_db": psnr(drawn, given), "latent_std": float(latents.mean.float().std())}

    def _choose(self, count: int, draw: torch.Generator, crops: bool) -> Float[Tensor, "B 3 H W"]:
        if not crops:
            return self.pictures.batch(self.pictures.choose(count, draw))
        many = count * (self.pictures.size_px // CROP_PX) ** 2
        return self.pictures.crops(self.pictures.choose(many, draw), CROP_PX, draw)


class PolishStage:
    """The decoder learns on from the latents of a frozen encoder."""

    name = "polish"

    def __init__(
        self, pictures: Pictures, latents: Float[Tensor, "N z h w"], network: AutoencoderKL
    ) -> None:
        self.pictures, self.latents, self.network = pictures, latents, network
        self.spread = float(latents[:1000].float().std())
        network.requires_grad_(False)
        network.decoder.requires_grad_(True)

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Draw `count` pictures from slightly noisy latents."""
        chosen = self.pictures.choose(count, draw)
        latents = self.latents[chosen].float()
        strength = NOISE * self.spread * torch.rand(count, 1, 1, 1, generator=draw)
        noisy = latents + strength * torch.randn(latents.shape, generator=draw)
        place = place_of(self.network)
        drawn = self.network.decode(noisy.to(place))
        return picture_loss(drawn, self.pictures.batch(chosen).to(place), Errors(colour=0.0))

    def report(self, folder: Path) -> dict[str, float]:
        """Measure the picture quality on held-out pictures, and show some."""
        place = place_of(self.network)
        given = self.pictures.held_out(MEASURED).to(place)
        with torch.autocast(place.type, torch.bfloat16):
            drawn = self.network.decode(self.latents[-MEASURED:].to(place).float()).float()
        save_before_and_after(folder, given, drawn)
        return {"psnr_db": psnr(drawn, given)}


def save_before_and_after(
    folder: Path, given: Float[Tensor, "B 3 H W"], drawn: Float[Tensor, "B 3 H W"]
) -> None:
    """Save a sheet whose odd rows are given pictures and whose even rows are drawn ones."""
    rows = [torch.split(part[:SHOWN].cpu(), SHOWN // 2) for part in (given, drawn)]
    mixed = torch.cat([row for pair in zip(*rows, strict=True) for row in pair])
    save_sheet(folder / "sheet.png", mixed, columns=SHOWN // 2)
