"""Nodes on latents: they turn, cut and mix as pictures do, and keep family and noise."""

import pytest
import torch

from safelight.diffusion.latent import SD1, SDXL
from safelight.diffusion.noise import initial
from safelight.graph.node import NullContext
from safelight.library.latent_batch import (
    LatentBatch,
    LatentBatchSeedBehavior,
    LatentFromBatch,
    RepeatLatentBatch,
)
from safelight.library.latent_layout import (
    LatentComposite,
    LatentCompositeMasked,
    LatentConcat,
    LatentCrop,
    LatentCut,
    LatentFlip,
    LatentRotate,
    LatentUpscaleBy,
    TimeError,
)
from safelight.library.latent_math import (
    LatentAdd,
    LatentApplyOperation,
    LatentBlend,
    LatentInterpolate,
    LatentMultiply,
    LatentOperationSharpen,
    LatentOperationTonemapReinhard,
    LatentSubtract,
)
from safelight.library.values import FormatMismatch, Latent, Mask, empty_latent

CTX = NullContext()


def latent(height: int = 16, width: int = 12, batch: int = 1, seed: int = 0) -> Latent:
    """Random latents of Stable Diffusion 1."""
    return Latent(torch.randn(batch, 4, height, width, generator=torch.manual_seed(seed)), SD1)


def test_turning_and_mirroring_come_back() -> None:
    """Half a turn is two mirrors; a quarter there and back is nothing."""
    old = latent()
    half = LatentRotate(samples=old, rotation="180 degrees").run(CTX)
    once = LatentFlip(samples=old, flip_method="x-axis: vertically").run(CTX)
    twice = LatentFlip(samples=once, flip_method="y-axis: horizontally").run(CTX)
    assert torch.equal(half.samples, twice.samples)
    quarter = LatentRotate(samples=old, rotation="90 degrees").run(CTX)
    assert quarter.samples.shape[2:] == (12, 16)
    back = LatentRotate(samples=quarter, rotation="270 degrees").run(CTX)
    assert torch.equal(back.samples, old.samples)
    assert back.format is SD1


def test_a_crop_of_a_composite_is_what_was_laid_there() -> None:
    """Places count in pixels of the picture, eight to a latent pixel."""
    base, patch = latent(32, 32), latent(8, 8, seed=1)
    whole = LatentComposite(samples_to=base, samples_from=patch, x=64, y=128).run(CTX)
    part = LatentCrop(samples=whole, width=64, height=64, x=64, y=128).run(CTX)
    assert torch.equal(part.samples, patch.samples)
    beside = LatentCrop(samples=whole, width=64, height=64, x=128, y=128).run(CTX)
    assert torch.equal(beside.samples, base.samples[:, :, 16:24, 16:24])


def test_a_feathered_composite_fades_in_from_inner_sides_only() -> None:
    """At the corner of the lower latent the patch stands at once."""
    base, patch = Latent(torch.zeros(1, 4, 16, 16), SD1), Latent(torch.ones(1, 4, 8, 8), SD1)
    whole = LatentComposite(samples_to=base, samples_from=patch, feather=16).run(CTX).samples
    assert whole[0, 0, 0, :9].tolist() == [1.0] * 6 + [1.0, 0.5, 0.0]


def test_a_masked_composite_keeps_under_black_and_replaces_under_white() -> None:
    """The mask may have any size and belongs to the upper latent."""
    base, patch = latent(16, 16), latent(8, 8, seed=1)
    for level, expected in ((0.0, base), (1.0, None)):
        mask = Mask(torch.full((1, 64, 64), level))
        node = LatentCompositeMasked(destination=base, source=patch, x=8, mask=mask)
        plain = LatentCompositeMasked(destination=base, source=patch, x=8).run(CTX)
        torch.testing.assert_close(node.run(CTX).samples, (expected or plain).samples)
    stretched = LatentCompositeMasked(destination=base, source=base, resize_source=True).run(CTX)
    torch.testing.assert_close(stretched.samples, base.samples)


def test_a_composite_of_two_families_is_refused() -> None:
    """The message names both; an empty latent takes on the other's family."""
    other = Latent(torch.zeros(1, 4, 8, 8), SDXL)
    with pytest.raises(
        FormatMismatch,
        match=r"^the first latent is of Stable Diffusion 1, the second of Stable Diffusion XL$",
    ):
        LatentAdd(samples1=latent(), samples2=other).run(CTX)
    empty = empty_latent(1, 16, 12)
    assert LatentAdd(samples1=empty, samples2=latent()).run(CTX).format is SD1


