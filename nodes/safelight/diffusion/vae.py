r"""The autoencoder: between pictures and the small latents that diffusion works in.

An encoder squeezes a picture x of 3 x 8h x 8w numbers into a Gaussian over latents of
z x h x w numbers (z = 4 in Stable Diffusion 1, 16 in Stable Diffusion 3 and Flux); a decoder
draws the picture again:

    q(l | x) = N(mean(x), std(x)^2)        encode
    x' = decode(l)                         decode

It is trained once, to lose nothing that the eye would miss, with a slight pull of
q(l | x) towards N(0, 1).  Diffusion then happens in a space 48 times smaller, and every
denoising step is that much cheaper.

Symbols: B batch, z latent channels, h x w latent pixels, H = 8 h, W = 8 w.

Source: Kingma & Welling 2013 (arXiv:1312.6114); Rombach et al. 2022 (arXiv:2112.10752),
section 3.1 and appendix G.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import attend
from safelight.diffusion.residual import ResidualBlock, ResidualConfig

EPSILON = 1e-6  # of every normalisation in this network


@dataclass(frozen=True, slots=True)
class VAEConfig:
    """The sizes of an autoencoder; the defaults are Stable Diffusion 1's."""

    latent_channels: int = 4
    width: int = 128  # channels at full resolution
    multipliers: tuple[int, ...] = (1, 2, 4, 4)  # times `width`, one level per halving
    blocks: int = 2  # residual blocks a level; the decoder has one more
    groups: int = 32
    mixed: bool = True  # a 1x1 convolution on either side of the latent; not in 16-channel models

    @property
    def downscale(self) -> int:
        """Picture pixels along one side of a latent pixel."""
        return 2 ** (len(self.multipliers) - 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, from full resolution down."""
        return tuple(self.width * multiplier for multiplier in self.multipliers)

    def residual(self, channels_in: int, channels_out: int) -> ResidualBlock:
        """One block of this network (without a clock)."""
        return ResidualBlock(
            ResidualConfig(channels_in, channels_out, groups=self.groups, epsilon=EPSILON)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """A normal distribution for every number of a latent."""

    mean: Float[Tensor, "B z h w"]
    std: Float[Tensor, "B z h w"]

    def sample(self, noise: Float[Tensor, "B z h w"]) -> Float[Tensor, "B z h w"]:
        """Move standard normal `noise` into this distribution."""
        return self.mean + self.std * noise


class PixelAttention(nn.Module):
    """Self-attention over all pixels with a single head, as 1x1 convolutions."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=EPSILON)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Let each pixel look at all others."""
        h = self.norm(x)
        q, k, v = (
            project(h).flatten(2).transpose(1, 2) for project in (self.query, self.key, self.value)
        )  # B HW C
        mixed = attend(q, k, v, heads=1)
        return x + self.out(mixed.transpose(1, 2).reshape(x.shape))


class Middle(nn.Module):
    """The bottom of encoder and decoder: the only place where far pixels meet."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        width = config.widths[-1]
        self.before = config.residual(width, width)
        self.attention = PixelAttention(width, config.groups)
        self.after = config.residual(width, width)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """Refine, exchange, refine."""
        return self.after(self.attention(self.before(x)))


class Shrink(nn.Module):
    """Halve the picture.  The original pads right and below only; files rely on it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H/2 W/2"]:
        """Take every second pixel of a convolution."""
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Grow(nn.Module):
    """Double the picture: repeat each pixel, then smooth with a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 2*H 2*W"]:
        """Nearest-neighbour upsampling followed by a convolution."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks at one resolution, then a change of resolution (or none)."""

    def __init__(
        self, config: VAEConfig, channels: tuple[int, int], blocks: int, resize: nn.Module
    ) -> None:
        super().__init__()
        c_in, c_out = channels
        self.blocks = nn.ModuleList(
            config.residual(c_in if i == 0 else c_out, c_out) for i in range(blocks)
        )
        self.resize = resize

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C_out H_out W_out"]:
        """Run the blocks, then resize."""
        for block in self.blocks:
            x = block(x)
        return self.resize(x)


class Encoder(nn.Module):
    """Picture -> mean and log-variance of its latent."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        widths, last = config.widths, len(config.widths) - 1
        self.stem = nn.Conv2d(3, config.width, 3, padding=1)
        self.levels = nn.ModuleList(
            Level(
                config,
                (widths[max(i - 1, 0)], width),
                config.blocks,
                Shrink(width) if i < last else nn.Identity(),
            )
            for i, width in enumerate(widths)
        )
        self.middle = Middle(config)
        self.norm_out = nn.GroupNorm(config.groups, widths[-1], eps=EPSILON)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.latent_channels, 3, padding=1)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B two_z h w"]:
        """Squeeze pictures in -1..1."""
        h = self.stem(image)
        for level in self.levels:
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(self.middle(h))))


class Decoder(nn.Module):
    """Latent -> picture; the encoder read backwards, with one block more a level."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        widths = config.widths[::-1]
        last = len(widths) - 1
        self.stem = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.middle = Middle(config)
        self.levels = nn.ModuleList(
            Level(
                config,
                (widths[max(i - 1, 0)], width),
                config.blocks + 1,
                Grow(width) if i < last else nn.Identity(),
            )
            for i, width in enumerate(widths)
        )
        self.norm_out = nn.GroupNorm(config.groups, widths[-1], eps=EPSILON)
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, latent: Float[Tensor, "B z h w"]) -> Float[Tensor, "B 3 H W"]:
        """Draw pictures in -1..1 (a little beyond at times: the caller clamps)."""
        h = self.middle(self.stem(latent))
        for level in self.levels:
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(h)))


class AutoencoderKL(nn.Module):
    """Encoder and decoder; 1x1 convolutions may stand on either side of the latent."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        z = config.latent_channels
        self.encoder = Encoder(config)
        self.to_moments = nn.Conv2d(2 * z, 2 * z, 1) if config.mixed else nn.Identity()
        self.from_latent = nn.Conv2d(z, z, 1) if config.mixed else nn.Identity()
        self.decoder = Decoder(config)

    def encode(self, image: Float[Tensor, "B 3 H W"]) -> Gaussian:
        """Give the distribution of the latents of pictures in -1..1.

        The latent is unscaled: `latent.LatentFormat` knows the factor that diffusion wants.

        Raises:
            ValueError: a side of the picture is not a multiple of the downscale factor.
        """
        self.check(image)
        return self.gaussian(self.encoder(image))

    def check(self, image: Float[Tensor, "B 3 H W"]) -> None:
        """Refuse a picture that cannot be encoded.

        Raises:
            ValueError: a side of the picture is not a multiple of the downscale factor.
        """
        factor = self.config.downscale
        height, width = image.shape[-2:]
        if height % factor or width % factor:
            raise ValueError(
                f"a {width}x{height} picture cannot be encoded: want multiples of {factor}"
            )

    def gaussian(self, encoded: Float[Tensor, "B two_z h w"]) -> Gaussian:
        """Read what the encoder said as a distribution."""
        mean, log_variance = self.to_moments(encoded).chunk(2, dim=1)
        # The bounds keep exp() finite; they are the original's.
        return Gaussian(mean, torch.exp(0.5 * log_variance.clamp(-30.0, 20.0)))

    def decode(self, latent: Float[Tensor, "B z h w"]) -> Float[Tensor, "B 3 H W"]:
        """Draw unscaled latents as pictures in -1..1."""
        return self.decoder(self.from_latent(latent))
