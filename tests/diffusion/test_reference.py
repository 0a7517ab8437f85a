"""Pixels that also listen to those of another picture."""

from collections.abc import Callable

import pytest
import torch
from tests.diffusion.networks import SMALL, unet
from torch import Tensor

from safelight.diffusion.attention import Attention
from safelight.diffusion.change import CannotChange, changed
from safelight.diffusion.changes.reference import Recalling, Reference, self_attentions
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.noise import initial
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.diffusion.unet import UNet

SCHEDULE = NoiseSchedule.of(scaled_linear())
SIGMA = SCHEDULE.sigmas[600].float()
LATENT = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8)


def words() -> Conditioning:
    """A prompt."""
    draw = torch.Generator().manual_seed(1)
    return Conditioning(torch.randn(1, 7, SMALL.unet.context_width, generator=draw))


def model(network: UNet) -> LatentModel:
    """A model of version 1."""
    return LatentModel(network, SCHEDULE, "eps")


def looking(network: UNet, latent: Tensor, weight: float) -> Callable[[Tensor], Tensor]:
    """A denoiser that looks at a reference."""
    change = Reference(model(network).told(words()), latent, weight, seed=3)
    seeing = LatentModel(changed(network, change), SCHEDULE, "eps")
    return lambda x: seeing.told(words())(x, SIGMA)


def noisy(latent: Tensor) -> Tensor:
    """A latent under the reference's own noise."""
    return SCHEDULE.path.noised(latent, initial(3, tuple(latent.shape)), SIGMA)


@torch.no_grad()
def test_a_picture_that_is_its_own_reference_is_drawn_as_ever() -> None:
    """Every key is there twice with the same score, so nothing changes."""
    network, x = unet(SMALL), noisy(LATENT)
    plain = model(network).told(words())(x, SIGMA)
    torch.testing.assert_close(looking(network, LATENT, 1.0)(x), plain, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_another_reference_is_heard_the_more_the_more_it_weighs() -> None:
    """And hardly at all with hardly any weight."""
    network, x = unet(SMALL), noisy(LATENT)
    plain = model(network).told(words())(x, SIGMA)
    other = LATENT.flip(2, 3)
    away = [float((looking(network, other, w)(x) - plain).norm()) for w in (1e-6, 0.3, 1.0)]
    assert away[0] < 1e-3 * away[2]
    assert away[0] < away[1] < away[2]


@torch.no_grad()
def test_the_reference_may_have_another_size_and_each_picture_hears_it() -> None:
    """A batch is answered as its pictures are alone."""
    network = unet(SMALL)
    look = looking(network, torch.ones(1, 4, 4, 12), 1.0)
    x = torch.cat([noisy(LATENT), noisy(-LATENT)])
    torch.testing.assert_close(look(x), torch.cat([look(x[:1]), look(x[1:])]), rtol=1e-4, atol=1e-4)


def test_both_pictures_are_asked_in_one_attention() -> None:
    """Softmax runs over all keys: what is recalled with weight w counts w times."""
    torch.manual_seed(0)
    attention = Attention(8, 2)
    x, other = torch.randn(1, 3, 8), torch.randn(1, 2, 8)
    thrice = attention(x, torch.cat([x, other, other, other], dim=1))
    torch.testing.assert_close(Recalling(attention, other, 3.0)(x), thrice)


def test_who_has_no_such_attention_is_refused() -> None:
    """By kind; and so is a network that looks at a reference already."""
    with pytest.raises(CannotChange, match=r"^Linear is no U-Net, which a reference is for$"):
        self_attentions(torch.nn.Linear(2, 2))
    network = unet(SMALL)
    change = Reference(model(network).told(words()), LATENT, 1.0, 3)
    twice = LatentModel(changed(network, change, change), SCHEDULE, "eps")
    with pytest.raises(CannotChange, match=r"altered already \(Recalling\)$"):
        twice.told(words())(noisy(LATENT), SIGMA)
