"""The class-conditional transformer as its authors name it: names, and sizes from shapes."""

from safelight.diffusion.dit import DiTConfig
from safelight.diffusion.tables import reach, side
from safelight.diffusion.weights import Shapes, Table, under

HEAD_WIDTH, MOST_HEADS = 64, 16  # of the published sizes S, B, L; XL has 16 heads 72 wide
BLOCK: Table = {
    "adaLN_modulation.1": "steering.project",
    "attn.qkv": "attention.project",
    "attn.proj": "attention.out",
    "mlp.fc1": "feed_forward.0",
    "mlp.fc2": "feed_forward.2",
}


def table(config: DiTConfig) -> Table:
    """Return the names of a transformer of these sizes."""
    names = {
        "": "",  # pos_embed, which belongs to no module
        "x_embedder.proj": "patches.project",
        "t_embedder.mlp.0": "time.widen",
        "t_embedder.mlp.2": "time.mix",
        "y_embedder.embedding_table": "label",
        "final_layer.adaLN_modulation.1": "final.steer",
        "final_layer.linear": "final.project",
    }
    for block in range(config.depth):
        names |= under(f"blocks.{block}", f"blocks.{block}", BLOCK)
    return names


def sizes(shapes: Shapes) -> DiTConfig:
    """Read the sizes of a transformer.

    Raises:
        KeyError: a tensor that every such transformer has is not there.
        ValueError: a tensor tells no size.
    """
    patches = "x_embedder.proj.weight"
    patch, width = side(shapes, patches, 2), side(shapes, patches, 0)
    return DiTConfig(
        channels=side(shapes, patches, 1),
        out_channels=side(shapes, "final_layer.linear.weight", 0) // patch**2,
        patch=patch,
        side=round(side(shapes, "pos_embed", 1) ** 0.5),
        width=width,
        depth=reach(shapes, "blocks.{}.attn.qkv.weight"),
        heads=min(max(width // HEAD_WIDTH, 1), MOST_HEADS),
        labels=side(shapes, "y_embedder.embedding_table.weight", 0),
    )