def test_stripes_that_are_cut_can_be_joined_again() -> None:
    """Along either axis, from the front or from the end; stills have no time."""
    old = latent()
    first = LatentCut(samples=old, dim="x", index=0, amount=5).run(CTX)
    rest = LatentCut(samples=old, dim="x", index=-7, amount=99).run(CTX)
    joined = LatentConcat(samples1=first, samples2=rest, dim="x").run(CTX)
    assert torch.equal(joined.samples, old.samples)
    swapped = LatentConcat(samples1=rest, samples2=first, dim="-x").run(CTX)
    assert torch.equal(swapped.samples, old.samples)
    with pytest.raises(
        TimeError, match=r"^these latents are still pictures: they have axes x and y, but no t$"
    ):
        LatentConcat(samples1=old, samples2=old, dim="t").run(CTX)


def test_sums_and_differences_undo_each_other() -> None:
    """The second latent follows the size of the first."""
    a, b = latent(), latent(seed=1)
    there = LatentAdd(samples1=a, samples2=b).run(CTX)
    torch.testing.assert_close(
        LatentSubtract(samples1=there, samples2=b).run(CTX).samples, a.samples
    )
    double = LatentMultiply(samples=a, multiplier=2.0).run(CTX)
    assert torch.equal(double.samples, LatentAdd(samples1=a, samples2=a).run(CTX).samples)
    assert LatentAdd(samples1=a, samples2=latent(4, 4, 3)).run(CTX).samples.shape == (1, 4, 16, 12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_mixing_none_or_all_gives_one_of_both(share: float) -> None:
    """Share 1 is the first latent, 0 the second."""
    pair = latent(), latent(seed=1)
    expected = pair[0 if share else 1].samples
    plain = LatentBlend(samples1=pair[0], samples2=pair[1], blend_factor=share).run(CTX)
    arc = LatentInterpolate(samples1=pair[0], samples2=pair[1], ratio=share).run(CTX)
    torch.testing.assert_close(plain.samples, expected)
    torch.testing.assert_close(arc.samples, expected)


def test_interpolation_keeps_the_length_of_vectors() -> None:
    """Halfway between two latents every vector has the mean of their lengths."""
    a, b = latent(), latent(seed=1)
    middle = LatentInterpolate(samples1=a, samples2=b, ratio=0.5).run(CTX).samples
    lengths = (a.samples.norm(dim=1) + b.samples.norm(dim=1)) / 2
    torch.testing.assert_close(middle.norm(dim=1), lengths)


def test_operations_keep_directions_or_lengths() -> None:
    """Tone mapping shortens vectors and turns none; sharpening a flat latent does nothing."""
    tones = LatentOperationTonemapReinhard(multiplier=1.0).run(CTX)
    pressed = LatentApplyOperation(samples=latent(), operation=tones).run(CTX).samples
    cosine = torch.cosine_similarity(pressed, latent().samples, dim=1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    assert (pressed.norm(dim=1) < latent().samples.norm(dim=1)).all()
    sharp = LatentOperationSharpen(sharpen_radius=2).run(CTX)
    flat = Latent(torch.full((1, 4, 8, 8), 0.5), SD1)
    torch.testing.assert_close(
        LatentApplyOperation(samples=flat, operation=sharp).run(CTX).samples, flat.samples
    )


def test_resizing_by_a_factor() -> None:
    """Both sides are multiplied."""
    large = LatentUpscaleBy(samples=latent(), upscale_method="bislerp", scale_by=1.5).run(CTX)
    assert large.samples.shape == (1, 4, 24, 18)


def test_latents_keep_their_numbers_through_batches() -> None:
    """Taken out, repeated and joined, each still knows whose noise it takes."""
    five = latent(batch=5)
    two = LatentFromBatch(samples=five, batch_index=3, length=9).run(CTX)
    assert two.numbers == (3, 4)
    assert RepeatLatentBatch(samples=two, amount=2).run(CTX).numbers == (3, 4, 8, 9)
    assert LatentBatch(samples1=two, samples2=five).run(CTX).numbers == (3, 4, 0, 1, 2, 3, 4)
    fixed = LatentBatchSeedBehavior(samples=two, seed_behavior="fixed").run(CTX)
    assert fixed.numbers == (3, 3)
    loose = LatentBatchSeedBehavior(samples=fixed, seed_behavior="random").run(CTX)
    assert loose.numbers == (0, 1)


def test_the_noise_of_one_of_a_batch_is_the_same_alone() -> None:
    """A number is a place in one stream of noise."""
    shape = (3, 4, 8, 8)
    torch.testing.assert_close(initial(5, shape), initial(5, shape, (0, 1, 2)))
    alone = initial(5, (1, 4, 8, 8), (2,))
    assert torch.equal(alone, initial(5, shape)[2:])


def test_masks_follow_their_latents_into_batches() -> None:
    """A latent without a mask is to be painted everywhere."""
    masked = latent(batch=2).with_mask(Mask(torch.zeros(1, 16, 12)))
    joined = LatentBatch(samples1=masked, samples2=latent(8, 8)).run(CTX)
    assert joined.mask is not None
    assert joined.mask.mean(dim=(1, 2)).tolist() == [0.0, 0.0, 1.0]
    one = LatentFromBatch(samples=joined, batch_index=2).run(CTX)
    assert one.mask is not None
    assert one.mask.min() == 1
