"""Nodes on pictures: bring one in, resize it, keep it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

from safelight.diffusion.resample import crop_to_aspect, resize
from safelight.graph.node import Choice, Context, Folder, Help, Label, Node, Output, Range, Shown
from safelight.library.choices import with_choices
from safelight.library.latent import CROPS, kept_shape
from safelight.library.pictures import lanczos, read_picture, write_png
from safelight.library.values import Image, Mask


class Loaded(NamedTuple):
    """A picture file, taken apart."""

    image: Annotated[Image, Output("IMAGE", "The colours.")]
    mask: Annotated[Mask, Output("MASK", "1 where the picture is transparent.")]


class LoadImage(Node):
    """Bring a picture in: choose one from the input folder, or drop a file on the node."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Load picture"
    image: Annotated[str, Folder("input", upload=True), Label("Picture"), Help("The file.")]

    def run(self, ctx: Context) -> Loaded:
        """Read the file."""
        pixels, mask = read_picture(ctx.folders.resolve("input", self.image))
        return Loaded(Image(pixels), Mask(mask))


class ImageScale(Node):
    """Resize a picture. With one side 0 its shape is kept; with both 0 nothing changes."""

    category: ClassVar[str] = "image/upscaling"
    title: ClassVar[str] = "Resize picture"
    image: Annotated[Image, Label("Picture")]
    upscale_method: Annotated[
        str, Choice(("nearest-exact", "bilinear", "area", "bicubic", "lanczos")), Label("Method")
    ]
    width: Annotated[int, Range(0, 16384, step=1), Help("In pixels.")] = 512
    height: Annotated[int, Range(0, 16384, step=1), Help("In pixels.")] = 512
    crop: Annotated[str, Choice(CROPS), Help("Cut to the new shape first, instead of stretching.")]

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")]:
        """Resample the colours."""
        planes = self.image.planes
        width, height = kept_shape(self.width, self.height, planes)
        if self.crop == "center":
            planes = crop_to_aspect(planes, height, width)
        if self.upscale_method == "lanczos":
            return Image(lanczos(planes.movedim(1, -1), height, width))
        return Image.from_planes(resize(planes, height, width, self.upscale_method))


@dataclass(frozen=True, slots=True)
class Written(Shown):
    """Pictures that were written, and where."""

    paths: tuple[Path, ...] = ()

    @property
    def still_there(self) -> bool:
        """Whether every file exists, so that nothing need be written again."""
        return all(path.is_file() for path in self.paths)


def written(ctx: Context, image: Image, kind: str, prefix: str) -> Written:
    """Write every picture of a batch to a folder, each with the workflow that made it."""
    height, width = image.pixels.shape[1:3]
    series = ctx.folders.new_output(kind, prefix, width, height)
    files = [series.file(index) for index in range(len(image.pixels))]
    metadata = with_choices(ctx.metadata, ctx.folders)
    for file, pixels in zip(files, image.pixels, strict=True):
        file.write(write_png(pixels, metadata))
    return Written({"images": [file.record() for file in files]}, tuple(f.path for f in files))


class SaveImage(Node):
    """Keep pictures: write them to the output folder, each with the workflow that made it.

    Drop such a file on the canvas and the workflow is back.
    """

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Save picture"
    effect: ClassVar[bool] = True
    beside: ClassVar[bool] = True
    images: Annotated[Image, Label("Picture")]
    filename_prefix: Annotated[
        str, Label("Name"), Help("Files are numbered after it; a/b makes a folder a.")
    ] = "safelight"

    def run(self, ctx: Context) -> Shown:
        """Write PNG files."""
        return written(ctx, self.images, "output", self.filename_prefix)

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what somebody has deleted since."""
        return isinstance(result, Written) and result.still_there


class PreviewImage(Node):
    """Look at pictures without keeping them."""

    category: ClassVar[str] = "image"
    title: ClassVar[str] = "Preview picture"
    effect: ClassVar[bool] = True
    beside: ClassVar[bool] = True
    images: Annotated[Image, Label("Picture")]

    def run(self, ctx: Context) -> Shown:
        """Write PNG files to the folder that is emptied at each start."""
        return written(ctx, self.images, "temp", "preview")

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what was cleared away since."""
        return isinstance(result, Written) and result.still_there
