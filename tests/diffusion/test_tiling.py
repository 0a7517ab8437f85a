"""Tiles give what the whole gives."""

import pytest
import torch
from torch import Tensor

from safelight.diffusion import tiling
from safelight.diffusion.vae import AutoencoderKL, VAEConfig


@pytest.fixture(scope="module", params=[True, False])
def vae(request: pytest.FixtureRequest) -> AutoencoderKL:
    """A small autoencoder of random weights, with and without the mixing convolutions."""
    torch.manual_seed(0)
    config = VAEConfig(width=8, multipliers=(1, 2, 2), blocks=1, groups=4, mixed=request.param)
    network = AutoencoderKL(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return network


@pytest.mark.parametrize("side", [16, 20, 64, 4096])
def test_decoding_in_tiles_is_decoding(vae: AutoencoderKL, side: int) -> None:
    """Everywhere, not only inside of tiles, whatever their size."""
    latent = torch.randn(2, 4, 13, 18)
    torch.testing.assert_close(
        tiling.decoded(vae, latent, side), vae.decode(latent), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("side", [16, 17, 64, 4096])
def test_encoding_in_tiles_is_encoding(vae: AutoencoderKL, side: int) -> None:
    """The mean and the deviation agree."""
    image = torch.rand(2, 3, 52, 76)
    ours, whole = tiling.encoded(vae, image, side), vae.encode(image)
    torch.testing.assert_close(ours.mean, whole.mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.std, whole.std, atol=1e-4, rtol=1e-4)


def test_a_picture_that_does_not_divide_is_refused_in_tiles_too(vae: AutoencoderKL) -> None:
    """With the same words."""
    with pytest.raises(
        ValueError, match=r"^a 10x8 picture cannot be encoded: want multiples of 4$"
    ):
        tiling.encoded(vae, torch.zeros(1, 3, 8, 10), 16)


def test_every_pixel_is_in_exactly_one_tile() -> None:
    """Tiles cover a map without overlap; rims end where the map does."""
    seen = torch.zeros(1, 1, 37, 50)
    for tile in tiling.tiles(37, 50, 16):
        tile.of(seen).add_(1)
        rim = tile.with_rim(seen)
        grown = [
            own + 2 - sum(tile.missing[i : i + 2]) for i, own in ((2, tile.of(seen).shape[2]),)
        ]
        assert rim.shape[2] == grown[0]
    assert seen.min() == seen.max() == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_where_memory_runs_out_the_parts_are_taken(error: Exception) -> None:
    """Whatever the device calls it."""

    def whole() -> str:
        raise error

    assert tiling.sparing(whole, lambda: "parts") == "parts"


def test_other_mistakes_are_not_taken_for_lack_of_memory() -> None:
    """They are raised as they are."""

    def whole() -> str:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match=r"^shapes differ$"):
        tiling.sparing(whole, lambda: "parts")
    assert tiling.sparing(lambda: "whole", lambda: "parts") == "whole"


@pytest.mark.parametrize("size", [(8, 8), (20, 33), (64, 17)])
def test_blended_tiles_of_a_pointwise_function_are_the_whole(size: tuple[int, int]) -> None:
    """Where tiles agree it does not matter how they fade into one another."""

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3) * 3

    x = torch.rand(1, 3, *size)
    steps = list(tiling.blended(x, double, 16, 4))
    assert len(steps) == tiling.count(*size, 16, 4)
    torch.testing.assert_close(steps[-1], double(x))
