"""CLIP's text tower as OpenCLIP names it: fused projections, bare matrices, other words."""

from safelight.diffusion.clip import TextConfig
from safelight.diffusion.fused import Cut, Cuts
from safelight.diffusion.tables import reach, side
from safelight.diffusion.weights import Shapes, Table

LAYER: Table = {
    "ln_1": "norm1",
    "attn.query": "attention.query",  # so named by the cuts below
    "attn.key": "attention.key",
    "attn.value": "attention.value",
    "attn.out_proj": "attention.out",
    "ln_2": "norm2",
    "mlp.c_fc": "feed_forward.0",
    "mlp.c_proj": "feed_forward.2",
}
BLOCKS = "transformer.resblocks"
HEAD_WIDTH = 64  # of the published towers H and bigG


def table(config: TextConfig) -> Table:
    """Return the names of a tower of these sizes, after `cuts`."""
    return {
        "token_embedding": "token",
        "position": "position",
        **{
            f"{BLOCKS}.{i}.{theirs}": f"layers.{i}.{ours}"
            for i in range(config.layers)
            for theirs, ours in LAYER.items()
        },
        "ln_final": "norm_out",
        **({"projection": "projection"} if config.pooled_width else {}),
    }


def cuts(config: TextConfig) -> Cuts:
    """Return how the fused tensors are cut: queries, keys and values are one matrix."""
    return {
        "positional_embedding": Cut(("position.weight",)),
        **({"text_projection": PROJECTION} if config.pooled_width else {}),
        **{
            f"{BLOCKS}.{i}.attn.in_proj_{leaf}": Cut(
                tuple(f"{BLOCKS}.{i}.attn.{part}.{leaf}" for part in ("query", "key", "value"))
            )
            for i in range(config.layers)
            for leaf in ("weight", "bias")
        },
    }


PROJECTION = Cut(("projection.weight",), transposed=True)  # stored [in, out]


def sizes(shapes: Shapes, heads: int | None, head_width: int | None = None) -> TextConfig:
    """Read the sizes of a text tower; without a word on heads they are 64 wide.

    Raises:
        KeyError: a tensor that every text tower has is not there.
        ValueError: a tensor tells no size.
    """
    tokens, positions, projection = (
        "token_embedding.weight",
        "positional_embedding",
        "text_projection",
    )
    width = side(shapes, tokens, 1)
    return TextConfig(
        vocabulary=side(shapes, tokens, 0),
        width=width,
        layers=reach(shapes, f"{BLOCKS}.{{}}.ln_1.weight"),
        heads=heads or max(width // (head_width or HEAD_WIDTH), 1),
        positions=side(shapes, positions, 0),
        activation="gelu",
        pooled_width=side(shapes, projection, 1) if projection in shapes else None,
    )
