"""Moving pictures as bytes: several frames in one file, with the workflow that made them."""

import io
import json
from collections.abc import Mapping

from PIL import Image as PillowImage
from torch import Tensor

from safelight.library.pictures import as_pillow, texts_of

MILLISECONDS = 1000
# Exif fields for texts: the camera's model holds the prompt, those before it the rest.
FIRST_TEXT = 0x0110


def moving_png(
    pixels: Tensor, metadata: Mapping[str, object], fps: float, compression: int
) -> bytes:
    """Write pictures [B, H, W, 3] in 0..1 as an animated PNG with JSON texts."""
    first, *others = map(as_pillow, pixels)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "PNG",
        pnginfo=texts_of(metadata),
        compress_level=compression,
        save_all=True,
        append_images=others,
        duration=round(MILLISECONDS / fps),
    )
    return buffer.getvalue()


def moving_webp(
    pixels: Tensor,
    metadata: Mapping[str, object],
    fps: float,
    *,
    quality: int,
    method: int,
    lossless: bool,
) -> bytes:
    """Write pictures [B, H, W, 3] in 0..1 as an animated WebP, texts in its Exif fields."""
    exif = PillowImage.Exif()
    for field, (key, value) in enumerate(metadata.items()):
        exif[FIRST_TEXT - field] = f"{key}:{json.dumps(value)}"
    first, *others = map(as_pillow, pixels)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        exif=exif,
        save_all=True,
        append_images=others,
        duration=round(MILLISECONDS / fps),
        quality=quality,
        method=method,
        lossless=lossless,
    )
    return buffer.getvalue()
