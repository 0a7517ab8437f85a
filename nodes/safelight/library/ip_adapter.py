"""Nodes that let a picture be a prompt, beside the words."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.ip_adapter import (
    Adapter,
    AdapterMismatch,
    PictureWords,
    load_adapter,
    seeing,
    with_picture,
)
from safelight.diffusion.perceiver import Perceiver
from safelight.diffusion.unet import UNet
from safelight.graph.node import Context, Folder, Help, Label, Node, Output, Range
from safelight.library.values import Model
from safelight.library.vision import ClipVisionOutput


@dataclass(frozen=True, eq=False)
class IPAdapter:
    """An adapter's file, opened."""

    wire: ClassVar[str] = "IPADAPTER"
    adapter: Adapter


class IPAdapterLoader(Node):
    """Open an IP-Adapter, plain or plus, which makes a picture part of the prompt.

    Files are looked for in `models/ipadapter`. Each belongs to one kind of model (Stable
    Diffusion 1, 2 or XL) and to one vision tower. The plus kind keeps more of the picture.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load IP-Adapter"
    ipadapter_file: Annotated[str, Folder("ipadapter"), Label("IP-Adapter"), Help("The file.")]

    def run(self, ctx: Context) -> Annotated[IPAdapter, Output("IPADAPTER")]:
        """Map the file."""
        return IPAdapter(load_adapter(ctx.folders.resolve("ipadapter", self.ipadapter_file)))


class IPAdapterApply(Node):
    """Show a model a picture, beside whatever its prompts say.

    Everything that is wanted sees the picture, everything that is not wanted sees none.
    Content, colours and style come along; with a smaller weight the words say more. Of
    several pictures the model sees the mean.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Show picture to model"
    model: Model
    ipadapter: Annotated[IPAdapter, Label("IP-Adapter")]
    clip_vision_output: Annotated[ClipVisionOutput, Label("What is seen")]
    weight: Annotated[float, Range(-1.0, 3.0, step=0.05), Help("0 shows nothing.")] = 1.0

    def run(self, ctx: Context) -> Annotated[Model, Output("MODEL")]:
        """Put what was seen into vectors, and give the network eyes for them."""
        own, network = self.ipadapter.adapter, self.model.network
        if not isinstance(network, UNet):
            raise AdapterMismatch(
                f"{self.model.family} has no U-Net, and IP-Adapters are for those"
            )
        place = memory.choose(ctx.device, ctx.precision).for_text
        seen = looked_at(own.words, self.clip_vision_output, place)
        if self.weight == 0:
            return self.model
        with memory.resident(own.words, place) as words:
            shown, hidden = words(memory.converted(seen, place)).float().cpu().chunk(2)
        denoiser = self.model.denoiser
        return replace(
            self.model,
            network=with_picture(network, own, self.weight),
            denoiser=replace(denoiser, listen=seeing(denoiser.listen, shown, hidden)),
        )


def looked_at(
    words: PictureWords | Perceiver, output: ClipVisionOutput, place: memory.Placement
) -> Tensor:
    """Return what an adapter hears of a picture, and below it what it hears of none.

    Raises:
        AdapterMismatch: the vision tower gives vectors of another width, or none of that kind.
    """
    plus = isinstance(words, Perceiver)
    seen = output.seen.penultimate if plus else output.seen.pooled
    if seen is None or seen.shape[-1] != words.seen_width:
        has = "none" if seen is None else str(seen.shape[-1])
        what = "vectors" if plus else "a vector"
        wish = f"{what} of {words.seen_width} numbers from CLIP vision, and this one gives {has}"
        raise AdapterMismatch(f"this IP-Adapter wants {wish}")
    mean = seen.mean(dim=0, keepdim=True)
    return torch.cat([mean, output.blank(place) if plus else torch.zeros_like(mean)])
