"""Pictures as bytes: reading what users bring, writing what they keep."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import ImageOps, ImageSequence, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from safelight.diffusion.darkroom.colour import ordered
from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.resample import resize
from safelight.graph.parameters import write_parameters

LARGEST_PREVIEW = 512  # pixels along the longer side
PREVIEW_QUALITY = 85  # of the JPEG; it lives for a tenth of a second


class PictureError(ValueError):
    """A file is no picture that can be read; the message names it."""


def read_picture(path: Path) -> tuple[Tensor, Tensor]:
    """Read a picture, turned as its camera was held: colours [B, H, W, 3], mask [B, H, W].

    An animation gives one picture a frame. The mask is 1 where the picture is transparent;
    a picture without transparency has an empty mask of 64 pixels, as other programs expect.

    Raises:
        PictureError: the file is not a picture, or is damaged or absurdly large.
    """
    try:
        with PillowImage.open(path) as file:
            frames = [
                ImageOps.exif_transpose(frame).convert("RGBA")
                for frame in ImageSequence.Iterator(file)
            ]
            transparent = "A" in file.getbands() or "transparency" in file.info
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise PictureError(f"{path.name} is not a picture that can be read: {error}") from error
    except PillowImage.DecompressionBombError as error:
        raise PictureError(f"{path.name} is too large to read: {error}") from error
    whole = [frame for frame in frames if frame.size == frames[0].size]
    pixels = torch.from_numpy(np.stack([np.asarray(frame) for frame in whole])).float() / 255
    mask = 1 - pixels[..., 3] if transparent else torch.zeros(len(whole), 64, 64)
    return pixels[..., :3], mask


def write_png(pixels: Tensor, metadata: Mapping[str, object], compression: int = 4) -> bytes:
    """Write one picture [H, W, 3] in 0..1 as a PNG that carries `metadata` as JSON texts.

    Of its prompt it also tells what the text `parameters` can, which many programs read.
    """
    buffer = io.BytesIO()
    texts = texts_of(metadata)
    prompt = metadata.get("prompt")
    parameters = write_parameters(prompt) if isinstance(prompt, Mapping) else None
    if parameters is not None:
        texts.add_text("parameters", parameters)
    as_pillow(pixels).save(buffer, "PNG", pnginfo=texts, compress_level=compression)
    return buffer.getvalue()


def texts_of(metadata: Mapping[str, object]) -> PngInfo:
    """Return metadata as the JSON texts of a PNG."""
    texts = PngInfo()
    for key, value in metadata.items():
        texts.add_text(key, json.dumps(value))
    return texts


def preview_jpeg(format: LatentFormat, latent: Tensor) -> bytes:
    """Draw the first of some scaled latents as a small JPEG, without the autoencoder."""
    small = format.preview(latent[:1]).movedim(-1, 1)
    factor = min(format.downscale, LARGEST_PREVIEW / max(small.shape[2:]))
    height, width = (max(1, round(side * factor)) for side in small.shape[2:])
    large = resize(small, height, width, "bicubic").clamp(0, 1)
    buffer = io.BytesIO()
    as_pillow(large[0].movedim(0, -1)).save(buffer, "JPEG", quality=PREVIEW_QUALITY)
    return buffer.getvalue()


def as_pillow(pixels: Tensor) -> PillowImage.Image:
    """Return a picture [H, W, 3] in 0..1 as 8-bit RGB, cutting fractions off."""
    return PillowImage.fromarray((pixels.clamp(0, 1) * 255).byte().cpu().numpy())


def lanczos(pixels: Tensor, height: int, width: int) -> Tensor:
    """Resample pictures [B, H, W, 3] in 0..1 with Lanczos' window, in 8 bits."""
    resized = [
        np.asarray(as_pillow(one).resize((width, height), PillowImage.Resampling.LANCZOS))
        for one in pixels
    ]
    return torch.from_numpy(np.stack(resized)).float() / 255


def quantized(pixels: Tensor, colours: int, dither: str) -> Tensor:
    """Draw one picture [H, W, 3] in 0..1 with that many colours, the best for it.

    `dither` is "none", "floyd-steinberg", or "bayer-" and the side of the pattern.
    """
    picture = as_pillow(pixels)
    chosen = picture.quantize(colours, dither=PillowImage.Dither.NONE)
    if dither == "floyd-steinberg":
        chosen = picture.quantize(palette=chosen, dither=PillowImage.Dither.FLOYDSTEINBERG)
    if not dither.startswith("bayer-"):
        return torch.from_numpy(np.array(chosen.convert("RGB"))).float() / 255
    palette = torch.tensor(chosen.getpalette() or [0, 0, 0]).view(-1, 3)[:colours].float() / 255
    return ordered(pixels, palette, int(dither.removeprefix("bayer-")))
