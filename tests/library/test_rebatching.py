"""Pictures and latents are dealt out into batches of one size, in their order."""

import torch

from safelight.diffusion.latent import SD1
from safelight.graph.node import NullContext
from safelight.library.rebatching import RebatchImages, RebatchLatents
from safelight.library.values import Image, Latent, Mask

CTX = NullContext()


def test_pictures_of_one_size_share_batches() -> None:
    """Order and numbers are kept; another size begins a new batch."""
    pictures = [Image(torch.rand(n, 4, w, 3)) for n, w in ((3, 5), (2, 5), (1, 6))]
    dealt = RebatchImages(images=pictures, batch_size=2).run(CTX)
    assert [tuple(one.pixels.shape[:3:2]) for one in dealt] == [(2, 5), (2, 5), (1, 5), (1, 6)]
    whole = torch.cat([one.pixels for one in dealt[:3]])
    assert torch.equal(whole, torch.cat([one.pixels for one in pictures[:2]]))


def test_latents_keep_masks_and_places() -> None:
    """Each takes the noise of its place among all, unless it has a number already."""
    plain = Latent(torch.rand(3, 4, 8, 8), SD1)
    masked = Latent(torch.rand(1, 4, 8, 8), SD1, batch_index=(7,)).with_mask(
        Mask(torch.ones(1, 64, 64))
    )
    dealt = RebatchLatents(latents=[plain, masked], batch_size=2).run(CTX)
    assert [one.numbers for one in dealt] == [(0, 1), (2,), (7,)]
    assert [one.mask is None for one in dealt] == [True, True, False]
    assert torch.equal(torch.cat([one.samples for one in dealt[:2]]), plain.samples)
