"""The transformer of Flux files: its names, and its sizes from their shapes."""

from safelight.diffusion.flux import FluxConfig
from safelight.diffusion.tables import reach, side
from safelight.diffusion.weights import Shapes, Table, under

PATCH = 2  # of every published version
NORMS: Table = {"query_norm": "ears.query_norm", "key_norm": "ears.key_norm"}
EMBEDDER: Table = {"in_layer": "widen", "out_layer": "mix"}
ENDS: Table = {
    "img_in": "patches",
    **under("time_in", "time", EMBEDDER),
    "vector_in.in_layer": "pooled.0",
    "vector_in.out_layer": "pooled.2",
    "txt_in": "words",
    "final_layer.adaLN_modulation.1": "final.steer",
    "final_layer.linear": "final.project",
}
SINGLE: Table = {
    "modulation.lin": "steering.project",
    "linear1": "into",
    **under("norm", "", NORMS),
    "linear2": "out_of",
}


def table(config: FluxConfig) -> Table:
    """Return the names of a transformer of these sizes."""
    names = {**ENDS, **(under("guidance_in", "guidance", EMBEDDER) if config.guided else {})}
    for block in range(config.double_depth):
        names |= under(f"double_blocks.{block}", f"double_blocks.{block}.picture", _stream("img"))
        names |= under(f"double_blocks.{block}", f"double_blocks.{block}.words", _stream("txt"))
    for block in range(config.single_depth):
        names |= under(f"single_blocks.{block}", f"single_blocks.{block}", SINGLE)
    return names


def sizes(shapes: Shapes) -> FluxConfig:
    """Read the sizes of a transformer.

    How a head's numbers share the three coordinates leaves no trace: seven sixteenths for row
    and column each, in pairs, and the rest for the spare one, as in the published models.

    Raises:
        KeyError: a tensor that every such transformer has is not there.
        ValueError: a tensor tells no size.
    """
    width = side(shapes, "img_in.weight", 0)
    head = side(shapes, "single_blocks.0.norm.query_norm.scale", 0)
    pairs = head * 7 // 32
    return FluxConfig(
        channels=side(shapes, "img_in.weight", 1) // PATCH**2,
        out_channels=side(shapes, "final_layer.linear.weight", 0) // PATCH**2,
        patch=PATCH,
        width=width,
        hidden=side(shapes, "double_blocks.0.img_mlp.0.weight", 0),
        heads=max(width // head, 1),
        double_depth=reach(shapes, "double_blocks.{}.img_attn.qkv.weight"),
        single_depth=reach(shapes, "single_blocks.{}.linear1.weight"),
        axes=(head - 4 * pairs, 2 * pairs, 2 * pairs),
        context_width=side(shapes, "txt_in.weight", 1),
        pooled_width=side(shapes, "vector_in.in_layer.weight", 1),
        guided="guidance_in.in_layer.weight" in shapes,
    )


def _stream(name: str) -> Table:
    """Return the names of a double block's weights for one stream, "img" or "txt"."""
    return {
        f"{name}_mod.lin": "steering.project",
        f"{name}_attn.qkv": "project",
        **under(f"{name}_attn.norm", "", NORMS),
        f"{name}_attn.proj": "out",
        f"{name}_mlp.0": "feed_forward.0",
        f"{name}_mlp.2": "feed_forward.2",
    }
