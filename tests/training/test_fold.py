import pytest
import torch

from safelight.diffusion.latent import SD1
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.training.fold import fold_scale


def an_autoencoder() -> tuple[AutoencoderKL, torch.Tensor]:
    """A small one in double precision, and pictures for it."""
    torch.manual_seed(0)
    network = AutoencoderKL(VAEConfig(width=8, multipliers=(1, 2), blocks=1, groups=2)).double()
    return network.requires_grad_(False), torch.rand(4, 3, 32, 32, dtype=torch.float64) * 2 - 1


def test_folding_the_scale_changes_no_picture() -> None:
    """decode(encode(x)) is the same before and after, also from samples with noise."""
    network, pictures = an_autoencoder()
    before = network.encode(pictures)
    std = before.mean.std((0, 2, 3))
    folded = fold_scale(network, before.mean.mean((0, 2, 3)), std)
    after = folded.encode(pictures)
    noise = torch.randn(before.mean.shape, dtype=torch.float64)
    wanted = network.decode(before.sample(noise))
    torch.testing.assert_close(folded.decode(after.sample(noise)), wanted)


def test_folded_latents_times_the_scale_are_standard() -> None:
    """Each channel has mean 0 and deviation 1 after multiplication by 0.18215."""
    network, pictures = an_autoencoder()
    raw = network.encode(pictures).mean
    folded = fold_scale(network, raw.mean((0, 2, 3)), raw.std((0, 2, 3)))
    scaled = SD1.to_diffusion(folded.encode(pictures).mean)
    torch.testing.assert_close(scaled.mean((0, 2, 3)), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(scaled.std((0, 2, 3)), torch.ones(4, dtype=torch.float64))


def test_folding_leaves_the_given_network_alone() -> None:
    """The result is a new network."""
    network, pictures = an_autoencoder()
    before = network.encode(pictures).mean
    fold_scale(network, torch.ones(4).double(), torch.full((4,), 2.0).double())
    torch.testing.assert_close(network.encode(pictures).mean, before, rtol=0, atol=0)


def test_an_autoencoder_without_those_convolutions_is_refused() -> None:
    """There is nothing that could hold the scale."""
    network = AutoencoderKL(VAEConfig(width=8, multipliers=(1, 2), groups=2, mixed=False))
    with pytest.raises(ValueError, match=r"^only a convolution with a bias beside the latent can"):
        fold_scale(network, torch.zeros(4), torch.ones(4))
