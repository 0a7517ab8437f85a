"""Pictures of one's own with captions, in a folder: cat.png is told of in cat.txt.

Every picture becomes a square of the size that is asked for: scaled until its shorter side
fits, and cut in the middle.  A folder that is not as it should be is refused with the names
of all files that are wrong, for a caption that was lost is easily overlooked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from safelight.training.pictures import to_tensor

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
CAPTIONS = ".txt"
SHOWN = 20  # mistakes in a message


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
    """Read the pictures of a folder with their captions, in the order of their names.

    Raises:
        ExamplesError: it is no folder, holds no picture, a picture without a caption or a
            caption without a picture, an empty caption, or a file that is no picture.
    """
    if not folder.is_dir():
        raise ExamplesError(f"{folder}: there is no such folder")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    pictures = {path.stem: path for path in files if path.suffix.lower() in PICTURES}
    captions = {path.stem: path for path in files if path.suffix.lower() == CAPTIONS}
    if not pictures:
        raise ExamplesError(f"{folder}: it holds no pictures ({', '.join(sorted(PICTURES))})")
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
            planes.append(_picture(pictures[stem], size_px))
        except ExamplesError as error:
            wrong.append(str(error))
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise ExamplesError(
            "\n  ".join([f"{folder}: {len(wrong)} files are wrong:", *wrong[:SHOWN], *more])
        )
    return Examples(torch.stack(planes), told)


def _caption(path: Path) -> list[str]:
    """Read a caption; each line is another way to say it."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ExamplesError(f"{path.name}: not text in UTF-8") from error
    if not lines:
        raise ExamplesError(f"{path.name}: the caption is empty")
    return lines


def _picture(path: Path, size_px: int) -> Float[Tensor, "3 H W"]:
    """Read a picture, upright, as a square."""
    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ExamplesError(f"{path.name}: not a picture that can be read") from error
    except Image.DecompressionBombError as error:
        raise ExamplesError(f"{path.name}: too large to read") from error
    square = ImageOps.fit(upright, (size_px, size_px), Image.Resampling.LANCZOS)
    return to_tensor(np.asarray(square)[None])[0]
