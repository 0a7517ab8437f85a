"""What is made of a picture on request: a smaller file, one of its channels, another mask.

A picture comes from a stranger: its size is looked at before its pixels are, and whatever Pillow
cannot read is refused in words.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from safelight_server.protocol import Refused

T = TypeVar("T")

MOST_PIXELS = 89_478_485  # beyond it, Pillow warns of a decompression bomb; here it is refused
# What Pillow raises for files that are broken, foreign or made to exhaust the memory.
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def preview(path: Path, wish: str, channel: str) -> tuple[bytes, str]:
    """Return a smaller file of the picture and its content type.

    Args:
        path: Of the picture.
        wish: Format and quality, as "webp;90" or "jpeg".
        channel: Where it contains an "a", transparency is kept, which JPEG cannot.

    Raises:
        Refused: when the file is no picture, or too large to be opened.
    """
    kind, _, quality = wish.partition(";")
    kind = "jpeg" if kind == "jpeg" and "a" not in channel else "webp"
    level = int(quality) if quality.isdecimal() and len(quality) < 4 else 90

    def render(picture: Image.Image) -> bytes:
        keeps_alpha = kind == "webp" and channel != "rgb"
        flat = picture if keeps_alpha else picture.convert("RGB")
        return encoded(flat, kind.upper(), quality=min(max(level, 1), 100))

    return opened(path, render), f"image/{kind}"


def only_colour(path: Path) -> bytes:
    """Return the picture as a PNG without transparency."""
    return opened(path, lambda picture: encoded(picture.convert("RGB"), "PNG"))


def only_alpha(path: Path) -> bytes:
    """Return the picture's transparency as a PNG: black, opaque where it has none."""

    def render(picture: Image.Image) -> bytes:
        alpha = picture.convert("RGBA").getchannel("A")
        black = Image.new("L", picture.size)
        return encoded(Image.merge("RGBA", (black, black, black, alpha)), "PNG")

    return opened(path, render)


def with_alpha_of(mask: IO[bytes], original: Path) -> bytes:
    """Return the original as a PNG that is as transparent as the mask, with the original's texts.

    Raises:
        Refused: when one of them is no picture, or their sizes differ.
    """

    def render(picture: Image.Image) -> bytes:
        if picture.size != alpha.size:
            theirs, ours = ("{}x{}".format(*each.size) for each in (alpha, picture))
            message = f"The mask is {theirs}, and {original.name} is {ours}."
            raise Refused("wrong_size", message)
        masked = picture.convert("RGBA")
        masked.putalpha(alpha)
        return encoded(masked, "PNG", pnginfo=_texts(picture))

    alpha = opened(mask, lambda picture: picture.convert("RGBA").getchannel("A"), "The mask")
    return opened(original, render)


def opened(source: Path | IO[bytes], render: Callable[[Image.Image], T], name: str = "") -> T:
    """Open a picture and return what `render` makes of it; `name` is for the refusal.

    Raises:
        Refused: when it is no picture, or too large to be opened.
    """
    called = source.name if isinstance(source, Path) else name
    try:
        with Image.open(source) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Refused("too_many_pixels", f"{called} is too large to be opened.")
            return render(picture)
    except _UNREADABLE as error:
        raise Refused("not_a_picture", f"{called} cannot be read as a picture.") from error


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the picture as a file of that kind."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _texts(picture: Image.Image) -> PngInfo:
    """Return the texts that a PNG carries, its workflow among them."""
    info = PngInfo()
    for key, text in getattr(picture, "text", {}).items():
        info.add_text(key, str(text))
    return info
