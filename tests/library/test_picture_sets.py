"""The nodes that bring pictures to learn from."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage

from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.picture_sets import (
    CaptionPictures,
    LoadImageSetFromFolderNode,
    LoadPictureSet,
)
from safelight.library.values import Image
from safelight.training.captioned import ExamplesError


@pytest.fixture
def pictures(folders: Folders) -> Path:
    """Two pictures with captions, in a folder of the input folder."""
    folder = folders.directory("input") / "cats"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        PillowImage.new("RGB", (40, 32), colour).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text("a cat")
    return folder


def test_pictures_come_from_the_graph_too(folders: Folders) -> None:
    """With a line for each, or one for all."""
    ctx = NullContext(folders)
    images = Image(torch.rand(2, 32, 32, 3))
    both = CaptionPictures(images=images, captions="a cat\n\na dog\n").run(ctx).examples
    assert both.captions == [["a cat"], ["a dog"]]
    assert CaptionPictures(images=images, captions="x").run(ctx).examples.captions == [["x"]] * 2
    with pytest.raises(ExamplesError, match=r"^want one caption, or one for each of 2, got 3$"):
        CaptionPictures(images=images, captions="a\nb\nc").run(ctx)


def test_sizes_are_made_alike_only_if_asked(folders: Folders, pictures: Path) -> None:
    """Without a way pictures of other sizes are named."""
    PillowImage.new("RGB", (8, 8), "red").save(pictures / "c.png")
    node = LoadImageSetFromFolderNode(folder="cats")
    with pytest.raises(ExamplesError, match=r"c\.png: it has 8 x 8 pixels, want 40 x 32$"):
        node.run(NullContext(folders))
    for method in ("Stretch", "Crop", "Pad"):
        made = replace(node, resize_method=method).run(NullContext(folders))
        assert made.size == (32, 40)
    before = node.stamp({"folder": "cats"}, folders)
    (pictures / "a.txt").write_text("another")
    assert node.stamp({"folder": "cats"}, folders) != before


def test_what_cannot_be_learnt_is_named(folders: Folders, pictures: Path) -> None:
    """Lost captions, files that are no pictures, folders without pictures, other families."""
    (pictures / "lost.txt").write_text("x")
    (pictures / "b.png").write_bytes(b"no picture")
    with pytest.raises(ExamplesError) as caught:
        LoadPictureSet(folder="cats", size=32).run(NullContext(folders))
    assert re.sub(r"^\S+: ", "", str(caught.value)).splitlines() == [
        "2 files are wrong:",
        "  lost.txt: no picture lost.png",
        "  b.png: not a picture that can be read",
    ]
    for path in pictures.glob("*.png"):
        path.unlink()
    with pytest.raises(ExamplesError, match="it holds no pictures"):
        LoadPictureSet(folder="cats", size=32).run(NullContext(folders))
