r"""A tiny autoencoder: to look at a latent many times on the way, not once at the end.

The autoencoder of a latent model takes as long as several steps of its denoiser.  A tiny one
learnt to draw the same latents with convolutions alone: no normalisation, no attention, the
same few channels at every resolution, one kind of block:

    block(x) = relu( x + conv(relu(conv(relu(conv(x))))) )
    decode   = conv, relu, 3 x (3 blocks, twice as large, conv), block, conv
    encode   = conv, block, 3 x (conv, half as large, 3 blocks), conv

It is a hundred times cheaper, and loses texture and small letters.  Its latents l are those
of diffusion, already scaled, and softly bounded before they are drawn, for a guess in the
middle of a walk may be far off:

    l = 3 tanh(l / 3)

Symbols: B batch, z latent channels, h x w latent pixels, H = 8 h, W = 8 w, C channels.

Source: Ollin Boer Bohan, TAESD (github.com/madebyollin/taesd, MIT), 2023.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.vae import Gaussian

LEVELS = 3  # halvings
BLOCKS = 3  # at each resolution but the picture's own
BOUND = 3.0  # standard deviations beyond which latents are bent back


@dataclass(frozen=True, slots=True)
class TinyConfig:
    """The sizes of a tiny encoder or decoder."""

    latent_channels: int = 4
    width: int = 64  # channels at every resolution

    @property
    def downscale(self) -> int:
        """Picture pixels along one side of a latent pixel."""
        return 2**LEVELS


class HalfMissing(ValueError):
    """A tiny autoencoder was asked for a half that its files do not hold."""


class Block(nn.Module):
    """Three convolutions beside a path that leads around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv3.weight)  # a fresh block changes nothing

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Refine a feature map."""
        h = F.relu(self.conv2(F.relu(self.conv1(x))))
        return F.relu(x + self.conv3(h))


class TinyDecoder(nn.Module):
    """Scaled latent -> picture in 0..1 (a little beyond at times)."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.Conv2d(config.latent_channels, width, 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(
                *(Block(width) for _ in range(BLOCKS)),
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
            )
            for _ in range(LEVELS)
        )
        self.last = Block(width)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, latent: Float[Tensor, "B z h w"]) -> Float[Tensor, "B 3 H W"]:
        """Draw."""
        h = F.relu(self.stem(torch.tanh(latent / BOUND) * BOUND))
        for level in self.levels:
            h = level(h)
        return self.conv_out(self.last(h))


class TinyEncoder(nn.Module):
    """Picture in 0..1 -> scaled latent."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.first = Block(width)
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
                *(Block(width) for _ in range(BLOCKS)),
            )
            for _ in range(LEVELS)
        )
        self.conv_out = nn.Conv2d(width, config.latent_channels, 3, padding=1)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B z h w"]:
        """Squeeze."""
        h = self.first(self.stem(image))
        for level in self.levels:
            h = level(h)
        return self.conv_out(h)


class TinyAutoencoder(nn.Module):
    """Both halves, or one, behind the signatures of `vae.AutoencoderKL`.

    Those speak of unscaled latents and of pictures in -1..1, so the scale of the family's
    latents is undone here.
    """

    def __init__(
        self, encoder: TinyEncoder | None, decoder: TinyDecoder | None, format: LatentFormat
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.format = format
        self.config = TinyConfig(format.channels)

    def encode(self, image: Float[Tensor, "B 3 H W"]) -> Gaussian:
        """Give the latents of pictures in -1..1; they are certain.

        Raises:
            HalfMissing: there is no encoder.
            ValueError: a side of the picture is not a multiple of 8.
        """
        if self.encoder is None:
            raise HalfMissing("this tiny autoencoder came without its encoder: it only decodes")
        height, width = image.shape[-2:]
        if height % self.config.downscale or width % self.config.downscale:
            wish = f"want multiples of {self.config.downscale}"
            raise ValueError(f"a {width}x{height} picture cannot be encoded: {wish}")
        mean = self.format.to_autoencoder(self.encoder((image + 1) / 2))
        return Gaussian(mean, torch.zeros_like(mean))

    def decode(self, latent: Float[Tensor, "B z h w"]) -> Float[Tensor, "B 3 H W"]:
        """Draw unscaled latents as pictures in -1..1.

        Raises:
            HalfMissing: there is no decoder.
        """
        if self.decoder is None:
            raise HalfMissing("this tiny autoencoder came without its decoder: it only encodes")
        return self.decoder(self.format.to_diffusion(latent)) * 2 - 1
