"""Between latents and pictures: whole where memory allows, in tiles where it does not."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from safelight.diffusion import memory, tiling
from safelight.diffusion.taesd import TinyAutoencoder
from safelight.diffusion.vae import AutoencoderKL
from safelight.graph.node import Context
from safelight.library.values import Image, Latent, Vae

FALLBACKS = (512, 256, 128)  # pixels of a tile's side, where memory is short


def developed(ctx: Context, latent: Latent, vae: Vae, side: int | None = None) -> Image:
    """Decode one picture at a time, so that a large batch needs no more memory.

    With a `side` it is done in tiles of so many pixels; without, only if memory is short.
    """
    raw = latent.fitting(vae.format, "VAE")
    place = memory.choose(ctx.device, ctx.precision).for_pictures
    pixels = raw[0, 0].numel() * vae.network.config.downscale**2
    with memory.resident(vae.network, place) as network:

        def whole(one: Tensor) -> Tensor:
            return network.decode(memory.converted(one, place)).float().cpu()

        def in_tiles(full: AutoencoderKL, one: Tensor, side: int) -> Tensor:
            return tiling.decoded(full, memory.converted(one, place).cpu(), side).float()

        work = Work(network, place, pixels, whole, in_tiles)
        pictures = [work.done(one, side) for one in raw[:, None]]
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

        def in_tiles(full: AutoencoderKL, one: Tensor, side: int) -> Tensor:
            latent = tiling.encoded(full, memory.converted(one, place).cpu(), side)
            return latent.mean.float().cpu()

        work = Work(network, place, middle[0, 0].numel(), whole, in_tiles)
        means = [work.done(one, side) for one in middle[:, None]]
    return Latent(torch.cat(means), vae.format)


@dataclass(frozen=True, eq=False)
class Work:
    """One direction of an autoencoder, as a whole and in tiles."""

    network: AutoencoderKL | TinyAutoencoder
    place: memory.Placement
    pixels: int  # of a picture
    whole: Callable[[Tensor], Tensor]
    in_tiles: Callable[[AutoencoderKL, Tensor, int], Tensor]

    def done(self, one: Tensor, side: int | None) -> Tensor:
        """Do it in tiles of a side, or as a whole and in tiles only if memory is short."""
        if not isinstance(self.network, AutoencoderKL):  # so small that it needs no tiles
            return self.whole(one)
        if side:
            return self.in_tiles(self.network, one, side)
        on_cpu = self.place.device.type == "cpu"  # a GPU refuses by itself what it cannot do
        least = tiling.need(self.network, self.pixels, self.place.dtype) if on_cpu else 0
        parts = (partial(self.in_tiles, self.network, one, side) for side in FALLBACKS)
        return tiling.sparing(partial(self.whole, one), *parts, least=least)


def divisible(planes: Tensor, vae: Vae) -> Tensor:
    """Return the middle of pictures, of the greatest size that the autoencoder can take."""
    factor = vae.network.config.downscale
    rows, columns = (side - side % factor for side in planes.shape[2:])
    top, left = ((side % factor) // 2 for side in planes.shape[2:])
    return planes[:, :, top : top + rows, left : left + columns]
