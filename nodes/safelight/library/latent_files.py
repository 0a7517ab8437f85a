"""Nodes that keep latents in files, to go on with them another day."""

import json
from typing import Annotated, ClassVar

import torch

from safelight.diffusion.latent import FLUX, SD1, SD3, SDXL, LatentFormat, lone_format
from safelight.diffusion.weights import CheckpointError, open_checkpoint, save_checkpoint
from safelight.graph.node import Context, Folder, Help, Label, Node, Output, Shown
from safelight.library.saving import Kept
from safelight.library.values import Latent

TENSOR = "latent_tensor"
VERSION = "latent_format_version_0"  # there: as the autoencoder gives them; else in SD1's scale
FAMILY = "safelight.latent"  # in the metadata: the name of the latent's format
SUFFIX = ".latent"
FORMATS = {form.name: form for form in (SD1, SDXL, SD3, FLUX)}


class SaveLatent(Node):
    """Keep latents: write them to the output folder, with the workflow that made them.

    Move the file into the input folder to go on from it.
    """

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Save latent"
    effect: ClassVar[bool] = True
    samples: Annotated[Latent, Label("Latent")]
    filename_prefix: Annotated[
        str, Label("Name"), Help("Files are numbered after it; a/b makes a folder a.")
    ] = "latents/safelight"

    def run(self, ctx: Context) -> Shown:
        """Write the file."""
        file = ctx.folders.new_output("output", self.filename_prefix, 0, 0).file(0, SUFFIX)
        metadata = {key: json.dumps(value) for key, value in ctx.metadata.items()}
        if self.samples.format is not None:
            metadata[FAMILY] = self.samples.format.name
        tensors = {TENSOR: self.samples.samples, VERSION: torch.empty(0)}
        save_checkpoint(file.path, tensors, metadata)
        return Kept({"latents": [file.record()]}, (file.path,))

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what somebody has deleted since."""
        return isinstance(result, Kept) and result.still_there


class LoadLatent(Node):
    """Bring latents in that were kept earlier; the file lies in the input folder."""

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Load latent"
    latent: Annotated[str, Folder("input"), Label("File"), Help("A file ending in .latent.")]

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Read the file.

        A file of another program does not tell whose latents they are; the number of
        channels leaves a few families.
        """
        path = ctx.folders.resolve("input", self.latent)
        checkpoint = open_checkpoint(path)
        if len(checkpoint.shapes.get(TENSOR, ())) != 4:
            raise CheckpointError(path, f"it holds no latents of pictures ({TENSOR})")
        samples = checkpoint.tensors[TENSOR].float().clone()
        form = read_format(checkpoint.metadata.get(FAMILY, ""), samples.shape[1])
        return Latent(samples if VERSION in checkpoint.shapes else samples / SD1.scale, form)


def read_format(name: str, channels: int) -> LatentFormat:
    """Return the format of a name, or what the number of channels tells."""
    return FORMATS[name] if name in FORMATS else lone_format(channels)
