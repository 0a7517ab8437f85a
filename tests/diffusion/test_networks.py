import math

import pytest
import torch
from tests.diffusion.networks import SMALL, text_encoder, unet, vae
from torch import nn

from safelight.diffusion.attention import attend
from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.embedding import sinusoids
from safelight.diffusion.latent import SD1
from safelight.diffusion.residual import ResidualBlock, ResidualConfig
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL


def test_attention_is_softmax_of_scaled_products() -> None:
    """Against the formula written out, head by head."""
    q, k, v = (torch.randn(2, n, 8, generator=torch.Generator().manual_seed(n)) for n in (5, 6, 6))
    mixed = attend(q, k, v[:, :6], heads=2)
    for head in (slice(0, 4), slice(4, 8)):
        scores = q[..., head] @ k[..., head].mT / math.sqrt(4)
        torch.testing.assert_close(mixed[..., head], scores.softmax(-1) @ v[:, :6, head])


def test_causal_attention_hears_nothing_from_later_words() -> None:
    """Changing the last word changes no earlier vector of the prompt."""
    encoder: TextEncoder = text_encoder(SMALL)
    ids = torch.arange(10)[None]
    other = ids.clone()
    other[0, -1] = 50
    with torch.no_grad():
        before, after = encoder(ids), encoder(other)
    assert torch.equal(before[:, :-1], after[:, :-1])
    assert not torch.equal(before[:, -1], after[:, -1])


def test_skipping_all_layers_is_refused() -> None:
    """The message has both numbers."""
    with pytest.raises(ValueError, match=r"^cannot skip the last 2 of 2 layers of the text enc"):
        text_encoder(SMALL)(torch.arange(3)[None], skip_last=2)


def test_clock_hands_are_cosines_then_sines() -> None:
    """The first hand turns at speed 1, the last at 1/10000 of the way's end."""
    row = sinusoids(torch.tensor([2.0]), 4)[0]
    slow = 2 / math.sqrt(10_000)
    expected = [math.cos(2), math.cos(slow), math.sin(2), math.sin(slow)]
    assert row.tolist() == pytest.approx(expected, abs=1e-6)


def test_an_odd_time_embedding_is_refused() -> None:
    """Hands come in pairs."""
    with pytest.raises(ValueError, match=r"^the width of a time embedding must be even, got 5$"):
        sinusoids(torch.tensor([1.0]), 5)


def test_a_fresh_residual_block_passes_its_input_on() -> None:
    """Its second convolution starts at zero."""
    block = ResidualBlock(ResidualConfig(8, 8, time_width=4, groups=2))
    nn.init.zeros_(block.get_parameter("conv2.bias"))
    x = torch.randn(1, 8, 4, 4)
    torch.testing.assert_close(block(x, torch.randn(1, 4)), x)


@pytest.mark.parametrize(("clock", "time"), [(0, torch.ones(1, 4)), (4, None)])
def test_a_block_takes_a_time_only_if_it_has_a_clock(clock: int, time: torch.Tensor | None) -> None:
    """Both mismatches are refused."""
    block = ResidualBlock(ResidualConfig(8, 8, time_width=clock, groups=2))
    with pytest.raises(ValueError, match=r"^a residual block takes a time if and only if it has"):
        block(torch.ones(1, 8, 4, 4), time)


def test_a_fresh_unet_predicts_nothing() -> None:
    """Its last convolution starts at zero, so training starts from a neutral guess."""
    network = UNet(UNetConfig(width=8, multipliers=(1, 2), blocks=1, depths=(0, 1), groups=4))
    nn.init.zeros_(network.get_parameter("conv_out.bias"))
    answer = network(torch.randn(1, 4, 8, 8), torch.tensor([1.0]), torch.randn(1, 3, 768))
    assert answer.abs().max() == 0


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (6, 10)])
def test_a_unet_keeps_the_size_of_any_latent(size: tuple[int, int]) -> None:
    """Odd sides shrink by rounding up and come back exactly."""
    x = torch.randn(1, 4, *size)
    with torch.no_grad():
        answer = unet(SMALL)(x, torch.tensor([1.0]), torch.randn(1, 3, 32))
    assert answer.shape == x.shape


def test_pictures_of_a_batch_do_not_mix() -> None:
    """Each answer is what the picture would get alone, with its own time and prompt."""
    network = unet(SMALL)
    x, t, c = torch.randn(2, 4, 8, 8), torch.tensor([1.0, 900.0]), torch.randn(2, 5, 32)
    with torch.no_grad():
        alone = torch.cat([network(x[i : i + 1], t[i : i + 1], c[i : i + 1]) for i in (0, 1)])
        torch.testing.assert_close(network(x, t, c), alone, rtol=1e-4, atol=1e-5)


def test_an_autoencoder_goes_down_by_its_factor_and_up_again() -> None:
    """64 pixels are 8 latent pixels with three halvings."""
    network: AutoencoderKL = vae(SMALL)
    with torch.no_grad():
        gaussian = network.encode(torch.zeros(1, 3, 64, 32))
        assert gaussian.mean.shape == (1, 4, 8, 4)
        assert network.decode(gaussian.mean).shape == (1, 3, 64, 32)
    torch.testing.assert_close(gaussian.sample(torch.zeros(1, 4, 8, 4)), gaussian.mean)


def test_a_picture_that_does_not_divide_is_refused() -> None:
    """The message has the size and the wish."""
    with pytest.raises(
        ValueError, match=r"^a 30x64 picture cannot be encoded: want multiples of 8$"
    ):
        vae(SMALL).encode(torch.zeros(1, 3, 64, 30))


def test_latent_scale_is_undone_exactly() -> None:
    """To diffusion and back is the identity; the scale is the published one."""
    raw = torch.randn(1, 4, 2, 2)
    torch.testing.assert_close(SD1.to_autoencoder(SD1.to_diffusion(raw)), raw)
    torch.testing.assert_close(SD1.to_diffusion(raw), raw * 0.18215)


def test_a_preview_is_a_small_picture_in_range() -> None:
    """Linear in the channels, offset by the last row, clamped to 0..1."""
    format = SD1.with_rgb(((1.0, 0.0, 0.0),) * 4 + ((0.0, 1.0, -1.0),))
    preview = format.preview(torch.full((1, 4, 2, 3), 0.1))
    assert preview.shape == (1, 2, 3, 3)
    torch.testing.assert_close(preview[0, 0, 0], torch.tensor([0.7, 1.0, 0.0]))
    assert SD1.with_rgb(None) is SD1
