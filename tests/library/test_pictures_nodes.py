"""Nodes on pictures: sizes, places and colours come out as their names say."""

import io
import json

import pytest
import torch
from PIL import Image as PillowImage
from tests.library.pictures import picture, same

from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.compositing import (
    ImageCompositeMasked,
    JoinImageWithAlpha,
    PorterDuffImageComposite,
    SplitImageWithAlpha,
)
from safelight.library.image_batch import EmptyImage, ImageBatch, ImageFromBatch, RepeatImageBatch
from safelight.library.image_files import SaveAnimatedPNG, SaveAnimatedWEBP
from safelight.library.image_layout import (
    ImageCrop,
    ImageFlip,
    ImagePadForOutpaint,
    ImageRotate,
    ImageStitch,
)
from safelight.library.image_size import (
    FluxKontextImageScale,
    GetImageSize,
    ImageScaleBy,
    ImageScaleToMaxDimension,
    ImageScaleToTotalPixels,
    ResizeAndPadImage,
)
from safelight.library.values import Image, Mask

CTX = NullContext()


def test_cropping_undoes_padding() -> None:
    """The old picture lies where its margins say."""
    old = picture()
    wide = ImagePadForOutpaint(image=old, left=8, top=16, right=0, bottom=24).run(CTX)
    assert wide.image.size == (46, 18)
    same(ImageCrop(image=wide.image, x=8, y=16, width=10, height=6).run(CTX), old.pixels)
    assert wide.image.pixels[0, 0, 0].tolist() == [0.5, 0.5, 0.5]


def test_an_outpainting_mask_fades_into_the_old_picture_at_padded_sides_only() -> None:
    """1 outside, falling with the square of the distance from the seam, 0 at other sides."""
    wide = ImagePadForOutpaint(image=picture(20, 20), left=8, feathering=4).run(CTX)
    row = wide.mask.pixels[0, 10].tolist()
    assert row[:8] == [1.0] * 8
    assert row[8:13] == [1.0, 0.5625, 0.25, 0.0625, 0.0]
    assert row[-1] == 0.0


def test_four_quarter_turns_and_two_flips_are_nothing() -> None:
    """Turning goes clockwise: the top left corner goes to the top right."""
    old = picture()
    turned = ImageRotate(image=old, rotation="90 degrees").run(CTX)
    assert turned.size == (10, 6)
    assert torch.equal(turned.pixels[0, 0, -1], old.pixels[0, 0, 0])
    back = ImageRotate(image=turned, rotation="270 degrees").run(CTX)
    same(back, old.pixels)
    same(ImageRotate(image=old, rotation="none").run(CTX), old.pixels)
    for method in ("x-axis: vertically", "y-axis: horizontally"):
        once = ImageFlip(image=old, flip_method=method).run(CTX)
        same(ImageFlip(image=once, flip_method=method).run(CTX), old.pixels)
        assert not torch.equal(once.pixels, old.pixels)


def test_sizes_follow_their_rules() -> None:
    """Each way to name a size gives it, keeping the shape."""
    old = picture(40, 80)
    size = GetImageSize(
        image=ImageScaleBy(image=old, upscale_method="area", scale_by=0.25).run(CTX)
    )
    assert size.run(CTX) == (20, 10, 1)
    mega = ImageScaleToTotalPixels(image=old, upscale_method="bilinear", megapixels=0.01).run(CTX)
    assert mega.size == (72, 145)
    longest = ImageScaleToMaxDimension(image=old, upscale_method="lanczos", largest_size=20)
    assert longest.run(CTX).size == (10, 20)
    fitted = ResizeAndPadImage(
        image=old, target_width=20, target_height=20, padding_color="white", interpolation="area"
    ).run(CTX)
    assert fitted.size == (20, 20)
    assert fitted.pixels[0, 0].min() == 1
    assert fitted.pixels[0, 10].max() < 1
    assert FluxKontextImageScale(image=old).run(CTX).size == (720, 1456)


def test_stitching_lines_pictures_up() -> None:
    """The second one goes where it is told, resized or centred, with a gap between."""
    one, two = picture(4, 6), picture(8, 8)
    joined = ImageStitch(image1=one, image2=two, direction="left", spacing_width=3).run(CTX)
    assert joined.size == (4, 4 + 4 + 6)
    same(ImageCrop(image=joined, x=8, y=0, width=6, height=4).run(CTX), one.pixels)
    assert joined.pixels[0, :, 4:8].min() == 1
    below = ImageStitch(image1=one, image2=two, direction="down", match_image_size=False).run(CTX)
    assert below.size == (12, 8)
    same(ImageCrop(image=below, x=1, y=0, width=6, height=4).run(CTX), one.pixels)
    assert ImageStitch(image1=one).run(CTX) is one


