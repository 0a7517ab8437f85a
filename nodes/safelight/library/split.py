"""Nodes that open models whose parts come in files of their own."""

from typing import Annotated, ClassVar

from safelight.diffusion.split import load_denoiser, load_texts
from safelight.diffusion.texts import Texts
from safelight.graph.node import Choice, Context, Folder, Help, Label, Node, Output
from safelight.library.values import Clip, Model

Encoder = Annotated[str, Folder("text_encoders"), Label("File"), Help("A text encoder.")]
Device = Annotated[
    str,
    Choice(("default", "cpu")),
    Help("Kept for existing workflows; Safelight places encoders itself."),
]


class UNETLoader(Node):
    """Open a denoiser that comes in a file of its own, as Flux does.

    Text encoders and the autoencoder are opened by loaders of theirs. Files are looked for
    in `models/diffusion_models`. Weights stay as they are in the file and are computed in the
    format that suits the device; `weight_dtype` is kept for existing workflows.
    """

    category: ClassVar[str] = "advanced/loaders"
    title: ClassVar[str] = "Load denoiser"
    unet_name: Annotated[str, Folder("diffusion_models"), Label("Denoiser"), Help("The file.")]
    weight_dtype: Annotated[
        str,
        Choice(("default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2")),
        Label("Weights"),
        Help("Kept for existing workflows; weights stay as they are in the file."),
    ]

    def run(self, ctx: Context) -> Annotated[Model, Output("MODEL")]:
        """Map the file."""
        bundle = load_denoiser(ctx.folders.resolve("diffusion_models", self.unet_name))
        return Model(bundle.network, bundle.model(), bundle.latent, bundle.family.name)


class CLIPLoader(Node):
    """Open one text encoder that comes in a file of its own.

    What it is, is read from the file; the type says for which models it shall read prompts.
    """

    category: ClassVar[str] = "advanced/loaders"
    title: ClassVar[str] = "Load text encoder"
    clip_name: Encoder
    type: Annotated[str, Choice(("stable_diffusion", "sd3")), Help("For which models.")]
    device: Device | None = None

    def run(self, ctx: Context) -> Annotated[Clip, Output("CLIP")]:
        """Map the file."""
        return Clip(opened(ctx, self.type, self.clip_name))


class DualCLIPLoader(Node):
    """Open two text encoders that belong together.

    Stable Diffusion XL listens to CLIP-L and bigG, Flux to CLIP-L and T5, Stable Diffusion 3
    to any two of CLIP-L, bigG and T5. The order of the files does not matter.
    """

    category: ClassVar[str] = "advanced/loaders"
    title: ClassVar[str] = "Load two text encoders"
    clip_name1: Encoder
    clip_name2: Encoder
    type: Annotated[str, Choice(("sdxl", "sd3", "flux")), Help("For which models.")]
    device: Device | None = None

    def run(self, ctx: Context) -> Annotated[Clip, Output("CLIP")]:
        """Map the files."""
        return Clip(opened(ctx, self.type, self.clip_name1, self.clip_name2))


class TripleCLIPLoader(Node):
    """Open the three text encoders of Stable Diffusion 3: CLIP-L, bigG and T5, in any order."""

    category: ClassVar[str] = "advanced/loaders"
    title: ClassVar[str] = "Load three text encoders"
    clip_name1: Encoder
    clip_name2: Encoder
    clip_name3: Encoder

    def run(self, ctx: Context) -> Annotated[Clip, Output("CLIP")]:
        """Map the files."""
        return Clip(opened(ctx, "sd3", self.clip_name1, self.clip_name2, self.clip_name3))


def opened(ctx: Context, kind: str, *names: str) -> Texts:
    """Open text encoders by their names in the list."""
    paths = [ctx.folders.resolve("text_encoders", name) for name in names]
    return load_texts(paths, kind, ctx.folders.roots("text_encoders"))
