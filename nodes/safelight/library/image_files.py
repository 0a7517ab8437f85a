"""Nodes that bring pictures from the output folder, and that keep moving ones."""

from collections.abc import Callable
from typing import Annotated, ClassVar

from safelight.graph.node import Choice, Context, Folder, Help, Label, Node, Range, Shown
from safelight.library.image import Loaded, Written
from safelight.library.moving import moving_png, moving_webp
from safelight.library.pictures import read_picture
from safelight.library.values import Image, Mask

Name = Annotated[str, Label("Name"), Help("Files are numbered after it; a/b makes a folder a.")]
Rate = Annotated[float, Range(0.01, 1000.0, step=0.01), Label("Pictures a second")]
METHODS = {"default": 4, "fastest": 0, "slowest": 6}


class LoadImageOutput(Node):
    """Bring a picture in that was made here earlier."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Load picture from output"
    image: Annotated[str, Folder("output"), Label("Picture"), Help("The file.")]

    def run(self, ctx: Context) -> Loaded:
        """Read the file."""
        name = self.image if self.image.endswith("]") else f"{self.image} [output]"
        pixels, mask = read_picture(ctx.folders.resolve("output", name))
        return Loaded(Image(pixels), Mask(mask))


def kept(
    ctx: Context, images: Image, prefix: str, suffix: str, write: Callable[[], bytes]
) -> Written:
    """Write one file of several pictures to the output folder."""
    height, width = images.size
    file = ctx.folders.new_output("output", prefix, width, height).file(0, suffix)
    file.write(write())
    return Written({"images": [file.record()]}, (file.path,))


class SaveAnimatedWEBP(Node):
    """Keep a batch of pictures as one that moves, in the WebP format."""

    category: ClassVar[str] = "image/animation"
    title: ClassVar[str] = "Save moving picture (WebP)"
    effect: ClassVar[bool] = True
    beside: ClassVar[bool] = True
    images: Annotated[Image, Label("Pictures")]
    filename_prefix: Name = "safelight"
    fps: Rate = 6.0
    lossless: Annotated[bool, Help("Keep every pixel; larger files.")] = True
    quality: Annotated[int, Range(0, 100), Help("Of the colours, if not lossless.")] = 80
    method: Annotated[str, Choice(tuple(METHODS)), Label("Effort")]

    def run(self, ctx: Context) -> Shown:
        """Write the file, with the workflow that made it."""

        def write() -> bytes:
            return moving_webp(
                self.images.pixels,
                ctx.metadata,
                self.fps,
                quality=self.quality,
                method=METHODS[self.method],
                lossless=self.lossless,
            )

        return kept(ctx, self.images, self.filename_prefix, ".webp", write)

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what somebody has deleted since."""
        return isinstance(result, Written) and result.still_there


class SaveAnimatedPNG(Node):
    """Keep a batch of pictures as one that moves, in the PNG format."""

    category: ClassVar[str] = "image/animation"
    title: ClassVar[str] = "Save moving picture (PNG)"
    effect: ClassVar[bool] = True
    beside: ClassVar[bool] = True
    images: Annotated[Image, Label("Pictures")]
    filename_prefix: Name = "safelight"
    fps: Rate = 6.0
    compress_level: Annotated[
        int, Range(0, 9), Label("Compression"), Help("Higher is smaller and slower.")
    ] = 4

    def run(self, ctx: Context) -> Shown:
        """Write the file, with the workflow that made it."""

        def write() -> bytes:
            return moving_png(self.images.pixels, ctx.metadata, self.fps, self.compress_level)

        return kept(ctx, self.images, self.filename_prefix, ".png", write)

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what somebody has deleted since."""
        return isinstance(result, Written) and result.still_there