def test_batches_are_joined_repeated_and_cut() -> None:
    """What is joined can be taken apart again."""
    one, two = picture(4, 4, 2), picture(4, 4, 3)
    five = ImageBatch(image1=one, image2=two).run(CTX)
    same(ImageFromBatch(image=five, batch_index=2, length=99).run(CTX), two.pixels)
    twice = RepeatImageBatch(image=one, amount=2).run(CTX)
    same(twice, torch.cat((one.pixels, one.pixels)))
    assert ImageBatch(image1=one, image2=picture(9, 3)).run(CTX).pixels.shape == (3, 4, 4, 3)
    red = EmptyImage(width=2, height=1, batch_size=2, color=0xFF0080).run(CTX)
    torch.testing.assert_close(red.pixels[1, 0, 1], torch.tensor([1, 0, 128 / 255]))


def test_a_mask_of_zeros_keeps_and_one_of_ones_replaces() -> None:
    """Between the two the pictures mix; what sticks out is cut."""
    base, patch = picture(6, 6), picture(4, 4)
    nothing = Mask(torch.zeros(1, 9, 9))

    def laid(mask: Mask | None, x: int = 0, y: int = 0) -> Image:
        node = ImageCompositeMasked(destination=base, source=patch, x=x, y=y, mask=mask)
        return node.run(CTX)

    same(laid(nothing), base.pixels)
    same(ImageCrop(image=laid(None, 1, 2), x=1, y=2, width=4, height=4).run(CTX), patch.pixels)
    same(laid(Mask(torch.ones(1, 2, 2)), 1, 2), laid(None, 1, 2).pixels)
    torch.testing.assert_close(laid(None, 5, 5).pixels[0, 5, 5], patch.pixels[0, 0, 0])
    same(laid(None, 50, 50), base.pixels)


@pytest.mark.parametrize(("mode", "expected"), [("SRC", 0), ("DST", 1)])
def test_porter_and_duff_keep_a_side(mode: str, expected: int) -> None:
    """The two plainest operators give back one of the pictures, opaque."""
    pair = picture(4, 4), picture(4, 4)
    opaque = Mask(torch.zeros(1, 4, 4))
    result = PorterDuffImageComposite(
        source=pair[0],
        source_alpha=opaque,
        destination=pair[1],
        destination_alpha=opaque,
        mode=mode,
    ).run(CTX)
    same(result.image, pair[expected].pixels)
    assert result.mask.pixels.max() == 0


def test_an_opaque_picture_over_another_hides_it_and_a_clear_one_shows_it() -> None:
    """Over: where the upper one is transparent the lower one is seen."""
    above, below = picture(2, 2), Image(1 - picture(2, 2).pixels)
    half = Mask(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
    result = PorterDuffImageComposite(
        source=above,
        source_alpha=half,
        destination=below,
        destination_alpha=Mask(torch.zeros(1, 2, 2)),
        mode="SRC_OVER",
    ).run(CTX)
    torch.testing.assert_close(result.image.pixels[:, :, 0], above.pixels[:, :, 0])
    torch.testing.assert_close(result.image.pixels[:, :, 1], below.pixels[:, :, 1])


def test_transparency_is_split_off_and_joined() -> None:
    """Joining and splitting give both back; an opaque picture has an empty mask."""
    old, mask = picture(), Mask(torch.rand(1, 6, 10))
    joined = JoinImageWithAlpha(image=old, alpha=mask).run(CTX)
    assert joined.pixels.shape[-1] == 4
    apart = SplitImageWithAlpha(image=joined).run(CTX)
    same(apart.image, old.pixels)
    torch.testing.assert_close(apart.mask.pixels, mask.pixels)
    assert SplitImageWithAlpha(image=old).run(CTX).mask.pixels.max() == 0


@pytest.mark.parametrize("node", [SaveAnimatedPNG, SaveAnimatedWEBP])
def test_a_moving_picture_has_its_frames_and_its_workflow(
    node: type[SaveAnimatedPNG] | type[SaveAnimatedWEBP], folders: Folders
) -> None:
    """The file is numbered like others and tells what made it."""
    ctx = NullContext(folders, {"prompt": {"1": {}}, "workflow": {"nodes": []}})
    shown = (
        SaveAnimatedPNG(images=picture(8, 8, 3)).run(ctx)
        if node is SaveAnimatedPNG
        else SaveAnimatedWEBP(images=picture(8, 8, 3), method="fastest").run(ctx)
    )
    (record,) = shown.ui["images"]
    content = folders.resolve("output", str(record["filename"])).read_bytes()
    with PillowImage.open(io.BytesIO(content)) as file:
        assert getattr(file, "n_frames", 1) == 3
        if node is SaveAnimatedPNG:
            assert json.loads(file.info["workflow"]) == {"nodes": []}
        else:
            assert file.getexif()[0x010F] == 'workflow:{"nodes": []}'
            assert file.getexif()[0x0110] == 'prompt:{"1": {}}'
    assert node.holds(shown)
