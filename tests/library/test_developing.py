"""Pictures are developed in tiles when asked for, or when memory runs out."""

import pytest
import torch

from safelight.diffusion import conditioning, headroom, tiling
from safelight.diffusion.latent import FLUX, SD1
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.graph.node import NullContext
from safelight.library.inpainting import InpaintModelConditioning, shown
from safelight.library.latent import VAEDecode, VAEEncode
from safelight.library.latent_developing import (
    VAEDecodeTiled,
    VAEEncodeForInpaint,
    VAEEncodeTiled,
)
from safelight.library.values import Conditioning, Image, Latent, Mask, Vae

CTX = NullContext()


@pytest.fixture
def vae() -> Vae:
    """A small autoencoder."""
    torch.manual_seed(0)
    network = AutoencoderKL(VAEConfig(width=8, blocks=1, groups=4)).eval().requires_grad_(False)
    return Vae(network, SD1)


def test_tiled_nodes_give_what_the_plain_ones_give(vae: Vae) -> None:
    """Both ways, to a thousandth and better."""
    latent = Latent(torch.randn(2, 4, 16, 20), SD1)
    whole = VAEDecode(samples=latent, vae=vae).run(CTX)
    tiled = VAEDecodeTiled(samples=latent, vae=vae, tile_size=64).run(CTX)
    torch.testing.assert_close(tiled.pixels, whole.pixels, atol=1e-4, rtol=0)
    back = VAEEncode(pixels=whole, vae=vae).run(CTX)
    tiles = VAEEncodeTiled(pixels=whole, vae=vae, tile_size=64).run(CTX)
    torch.testing.assert_close(tiles.samples, back.samples, atol=1e-4, rtol=1e-4)
    assert tiles.format is SD1


def test_a_picture_too_large_for_memory_is_developed_in_tiles(
    vae: Vae, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of a failed run; the picture is the same."""
    latent = Latent(torch.randn(1, 4, 8, 8), SD1)
    expected = VAEDecode(samples=latent, vae=vae).run(CTX)
    coded = VAEEncode(pixels=expected, vae=vae).run(CTX)

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AutoencoderKL, "decode", fail)
    monkeypatch.setattr(AutoencoderKL, "encode", fail)
    picture = VAEDecode(samples=latent, vae=vae).run(CTX)
    torch.testing.assert_close(picture.pixels, expected.pixels, atol=1e-4, rtol=0)
    again = VAEEncode(pixels=expected, vae=vae).run(CTX)
    torch.testing.assert_close(again.samples, coded.samples, atol=1e-4, rtol=1e-4)


def test_what_is_to_be_repainted_is_not_seen(vae: Vae) -> None:
    """Two pictures that differ only under the mask have one latent; the mask grows."""
    one = torch.rand(1, 64, 64, 3)
    two = one.clone()
    two[:, 16:32, 16:32] = 0
    hole = torch.zeros(1, 64, 64)
    hole[:, 16:32, 16:32] = 1
    a, b = (
        VAEEncodeForInpaint(pixels=Image(p), vae=vae, mask=Mask(hole), grow_mask_by=6).run(CTX)
        for p in (one, two)
    )
    assert torch.equal(a.samples, b.samples)
    assert a.mask is not None
    assert hole.sum() < a.mask.sum() == 21 * 21


def test_an_inpainting_model_is_shown_the_picture_without_the_hole(vae: Vae) -> None:
    """Mask first, then the latent in diffusion's scale; Flux sees all pixels of the mask."""
    told = Conditioning(conditioning.Conditioning(torch.zeros(1, 3, 5)))
    picture, hole = torch.rand(1, 64, 64, 3), torch.zeros(1, 64, 64)
    hole[:, 16:32, 16:32] = 1
    result = InpaintModelConditioning(
        positive=told, negative=told, vae=vae, pixels=Image(picture), mask=Mask(hole)
    ).run(CTX)
    beside = result.positive.whole.beside
    assert beside is not None
    assert beside.shape == (1, 5, 8, 8)
    assert beside[0, 0].sum() == 4
    seen = picture.clone()
    seen[:, 16:32, 16:32] = 0.5
    coded = VAEEncode(pixels=Image(seen), vae=vae).run(CTX).samples * SD1.scale
    torch.testing.assert_close(beside[:, 1:], coded)
    assert result.latent.mask is not None
    flux = shown(Latent(torch.zeros(1, 16, 8, 8), FLUX), hole[:, None])
    assert flux.shape == (1, 16 + 64, 8, 8)
    assert flux[0, 16:, 2, 2].min() == 1
    assert flux[0, 16:].sum() == hole.sum()


def test_what_would_exhaust_the_computer_is_not_begun(
    vae: Vae, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that would end the process instead of refusing is not given the chance."""
    latent = Latent(torch.randn(1, 4, 8, 8), SD1)
    expected = VAEDecode(samples=latent, vae=vae).run(CTX)
    assert isinstance(vae.network, AutoencoderKL)
    need = tiling.need(vae.network, 64 * 64, torch.float32)
    monkeypatch.setattr(AutoencoderKL, "decode", lambda *_: pytest.fail("it was begun"))
    monkeypatch.setattr(headroom, "left", lambda: need - 1)
    picture = VAEDecode(samples=latent, vae=vae).run(CTX)
    torch.testing.assert_close(picture.pixels, expected.pixels, atol=1e-4, rtol=0)


def test_tiles_wait_in_the_format_that_the_network_computes_in(vae: Vae) -> None:
    """In bfloat16 they take half the memory, and the picture is as near as the whole one."""
    half = NullContext(precision="bfloat16")
    latent = Latent(torch.randn(1, 4, 8, 8), SD1)
    exact = VAEDecode(samples=latent, vae=vae).run(NullContext(precision="float32"))
    tiled = VAEDecodeTiled(samples=latent, vae=vae, tile_size=64).run(half)
    assert tiled.pixels.dtype == torch.float32
    torch.testing.assert_close(tiled.pixels, exact.pixels, atol=0.02, rtol=0)
    back = VAEEncodeTiled(pixels=exact, vae=vae, tile_size=64).run(half)
    assert back.samples.dtype == torch.float32
