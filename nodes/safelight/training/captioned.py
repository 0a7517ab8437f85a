"""Pictures of one's own with captions, in a folder: cat.png is told of in cat.txt.

Every picture becomes one of the size that is asked for, as a rule a square: scaled until its
shorter side fits, and cut in the middle.  A folder that is not as it should be is refused with
the names of all files that are wrong, for a caption that was lost is easily overlooked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from safelight.training.pictures import to_tensor

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
CAPTIONS = ".txt"
SHOWN = 20  # mistakes in a message


Fit = Literal["crop", "stretch", "pad"]
FITS: Mapping[str, Fit | None] = MappingProxyType(
    {"None": None, "Stretch": "stretch", "Crop": "crop", "Pad": "pad"}
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The size that pictures shall have, and how; sides of None are those of the first one.

    Without a fit pictures must have that size already.
    """

    height: int | None = None
    width: int | None = None
    fit: Fit | None = None


class ExamplesError(ValueError):
    """A folder cannot be learnt from; the message names it and every file that is wrong."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures in -1..1, and what can be said about each: one caption or several."""

    pictures: Float[Tensor, "N 3 H W"]
    captions: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if not len(self.pictures) or len(self.pictures) != len(self.captions):
            counts = f"{len(self.pictures)} pictures and {len(self.captions)} captions"
            raise ExamplesError(f"want a caption for each picture, got {counts}")


def read_examples(folder: Path, size_px: int) -> Examples:
    """Read the pictures of a folder as squares, with their captions, in the order of their names.

    Raises:
        ExamplesError: it is no folder, holds no picture, a picture without a caption or a
            caption without a picture, an empty caption, or a file that is no picture.
    """
    return read_captioned(folder, Shape(size_px, size_px, "crop"))


def read_captioned(folder: Path, shape: Shape) -> Examples:
    """Read the pictures of a folder in a shape, with their captions.

    Raises:
        ExamplesError: as `read_examples`, or pictures of other sizes where nothing makes them fit.
    """
    pictures, captions = _files(folder, PICTURES), _files(folder, frozenset({CAPTIONS}))
    if not pictures:
        raise ExamplesError(_nothing_in(folder))
    wrong = [
        f"{pictures[stem].name}: no caption {stem}.txt" for stem in pictures if stem not in captions
    ]
    wrong += [
        f"{captions[stem].name}: no picture {stem}.png" for stem in captions if stem not in pictures
    ]
    told: list[list[str]] = []
    planes: list[Tensor] = []
    for stem in sorted(pictures.keys() & captions.keys()):
        try:
            told.append(_caption(captions[stem]))
            planes.append(_picture(pictures[stem], _settled(shape, planes)))
        except ExamplesError as error:
            wrong.append(str(error))
    _refuse(folder, wrong)
    return Examples(torch.stack(planes), told)


def read_pictures(folder: Path, shape: Shape) -> Float[Tensor, "N 3 H W"]:
    """Read the pictures of a folder in a shape, in -1..1; other files are left alone.

    Raises:
        ExamplesError: it is no folder, or holds no picture, or one that cannot be used.
    """
    pictures = _files(folder, PICTURES)
    if not pictures:
        raise ExamplesError(_nothing_in(folder))
    wrong: list[str] = []
    planes: list[Tensor] = []
    for stem in sorted(pictures):
        try:
            planes.append(_picture(pictures[stem], _settled(shape, planes)))
        except ExamplesError as error:
            wrong.append(str(error))
    _refuse(folder, wrong)
    return torch.stack(planes)


def _files(folder: Path, suffixes: frozenset[str]) -> dict[str, Path]:
    """Return the files of a folder with one of the suffixes, by their stems."""
    if not folder.is_dir():
        raise ExamplesError(f"{folder}: there is no such folder")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.stem: path for path in files if path.suffix.lower() in suffixes}


def _nothing_in(folder: Path) -> str:
    return f"{folder}: it holds no pictures ({', '.join(sorted(PICTURES))})"


def _refuse(folder: Path, wrong: Sequence[str]) -> None:
    """Name the files that are wrong, if there are any."""
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise ExamplesError(
            "\n  ".join([f"{folder}: {len(wrong)} files are wrong:", *wrong[:SHOWN], *more])
        )


def _settled(shape: Shape, planes: Sequence[Tensor]) -> Shape:
    """Return a shape with the sides of the first picture where it has none of its own."""
    if not planes:
        return shape
    height, width = planes[0].shape[1:]
    return Shape(shape.height or height, shape.width or width, shape.fit)


def _caption(path: Path) -> list[str]:
    """Read a caption; each line is another way to say it."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ExamplesError(f"{path.name}: not text in UTF-8") from error
    if not lines:
        raise ExamplesError(f"{path.name}: the caption is empty")
    return lines


def _picture(path: Path, shape: Shape) -> Float[Tensor, "3 H W"]:
    """Read a picture, upright, in a shape."""
    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ExamplesError(f"{path.name}: not a picture that can be read") from error
    except Image.DecompressionBombError as error:
        raise ExamplesError(f"{path.name}: too large to read") from error
    size = (shape.width or upright.width, shape.height or upright.height)
    if upright.size != size and shape.fit is None:
        has, want = (" x ".join(map(str, sides)) for sides in (upright.size, size))
        raise ExamplesError(f"{path.name}: it has {has} pixels, want {want}")
    return to_tensor(np.asarray(_fitted(upright, size, shape.fit))[None])[0]


def _fitted(upright: Image.Image, size: tuple[int, int], fit: Fit | None) -> Image.Image:
    """Make a picture of a size: cut off what is too much, press it, or lay it on black."""
    if fit == "stretch":
        return upright.resize(size, Image.Resampling.LANCZOS)
    if fit == "pad":
        return ImageOps.pad(upright, size, Image.Resampling.LANCZOS)
    return ImageOps.fit(upright, size, Image.Resampling.LANCZOS)
