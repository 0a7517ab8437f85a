"""Contact sheets: many pictures on one page, each with its prompt below."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP_PX = 4
LINE_PX = 13
PAPER = (255, 255, 255)
INK = (40, 40, 44)


def to_images(pictures: Float[Tensor, "B 3 H W"]) -> list[Image.Image]:
    """Turn pictures in -1..1 into images."""
    levels = ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return [Image.fromarray(np.ascontiguousarray(p.permute(1, 2, 0).numpy())) for p in levels]


def save_sheet(
    path: Path,
    pictures: Float[Tensor, "B 3 H W"],
    columns: int,
    captions: Sequence[str] = (),
    *,
    light: bool = False,
) -> None:
    """Save pictures in -1..1 as a page of rows, the captions under them.

    A caption belongs to the picture of its own number; there may be fewer.  A
    `light` page has 64 levels of each colour, and takes a third fewer bytes.
    """
    images = to_images(pictures)
    width, height = images[0].size
    lines = [_wrapped(caption, width) for caption in captions]
    text_px = LINE_PX * max((len(wrapped) for wrapped in lines), default=0)
    rows = -(-len(images) // columns)
    cell_x, cell_y = width + GAP_PX, height + GAP_PX + text_px
    page = Image.new("RGB", (columns * cell_x - GAP_PX, rows * cell_y - GAP_PX), PAPER)
    pen = ImageDraw.Draw(page)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        page.paste(image, (column * cell_x, row * cell_y))
        for number, line in enumerate(lines[index] if index < len(lines) else []):
            place = (column * cell_x + 1, row * cell_y + height + number * LINE_PX)
            pen.text(place, line, fill=INK, font=_font())
    path.parent.mkdir(parents=True, exist_ok=True)
    (page.point(_coarse) if light else page).save(path, optimize=True)


def _coarse(level: int) -> int:
    return min(255, (level + 2) // 4 * 4)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=10)


def _wrapped(text: str, width_px: int) -> list[str]:
    """Break `text` into lines that fit under a picture."""
    font = _font()
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
