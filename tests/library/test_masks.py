"""The algebra of masks, and where masks come from."""

from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.masks import (
    ChannelError,
    CropMask,
    FeatherMask,
    GrowMask,
    ImageColorToMask,
    ImageToMask,
    InvertMask,
    LoadImageMask,
    MaskComposite,
    MaskPreview,
    MaskToImage,
    SolidMask,
    ThresholdMask,
)
from safelight.library.values import Image, Mask

CTX = NullContext()


def mask(*rows: list[float]) -> Mask:
    """Write a mask down."""
    return Mask(torch.tensor([list(rows)]))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("multiply", [0.0, 0.0, 0.0, 1.0]),
        ("add", [0.0, 1.0, 1.0, 1.0]),
        ("subtract", [0.0, 0.0, 1.0, 0.0]),
        ("and", [0.0, 0.0, 0.0, 1.0]),
        ("or", [0.0, 1.0, 1.0, 1.0]),
        ("xor", [0.0, 1.0, 1.0, 0.0]),
    ],
)
def test_masks_combine_by_their_truth_tables(operation: str, expected: list[float]) -> None:
    """The four pairs of black and white, and nothing leaves 0..1."""
    below, above = mask([0.0, 0.0, 1.0, 1.0]), mask([0.0, 1.0, 0.0, 1.0])
    node = MaskComposite(destination=below, source=above, operation=operation)
    assert node.run(CTX).pixels.flatten().tolist() == expected


def test_a_mask_is_combined_only_where_the_other_lies() -> None:
    """Left and above of it nothing changes; what sticks out is cut."""
    below, above = mask([1.0, 1.0, 1.0]), mask([1.0, 1.0, 1.0])
    node = MaskComposite(destination=below, source=above, x=2, operation="subtract")
    assert node.run(CTX).pixels.flatten().tolist() == [1.0, 1.0, 0.0]


def test_inverting_twice_and_cropping_all_change_nothing() -> None:
    """Both are identities."""
    old = Mask(torch.rand(1, 5, 7))
    twice = InvertMask(mask=InvertMask(mask=old).run(CTX)).run(CTX)
    torch.testing.assert_close(twice.pixels, old.pixels)
    assert torch.equal(CropMask(mask=old, width=7, height=5).run(CTX).pixels, old.pixels)
    part = CropMask(mask=old, x=2, y=1, width=99, height=2).run(CTX)
    assert torch.equal(part.pixels, old.pixels[:, 1:3, 2:])


@pytest.mark.parametrize(
    ("tapered", "expected"),
    [
        (True, [[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
        (False, [[1, 1, 1], [1, 1, 1], [1, 1, 1]]),
    ],
)
def test_a_point_grows_into_a_diamond_or_a_square(
    tapered: bool, expected: list[list[float]]
) -> None:
    """One pixel in all directions, or along rows and columns only."""
    point = torch.zeros(1, 5, 5)
    point[0, 2, 2] = 1
    large = GrowMask(mask=Mask(point), expand=1, tapered_corners=tapered).run(CTX)
    assert large.pixels[0, 1:4, 1:4].tolist() == expected
    assert large.pixels.sum() == torch.tensor(expected).sum()
    small = GrowMask(mask=large, expand=-1, tapered_corners=tapered).run(CTX)
    assert torch.equal(small.pixels, point)


def test_feathering_is_a_ramp_from_each_side() -> None:
    """1/n at the edge up to 1, the same from both sides."""
    row = FeatherMask(mask=SolidMask(width=6, height=1).run(CTX), left=2, right=2).run(CTX)
    assert row.pixels.flatten().tolist() == [0.5, 1.0, 1.0, 1.0, 1.0, 0.5]


def test_a_threshold_makes_black_and_white() -> None:
    """What equals the threshold is black."""
    hard = ThresholdMask(mask=mask([0.2, 0.5, 0.7]), value=0.5).run(CTX)
    assert hard.pixels.flatten().tolist() == [0.0, 0.0, 1.0]


def test_pictures_and_masks_become_one_another() -> None:
    """Each channel of the grey picture is the mask; a colour is found exactly."""
    old = Mask(torch.rand(1, 3, 4))
    grey = MaskToImage(mask=old).run(CTX)
    for channel in ("red", "green", "blue"):
        assert torch.equal(ImageToMask(image=grey, channel=channel).run(CTX).pixels, old.pixels)
    colours: Tensor = torch.tensor([[[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]])
    red = ImageColorToMask(image=Image(colours), color=0xFF0000).run(CTX)
    assert red.pixels.flatten().tolist() == [1.0, 0.0]
    with pytest.raises(ChannelError, match=r"^this picture has no channel alpha$"):
        ImageToMask(image=grey, channel="alpha").run(CTX)


def test_a_mask_is_loaded_from_a_channel(folders: Folders, tmp_path: Path) -> None:
    """Opacity is turned round, colours are taken as they are."""
    PillowImage.new("RGBA", (3, 2), (255, 0, 51, 102)).save(tmp_path / "input" / "a.png")
    ctx = NullContext(folders)
    levels = [
        sorted(
            set(LoadImageMask(image="a.png", channel=channel).run(ctx).pixels.flatten().tolist())
        )
        for channel in ("alpha", "red", "green", "blue")
    ]
    assert levels == [pytest.approx([0.6]), [1.0], [0.0], pytest.approx([0.2])]


def test_a_mask_is_shown_from_the_folder_for_previews(folders: Folders) -> None:
    """It is a grey picture there."""
    shown = MaskPreview(mask=mask([0.0, 1.0])).run(NullContext(folders))
    (record,) = shown.ui["images"]
    assert record["type"] == "temp"
    assert MaskPreview.holds(shown)
