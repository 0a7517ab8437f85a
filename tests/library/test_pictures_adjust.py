"""Nodes that change the light and colours of pictures."""

import pytest
import torch
from tests.library.pictures import picture, same
from torch import Tensor

from safelight.graph.node import NullContext
from safelight.library.image_adjust import (
    DITHERS,
    ImageAddNoise,
    ImageBlend,
    ImageBlur,
    ImageInvert,
    ImageQuantize,
    ImageRGBToYUV,
    ImageSharpen,
    ImageYUVToRGB,
    Morphology,
)
from safelight.library.image_batch import EmptyImage
from safelight.library.values import Image

CTX = NullContext()


def test_a_negative_of_a_negative_is_the_picture() -> None:
    """Black becomes white and back."""
    old = picture()
    same(ImageInvert(image=ImageInvert(image=old).run(CTX)).run(CTX), old.pixels)


@pytest.mark.parametrize(
    ("mode", "a", "b", "expected"),
    [
        ("normal", 0.2, 0.6, 0.6),
        ("multiply", 0.5, 0.5, 0.25),
        ("screen", 0.5, 0.5, 0.75),
        ("overlay", 0.25, 0.5, 0.25),
        ("overlay", 0.75, 0.5, 0.75),
        ("soft_light", 0.5, 0.5, 0.5),
        ("difference", 0.75, 0.5, 0.25),
        ("difference", 0.5, 0.75, 0.0),
    ],
)
def test_blends_are_their_formulas(mode: str, a: float, b: float, expected: float) -> None:
    """One pixel each; a share of 0 keeps the first picture."""
    first, second = (Image(torch.full((1, 1, 1, 3), value)) for value in (a, b))
    for share, wanted in ((1.0, expected), (0.0, a)):
        node = ImageBlend(image1=first, image2=second, blend_factor=share, blend_mode=mode)
        torch.testing.assert_close(node.run(CTX).pixels, torch.full((1, 1, 1, 3), wanted))


def test_blur_and_sharpening_leave_flat_parts_alone() -> None:
    """The window's weights add up to 1; detail is what changes."""
    flat = EmptyImage(width=9, height=9, color=0x808080).run(CTX)
    same(ImageBlur(image=flat, blur_radius=31, sigma=0.3).run(CTX), flat.pixels)
    same(ImageSharpen(image=flat, sharpen_radius=2).run(CTX), flat.pixels)
    rough = Image(picture(16, 16).pixels * 0.2 + 0.4)
    soft = ImageBlur(image=rough, blur_radius=3).run(CTX).pixels
    sharp = ImageSharpen(image=rough, sharpen_radius=1, alpha=0.1).run(CTX).pixels
    assert soft.std() < rough.pixels.std() < sharp.std()


@pytest.mark.parametrize("dither", DITHERS)
def test_quantizing_leaves_no_more_colours_than_asked_for(dither: str) -> None:
    """Every way of dithering stays within the palette."""
    few = ImageQuantize(image=picture(16, 16), colors=4, dither=dither).run(CTX)
    assert len({tuple(colour) for colour in few.pixels.reshape(-1, 3).tolist()}) <= 4


def test_grain_is_of_its_seed() -> None:
    """The same seed gives the same grain; strength 0 none."""
    old = picture()
    one, two, other = (ImageAddNoise(image=old, seed=s).run(CTX).pixels for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    same(ImageAddNoise(image=old, strength=0.0).run(CTX), old.pixels)


def test_brightness_and_colour_go_apart_and_together() -> None:
    """The round trip is exact to rounding; grey has no colour."""
    old = picture()
    parts = ImageRGBToYUV(image=old).run(CTX)
    torch.testing.assert_close(
        ImageYUVToRGB(Y=parts.y, U=parts.u, V=parts.v).run(CTX).pixels,
        old.pixels,
        atol=1e-5,
        rtol=0,
    )
    grey = ImageRGBToYUV(image=EmptyImage(width=1, height=1, color=0x333333).run(CTX)).run(CTX)
    assert grey.u.pixels.flatten().tolist() == pytest.approx([0.5] * 3)


def test_morphology_obeys_its_laws() -> None:
    """Eroding is dilating the negative; opening twice is opening once."""
    old = picture(12, 12)

    def run(operation: str, image: Image = old) -> Tensor:
        return Morphology(image=image, operation=operation, kernel_size=3).run(CTX).pixels

    negative = Image(1 - old.pixels)
    torch.testing.assert_close(run("erode"), 1 - run("dilate", negative))
    torch.testing.assert_close(run("open", Image(run("open"))), run("open"))
    torch.testing.assert_close(run("gradient"), run("dilate") - run("erode"))
    torch.testing.assert_close(run("top_hat"), old.pixels - run("open"))
    torch.testing.assert_close(run("bottom_hat"), run("close") - old.pixels)
    assert (run("erode") <= run("open")).all()
    assert (run("close") <= run("dilate")).all()
