"""Nodes that enlarge pictures with a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from safelight.diffusion import memory, tiling
from safelight.diffusion.upscaler import Upscaler, load_upscaler
from safelight.graph.node import Context, Folder, Help, Label, Node, Output
from safelight.library.values import Image

TILE, OVERLAP = 512, 32  # pixels of the small picture
SMALLEST = 128  # a tile below which memory that runs out is an error


@dataclass(frozen=True, eq=False)
class UpscaleModel:
    """A network that enlarges pictures."""

    wire: ClassVar[str] = "UPSCALE_MODEL"
    network: Upscaler


class UpscaleModelLoader(Node):
    """Open a network that enlarges pictures: ESRGAN, Real-ESRGAN, or a compact one.

    Files are looked for in `models/upscale_models`; only safetensors are opened, for others
    can run code.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load upscaler"
    model_name: Annotated[str, Folder("upscale_models"), Label("Upscaler"), Help("The file.")]

    def run(self, ctx: Context) -> Annotated[UpscaleModel, Output("UPSCALE_MODEL")]:
        """Map the file."""
        return UpscaleModel(load_upscaler(ctx.folders.resolve("upscale_models", self.model_name)))


class ImageUpscaleWithModel(Node):
    """Enlarge a picture with a network that invents the detail; it knows by what factor.

    It works in tiles that fade into one another, and takes smaller ones if memory runs out.
    """

    category: ClassVar[str] = "image/upscaling"
    title: ClassVar[str] = "Enlarge picture by network"
    upscale_model: Annotated[UpscaleModel, Label("Upscaler")]
    image: Annotated[Image, Label("Picture")]

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")]:
        """Enlarge one picture after another."""
        place = memory.choose(ctx.device, ctx.precision).for_pictures
        with memory.resident(self.upscale_model.network, place) as network:

            def enlarge(patch: Tensor) -> Tensor:
                return network(memory.converted(patch, place)).float().cpu()

            pictures = [enlarged(ctx, enlarge, one) for one in self.image.planes[:, None]]
        return Image.from_planes(torch.cat(pictures))


def enlarged(ctx: Context, enlarge: tiling.Enlarge, picture: Tensor, side: int = TILE) -> Tensor:
    """Enlarge one picture in tiles, in ever smaller ones while memory runs out."""
    total = tiling.count(picture.shape[2], picture.shape[3], side, OVERLAP)

    def whole() -> Tensor:
        steps: Iterator[Tensor] = tiling.blended(picture, enlarge, side, OVERLAP)
        return list(ctx.track(steps, total))[-1]

    if side // 2 < SMALLEST:
        return whole()
    return tiling.sparing(whole, lambda: enlarged(ctx, enlarge, picture, side // 2))
