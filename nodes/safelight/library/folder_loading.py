"""A node that opens models whose parts lie in a folder."""

from typing import Annotated, ClassVar

from safelight.diffusion.folder import load_folder
from safelight.graph.node import Context, Folder, Help, Label, Node
from safelight.library.loading import Parts
from safelight.library.values import Clip, Model, Vae


class DiffusersLoader(Node):
    """Open a model as the diffusers library keeps it: a folder with a `model_index.json`.

    Such folders are looked for in `models/diffusers`; large parts may come in several files.
    """

    category: ClassVar[str] = "advanced/loaders/deprecated"
    title: ClassVar[str] = "Load diffusers folder"
    model_path: Annotated[str, Folder("diffusers"), Label("Model"), Help("The folder.")]

    def run(self, ctx: Context) -> Parts:
        """Map the files."""
        listing = ctx.folders.resolve("diffusers", self.model_path)
        bundle, texts, vae = load_folder(listing, tuple(ctx.folders.roots("text_encoders")))
        return Parts(
            Model(bundle.network, bundle.model(), bundle.latent, bundle.family.name),
            Clip(texts),
            Vae(vae, bundle.latent),
        )
