"""Guidance by asking the network in another way: by a weaker self, or within attention."""

from typing import Any

import pytest
import torch
from tests.diffusion.guidance_parts import SCHEDULE, SIGMA, C, plain
from tests.diffusion.networks import SMALL, unet
from tests.diffusion.peers import error
from torch import Tensor

from safelight.diffusion.change import CannotChange, retold
from safelight.diffusion.changes.attention import identity
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import Guided, Technique, guided
from safelight.diffusion.guides import (
    blurred,
    negative,
    weaker,
)


def asked(w: float, **fields: Any) -> Guided:
    """A small U-Net told two prompts."""
    network = unet(SMALL)
    model = LatentModel(network, SCHEDULE, "v", **fields)
    draw = torch.Generator().manual_seed(3)
    first, second = (torch.randn(1, 7, 32, generator=draw) for _ in range(2))
    return guided(model.told(Conditioning(first)), model.told(Conditioning(second)), w)


def state() -> tuple[Tensor, Tensor]:
    """A latent large enough for three resolutions, and its noise."""
    draw = torch.Generator().manual_seed(5)
    return torch.randn(2, 4, 16, 16, generator=draw) * 3, SIGMA.float()


@torch.no_grad()
def test_a_weaker_self_pushes_away_from_its_mistakes() -> None:
    """D + s (C - P), at scale 1 too, where the negative stays unasked."""
    x, sigma = state()
    ask = asked(1.0)
    push = weaker.weakened(ask, identity, 3.0)
    alone = ask.positive(x, sigma)
    worse = retold(ask.positive, identity)(x, sigma)
    assert error(worse, alone) > 1e-3
    torch.testing.assert_close(push(x, sigma), alone + 3 * (alone - worse))


@torch.no_grad()
def test_self_attention_guidance_overhears_and_pushes() -> None:
    """Scale 0 is plain; a blur of no width is nothing to push away from."""
    x, sigma = state()
    plainly = asked(4.0)(x, sigma)
    assert torch.equal(blurred.blur_guided(asked(4.0), 0.0, 2.0)(x, sigma), plainly)
    sharp = blurred.blur_guided(asked(4.0), 0.75, 0.0)(x, sigma)
    torch.testing.assert_close(sharp, plainly, rtol=1e-4, atol=1e-4)
    assert error(blurred.blur_guided(asked(4.0), 0.75, 2.0)(x, sigma), plainly) > 1e-4


def test_a_blur_spreads_a_point_over_nine_pixels_and_keeps_what_is_even() -> None:
    """As a Gauss curve: neighbours in the ratio exp(-1 / 2 deviation^2)."""
    point = torch.zeros(1, 1, 16, 16)
    point[..., 8, 8] = 1
    soft = blurred.softened(point, 1.5)[0, 0]
    assert float(soft[8, 9] / soft[8, 8]) == pytest.approx(torch.tensor(-1 / 4.5).exp().item())
    assert bool((soft > 0).nonzero().shape[0] == 81)
    even = torch.full((1, 2, 16, 16), 0.7)
    torch.testing.assert_close(blurred.softened(even, 1.5), even)


def test_only_where_attention_looks_is_blurred() -> None:
    """The right half is looked at by all pixels, the left by none."""
    attention = torch.zeros(2, 3, 16, 16).double()
    attention[..., [2, 3, 6, 7, 10, 11, 14, 15]] = 1 / 8
    out = blurred.blurred_where(C, attention, 2.0)
    assert torch.equal(out[..., :4], C[..., :4])
    assert torch.equal(out[..., 4:], blurred.softened(C, 2.0)[..., 4:])


@torch.no_grad()
def test_a_negative_said_within_attention() -> None:
    """Scale 0 and mix 0 say nothing; a negative equal to the positive says nothing either."""
    x, sigma = state()
    ask = asked(1.0)
    alone = ask(x, sigma)
    for silent in (
        negative.attention_guided(ask, 0.0),
        negative.attention_guided(ask, 4.0, mix=0.0),
        negative.attention_guided(guided(ask.positive, ask.positive, 1.0), 4.0),
    ):
        torch.testing.assert_close(silent(x, sigma), alone, rtol=1e-4, atol=1e-5)
    assert error(negative.attention_guided(ask, 4.0)(x, sigma), alone) > 1e-4


@pytest.mark.parametrize(
    "technique",
    [
        lambda d: weaker.weakened(d, identity, 1.0),
        lambda d: blurred.blur_guided(d, 1.0, 2.0),
        lambda d: negative.attention_guided(d, 1.0),
    ],
)
def test_what_is_no_network_cannot_be_asked_otherwise(technique: Technique) -> None:
    """Refused when the technique is applied."""
    with pytest.raises(CannotChange, match="only a network that has been told something can"):
        technique(plain())
