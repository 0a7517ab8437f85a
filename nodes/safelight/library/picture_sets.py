"""Nodes that bring pictures to learn from: of a folder, or of the graph, with what is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import lcm
from typing import Annotated, ClassVar, NamedTuple

import torch

from safelight.diffusion import conditioning
from safelight.graph.folders import SETS, Folders
from safelight.graph.node import Choice, Context, Folder, Help, Label, Node, Output, Range, Text
from safelight.library.prompts import told
from safelight.library.values import Clip, Conditioning, Image
from safelight.training.captioned import (
    FITS,
    Examples,
    ExamplesError,
    Shape,
    read_captioned,
    read_examples,
    read_pictures,
)

SetName = Annotated[
    str, Folder(SETS), Label("Folder"), Help("A folder with pictures, inside the input folder.")
]
ResizeMethod = Annotated[
    str,
    Choice(tuple(FITS)),
    Label("Resize"),
    Help("How pictures get the size of the first one, or the one given."),
]
Side = Annotated[int, Range(-1, 10_000, step=1), Help("In pixels; -1: that of the first picture.")]


@dataclass(frozen=True, eq=False)
class PictureSet:
    """Pictures with captions, to learn from."""

    wire: ClassVar[str] = "PICTURE_SET"
    examples: Examples


class PicturesAndPrompts(NamedTuple):
    """Pictures, and what is told of each."""

    image: Annotated[Image, Output("IMAGE")]
    conditioning: Annotated[Conditioning, Output("CONDITIONING", "One prompt a picture.")]


class LoadImageSetFromFolderNode(Node):
    """Bring in all pictures of a folder, in the order of their names."""

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load pictures of a folder"
    folder: SetName
    resize_method: ResizeMethod | None = None

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")]:
        """Read the files."""
        path = ctx.folders.resolve(SETS, self.folder)
        return Image.from_planes((read_pictures(path, shape(self.resize_method)) + 1) / 2)

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a file has changed."""
        return stamped(inputs.get("folder"), folders)


class LoadImageTextSetFromFolderNode(Node):
    """Bring in all pictures of a folder with their captions: cat.png is told of in cat.txt.

    What is told is one prompt for each picture, in their order.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load pictures and captions"
    folder: SetName
    clip: Annotated[Clip, Label("Text encoder")]
    resize_method: ResizeMethod | None = None
    width: Side | None = None
    height: Side | None = None

    def run(self, ctx: Context) -> PicturesAndPrompts:
        """Read the files and the captions."""
        wanted = shape(self.resize_method, self.height, self.width)
        found = read_captioned(ctx.folders.resolve(SETS, self.folder), wanted)
        said = [told(ctx, self.clip.texts, ways[0]) for ways in found.captions]
        pictures = Image.from_planes((found.pictures + 1) / 2)
        return PicturesAndPrompts(pictures, Conditioning(each_with_its_own(said)))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a file has changed."""
        return stamped(inputs.get("folder"), folders)


class LoadPictureSet(Node):
    """Bring in pictures to learn from, as squares, with what is told of each.

    `cat.png` is told of in `cat.txt`, each line of which is another way to say it. The folder
    lies inside the input folder.
    """

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Pictures to learn from"
    folder: SetName
    size: Annotated[
        int, Range(16, 4096, step=8), Label("Side"), Help("Of the squares, in pixels.")
    ] = 512

    def run(self, ctx: Context) -> Annotated[PictureSet, Output("PICTURE_SET")]:
        """Read the files."""
        return PictureSet(read_examples(ctx.folders.resolve(SETS, self.folder), self.size))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a file has changed."""
        return stamped(inputs.get("folder"), folders)


class CaptionPictures(Node):
    """Say what pictures show, to learn from them: a line for each, or one line for all."""

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Caption pictures"
    images: Annotated[Image, Label("Pictures")]
    captions: Annotated[str, Text(multiline=True), Help("One line a picture, or one for all.")]

    def run(self, ctx: Context) -> Annotated[PictureSet, Output("PICTURE_SET")]:
        """Put both together."""
        lines = [line.strip() for line in self.captions.splitlines() if line.strip()]
        count = len(self.images.pixels)
        if len(lines) not in (1, count):
            raise ExamplesError(f"want one caption, or one for each of {count}, got {len(lines)}")
        ways = [[line] for line in (lines * count if len(lines) == 1 else lines)]
        return PictureSet(Examples(self.images.planes * 2 - 1, ways))


def shape(method: str | None, height: int | None = None, width: int | None = None) -> Shape:
    """Return the shape that a node's inputs mean."""
    tall, wide = (None if side is None or side < 1 else side for side in (height, width))
    return Shape(tall, wide, FITS[method or "None"])


def each_with_its_own(said: list[conditioning.Conditioning]) -> conditioning.Conditioning:
    """Return several prompts as one, whose rows are for one picture of a batch each."""
    length = lcm(*(one.tokens.shape[1] for one in said))
    tokens = [one.tokens.repeat(1, length // one.tokens.shape[1], 1) for one in said]
    pooled = [one.pooled for one in said if one.pooled is not None]
    return replace(said[0], tokens=torch.cat(tokens), pooled=torch.cat(pooled) if pooled else None)


def stamped(name: object, folders: Folders) -> str:
    """Return a text that changes when any file of a set does."""
    path = folders.resolve(SETS, str(name))
    files = sorted(file for file in path.iterdir() if file.is_file())
    stats = [(file.name, file.stat()) for file in files]
    return ",".join(f"{name}-{stat.st_size}-{stat.st_mtime_ns}" for name, stat in stats)
