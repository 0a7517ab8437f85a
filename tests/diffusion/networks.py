"""Small networks with random weights, for tests."""

from dataclasses import dataclass

import torch
from torch import nn

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.settings import Settings
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig


@dataclass(frozen=True)
class Sizes:
    """The configs of three networks that belong together, and what a file says of them."""

    unet: UNetConfig
    text: TextConfig
    vae: VAEConfig
    settings: Settings


# Stable Diffusion 1's structure, narrow.
NARROW = Sizes(
    UNetConfig(width=32, context_width=64, heads=4),
    TextConfig(vocabulary=49408, width=64, layers=3, heads=4),
    VAEConfig(width=32),
    Settings(unet_heads=4, text_heads=4),
)

# Fewer levels, one block a level, attention only below, other groups: a drawn world's model.
SMALL = Sizes(
    UNetConfig(
        width=16,
        multipliers=(1, 2, 2),
        blocks=1,
        depths=(0, 1, 1),
        context_width=32,
        heads=2,
        groups=4,
    ),
    TextConfig(vocabulary=60, width=32, layers=2, heads=2),
    VAEConfig(width=8, multipliers=(1, 2, 4, 4), blocks=1, groups=4),
    Settings(prediction="v", unet_heads=2, unet_groups=4, vae_groups=4, text_heads=2),
)


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """Give every tensor, also those born as zeros, numbers that keep activations moderate."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            numbers = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(0.7 * numbers / parameter[0].numel() ** 0.5)
            else:
                centre = 1.0 if name.endswith("weight") else 0.0  # norms scale by about 1
                parameter.copy_(centre + 0.05 * numbers)
    return network.eval().requires_grad_(False)


def unet(sizes: Sizes) -> UNet:
    """A U-Net with random weights."""
    network = UNet(sizes.unet)
    randomised(network, 1)
    return network


def text_encoder(sizes: Sizes) -> TextEncoder:
    """A text encoder with random weights."""
    network = TextEncoder(sizes.text)
    randomised(network, 2)
    return network


def vae(sizes: Sizes) -> AutoencoderKL:
    """An autoencoder with random weights."""
    network = AutoencoderKL(sizes.vae)
    randomised(network, 3)
    return network
