"""The transformer of Stable Diffusion 3 files: its names, and its sizes from their shapes."""

from safelight.diffusion.mmdit import MMDiTConfig
from safelight.diffusion.tables import reach, side
from safelight.diffusion.weights import Shapes, Table, under

HEAD_WIDTH = 64  # of every published version

ATTENTION: Table = {"qkv": "project", "proj": "out"}
NORMS: Table = {"ln_q": "query_norm", "ln_k": "key_norm"}
THINK: Table = {"mlp.fc1": "feed_forward.0", "mlp.fc2": "feed_forward.2"}
BEFORE: Table = {
    "": "",  # pos_embed, which belongs to no module
    "x_embedder.proj": "patches.project",
    "t_embedder.mlp.0": "time.widen",
    "t_embedder.mlp.2": "time.mix",
    "y_embedder.mlp.0": "pooled.0",
    "y_embedder.mlp.2": "pooled.2",
    "context_embedder": "words",
}
AFTER: Table = {
    "final_layer.adaLN_modulation.1": "final.steer",
    "final_layer.linear": "final.project",
}


def table(config: MMDiTConfig) -> Table:
    """Return the names of a transformer of these sizes."""
    last = config.depth - 1
    names = {**BEFORE, **AFTER}
    for block in range(config.depth):
        ours = "last" if block == last else f"blocks.{block}"
        theirs = f"joint_blocks.{block}"
        words = _last_words(config) if block == last else stream(config, doubled=False)
        names |= under(f"{theirs}.context_block", f"{ours}.words", words)
        names |= under(
            f"{theirs}.x_block", f"{ours}.picture", stream(config, doubled=block < config.doubled)
        )
    return names


def sizes(shapes: Shapes) -> MMDiTConfig:
    """Read the sizes of a transformer.

    Raises:
        KeyError: a tensor that every such transformer has is not there.
        ValueError: a tensor tells no size.
    """
    patches, context = "x_embedder.proj.weight", "context_embedder.weight"
    width = side(shapes, patches, 0)
    return MMDiTConfig(
        channels=side(shapes, patches, 1),
        patch=side(shapes, patches, 2),
        side=round(side(shapes, "pos_embed", 1) ** 0.5),
        width=width,
        depth=reach(shapes, "joint_blocks.{}.x_block.attn.qkv.weight"),
        heads=max(width // HEAD_WIDTH, 1),
        context_width=side(shapes, context, 1),
        pooled_width=side(shapes, "y_embedder.mlp.0.weight", 1),
        normalised="joint_blocks.0.x_block.attn.ln_q.weight" in shapes,
        doubled=reach(shapes, "joint_blocks.{}.x_block.attn2.qkv.weight"),
    )


def stream(config: MMDiTConfig, *, doubled: bool) -> Table:
    """Return the names of one block's weights for one stream."""
    attention = {**ATTENTION, **(NORMS if config.normalised else {})}
    return {
        "adaLN_modulation.1": "steering.project",
        **under("attn", "attention", attention),
        **(under("attn2", "alone", attention) if doubled else {}),
        **THINK,
    }


def _last_words(config: MMDiTConfig) -> Table:
    """Return the names of the words' weights in the last block."""
    norms = under("attn", "attention", NORMS) if config.normalised else {}
    return {"adaLN_modulation.1": "steer", "attn.qkv": "attention.project", **norms}
