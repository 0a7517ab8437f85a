"""Nodes that look at pictures with CLIP, and say to a model what they see."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.clip_vision import Seen, VisionEncoder, prepared
from safelight.diffusion.redux import Redux
from safelight.diffusion.vision_file import load_style, load_vision
from safelight.graph.node import Choice, Context, Folder, Help, Label, Node, Output, Range
from safelight.library.values import Conditioning, Image


@dataclass(frozen=True, eq=False)
class ClipVision:
    """A vision tower."""

    wire: ClassVar[str] = "CLIP_VISION"
    network: VisionEncoder


@dataclass(frozen=True, eq=False)
class ClipVisionOutput:
    """What a vision tower saw in pictures, float32 on the CPU."""

    wire: ClassVar[str] = "CLIP_VISION_OUTPUT"
    seen: Seen
    tower: VisionEncoder  # whose eyes they were

    def blank(self, place: memory.Placement) -> Tensor:
        """Return what it sees where there is nothing, [1, N, D]: before its last layer."""
        side = self.tower.config.side_px
        with memory.resident(self.tower, place) as network:
            nothing = memory.converted(torch.zeros(1, 3, side, side), place)
            return network(nothing).penultimate.float().cpu()


@dataclass(frozen=True, eq=False)
class StyleModel:
    """What puts into words what was seen."""

    wire: ClassVar[str] = "STYLE_MODEL"
    network: Redux


class StyleMismatch(ValueError):
    """A style model was given what another vision tower saw, or a prompt of another family."""


class CLIPVisionLoader(Node):
    """Open a vision tower: CLIP's ViT-L, H or bigG, or SigLIP.

    It turns pictures into vectors, which other nodes say to a model as if they were words.
    Files are looked for in `models/clip_vision`.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load CLIP vision"
    clip_name: Annotated[str, Folder("clip_vision"), Label("Vision tower"), Help("The file.")]

    def run(self, ctx: Context) -> Annotated[ClipVision, Output("CLIP_VISION")]:
        """Map the file."""
        return ClipVision(load_vision(ctx.folders.resolve("clip_vision", self.clip_name)))


class CLIPVisionEncode(Node):
    """Look at a picture with a vision tower.

    The tower looks at a small square: the middle of the picture, or with "none" all of it,
    pressed into that shape.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Look at picture"
    clip_vision: Annotated[ClipVision, Label("Vision tower")]
    image: Annotated[Image, Label("Picture")]
    crop: Annotated[str, Choice(("center", "none")), Help("What to do with other shapes.")]

    def run(self, ctx: Context) -> Annotated[ClipVisionOutput, Output("CLIP_VISION_OUTPUT")]:
        """Make the picture ready, and look."""
        own = self.clip_vision.network
        place = memory.choose(ctx.device, ctx.precision).for_text
        ready = prepared(self.image.planes.float(), own.config, cropped=self.crop == "center")
        with memory.resident(own, place) as network:
            last, penultimate, pooled = network(memory.converted(ready, place))
        brief = None if pooled is None else pooled.float().cpu()
        return ClipVisionOutput(Seen(last.float().cpu(), penultimate.float().cpu(), brief), own)


class StyleModelLoader(Node):
    """Open a style model, such as Flux's Redux, which lets pictures be prompts."""

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load style model"
    style_model_name: Annotated[
        str, Folder("style_models"), Label("Style model"), Help("The file.")
    ]

    def run(self, ctx: Context) -> Annotated[StyleModel, Output("STYLE_MODEL")]:
        """Map the file."""
        return StyleModel(load_style(ctx.folders.resolve("style_models", self.style_model_name)))


class StyleModelApply(Node):
    """Say a picture to the model, behind the words of the prompt.

    With a strength below 1 the words weigh more. "multiply" makes the picture's vectors
    smaller; "attn_bias" is not to be had here, except at strength 1, where both are the same.
    """

    category: ClassVar[str] = "conditioning/style_model"
    title: ClassVar[str] = "Apply style model"
    conditioning: Conditioning
    style_model: Annotated[StyleModel, Label("Style model")]
    clip_vision_output: Annotated[ClipVisionOutput, Label("What is seen")]
    strength: Annotated[
        float, Range(0.0, 10.0, step=0.001), Help("How much the picture weighs.")
    ] = 1.0
    strength_type: Annotated[
        str, Choice(("multiply", "attn_bias")), Label("Weigh by"), Help("How it is weighed.")
    ]

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Lay the picture's vectors behind the tokens of all that is said."""
        if self.strength_type == "attn_bias" and self.strength != 1:
            raise ValueError(
                "attn_bias is only to be had at strength 1: choose multiply to weigh the picture"
            )
        place = memory.choose(ctx.device, ctx.precision).for_text
        words = said(self.style_model.network, self.clip_vision_output.seen, place)
        words = words.flatten(0, 1)[None] * self.strength
        whole = self.conditioning.whole.each(
            lambda one: replace(one, tokens=lengthened(one.tokens, words))
        )
        return Conditioning(whole)


def said(style: Redux, seen: Seen, place: memory.Placement) -> Tensor:
    """Put what was seen into vectors of a prompt, [B, N, D].

    Raises:
        StyleMismatch: another kind of tower saw it.
    """
    width, wanted = seen.last.shape[-1], style.config.seen_width
    if width != wanted:
        raise StyleMismatch(
            f"this style model knows vision towers of width {wanted}, and this one has {width}"
        )
    with memory.resident(style, place) as network:
        words: Tensor = network(memory.converted(seen.last, place))
    return words.float().cpu()


def lengthened(tokens: Tensor, words: Tensor) -> Tensor:
    """Lay words behind tokens.

    Raises:
        StyleMismatch: they are of another width: of another family.
    """
    if tokens.shape[-1] != words.shape[-1]:
        raise StyleMismatch(
            f"this style model speaks vectors of width {words.shape[-1]}, and this prompt has "
            f"{tokens.shape[-1]}"
        )
    return torch.cat([tokens, words.expand(len(tokens), -1, -1).to(tokens)], dim=1)
