"""Nodes that open model files."""

from typing import Annotated, ClassVar, NamedTuple

from safelight.diffusion.families import load_checkpoint, load_vae
from safelight.diffusion.latent import lone_format
from safelight.diffusion.taesd import TinyAutoencoder
from safelight.graph.node import Context, Folder, Help, Label, Node, Output, Range
from safelight.library.values import Clip, Model, Vae


class Parts(NamedTuple):
    """What is in a checkpoint."""

    model: Annotated[Model, Output("MODEL", "The network that takes noise away.")]
    clip: Annotated[Clip, Output("CLIP", "The text encoder, for prompts.")]
    vae: Annotated[Vae, Output("VAE", "The autoencoder, between latents and pictures.")]


class CheckpointLoaderSimple(Node):
    """Open a checkpoint: one file with everything that makes pictures.

    A checkpoint holds a denoiser, a text encoder and an autoencoder. Nothing is read until
    it is used, so opening even a large file takes no time. Files are looked for in
    `models/checkpoints` of Safelight's home and in folders given with `--models`; the first
    one in the list is Safelight's own small model.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load checkpoint"
    ckpt_name: Annotated[str, Folder("checkpoints"), Label("Checkpoint"), Help("The file.")]

    def run(self, ctx: Context) -> Parts:
        """Map the file and name its parts."""
        path = ctx.folders.resolve("checkpoints", self.ckpt_name)
        bundle = load_checkpoint(path, ctx.folders.roots("text_encoders"))
        return Parts(
            Model(bundle.network, bundle.model(), bundle.latent, bundle.family.name),
            Clip(bundle.texts),
            Vae(bundle.vae, bundle.latent),
        )


class VAELoader(Node):
    """Open an autoencoder that comes in a file of its own.

    Some checkpoints come without a good one; a better autoencoder of the same family can
    take its place. Tiny ones are fast and rough: `taesd`, `taesdxl`, `taesd3` and `taef1` stand
    for an encoder and a decoder in `models/vae_approx`, which must both be there.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load VAE"
    vae_name: Annotated[str, Folder("vae"), Label("VAE"), Help("The file.")]

    def run(self, ctx: Context) -> Annotated[Vae, Output("VAE")]:
        """Map the file; which family it belongs to is not written in it."""
        network = load_vae(ctx.folders.resolve("vae", self.vae_name))
        if isinstance(network, TinyAutoencoder):
            return Vae(network, network.format)
        return Vae(network, lone_format(network.config.latent_channels))


class CLIPSetLastLayer(Node):
    """Leave out the last layers of the text encoder ("CLIP skip").

    -1 keeps all layers, -2 leaves out the last one, and so on. Some models were trained
    with -2 and follow prompts better so; for others it only blurs the meaning.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Skip text layers"
    clip: Clip
    stop_at_clip_layer: Annotated[
        int, Range(-24, -1, step=1), Label("Last layer"), Help("Counted from the end.")
    ] = -1

    def run(self, ctx: Context) -> Annotated[Clip, Output("CLIP")]:
        """Return the same encoder, cut short."""
        return Clip(self.clip.texts.skipping(-1 - self.stop_at_clip_layer))
