"""Between latents and pictures: whole where memory allows, in tiles where it does not."""

from functools import partial

import torch
from torch import Tensor

from safelight.diffusion import memory, tiling
from safelight.diffusion.vae import AutoencoderKL
from safelight.graph.node import Context
from safelight.library.values import Image, Latent, Vae

FALLBACKS = (512, 256, 128)  # pixels of a tile's side, where memory ran out for the whole


def developed(ctx: Context, latent: Latent, vae: Vae, side: int | None = None) -> Image:
    """Decode one picture at a time, so that a large batch needs no more memory.

    With a `side` it is done in tiles of so many pixels; without, only if memory runs out.
    """
    raw = latent.fitting(vae.format, "VAE")
    place = memory.choose(ctx.device, ctx.precision).for_pictures
    with memory.resident(vae.network, place) as network:

        def whole(one: Tensor) -> Tensor:
            return network.decode(memory.converted(one, place)).float().cpu()

        def in_tiles(one: Tensor, side: int) -> Tensor:
            if not isinstance(network, AutoencoderKL):  # small enough not to need it
                return whole(one)
            return tiling.decoded(network, one.float().cpu(), side)

        def one_by_one(one: Tensor) -> Tensor:
            if side:
                return in_tiles(one, side)
            parts = (partial(in_tiles, one, side) for side in FALLBACKS)
            return tiling.sparing(partial(whole, one), *parts)

        pictures = [one_by_one(one) for one in raw[:, None]]
    return Image.from_planes((torch.cat(pictures) + 1) / 2)


def exposed(ctx: Context, planes: Tensor, vae: Vae, side: int | None = None) -> Latent:
    """Encode pictures [B, 3, H, W] in 0..1, one at a time, to the mean of what comes out.

    Sides that do not divide lose some pixels at both ends.  `side` is as in `developed`.
    """
    middle = divisible(planes, vae) * 2 - 1
    place = memory.choose(ctx.device, ctx.precision).for_pictures
    with memory.resident(vae.network, place) as network:

        def whole(one: Tensor) -> Tensor:
            return network.encode(memory.converted(one, place)).mean.float().cpu()

        def in_tiles(one: Tensor, side: int) -> Tensor:
            if not isinstance(network, AutoencoderKL):
                return whole(one)
            return tiling.encoded(network, one.float().cpu(), side).mean.float().cpu()

        def one_by_one(one: Tensor) -> Tensor:
            if side:
                return in_tiles(one, side)
            parts = (partial(in_tiles, one, side) for side in FALLBACKS)
            return tiling.sparing(partial(whole, one), *parts)

        means = [one_by_one(one) for one in middle[:, None]]
    return Latent(torch.cat(means), vae.format)


def divisible(planes: Tensor, vae: Vae) -> Tensor:
    """Return the middle of pictures, of the greatest size that the autoencoder can take."""
    factor = vae.network.config.downscale
    rows, columns = (side - side % factor for side in planes.shape[2:])
    top, left = ((side % factor) // 2 for side in planes.shape[2:])
    return planes[:, :, top : top + rows, left : left + columns]
