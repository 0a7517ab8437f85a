"""T5's encoder as transformers names it: names, and sizes from their shapes."""

from safelight.diffusion.fused import Cut, Cuts
from safelight.diffusion.t5 import T5Config
from safelight.diffusion.tables import reach, side
from safelight.diffusion.weights import Shapes, Table

TOKENS = "shared"  # the words' vectors
COPY = "encoder.embed_tokens"  # the same again; a file holds either or both
_FIRST = "encoder.block.0.layer.0.SelfAttention"

LAYER: Table = {
    "layer.0.layer_norm": "norm1",
    "layer.0.SelfAttention.q": "attention.query",
    "layer.0.SelfAttention.k": "attention.key",
    "layer.0.SelfAttention.v": "attention.value",
    "layer.0.SelfAttention.o": "attention.out",
    "layer.1.layer_norm": "norm2",
    "layer.1.DenseReluDense.wi_0": "feed_forward.think",
    "layer.1.DenseReluDense.wi_1": "feed_forward.gate",
    "layer.1.DenseReluDense.wo": "feed_forward.out",
}


def table(config: T5Config) -> Table:
    """Return the names of an encoder of these sizes."""
    return {
        TOKENS: "token",
        f"{_FIRST}.relative_attention_bias": "bias",
        **{
            f"encoder.block.{i}.{theirs}": f"layers.{i}.{ours}"
            for i in range(config.layers)
            for theirs, ours in LAYER.items()
        },
        "encoder.final_layer_norm": "norm_out",
    }


def cuts(config: T5Config) -> Cuts:
    """Take the second copy of the words' vectors for the first, which may be missing."""
    return {f"{COPY}.weight": Cut((f"{TOKENS}.weight",), second=True)}


def sizes(shapes: Shapes) -> T5Config:
    """Read the sizes of an encoder.

    Raises:
        KeyError: a tensor that every encoder has is not there.
        ValueError: a tensor tells no size.
    """
    bias = f"{_FIRST}.relative_attention_bias.weight"
    tokens = next((name for name in (f"{COPY}.weight",) if name in shapes), f"{TOKENS}.weight")
    heads = side(shapes, bias, 1)
    return T5Config(
        vocabulary=side(shapes, tokens, 0),
        width=side(shapes, tokens, 1),
        heads=heads,
        head_width=side(shapes, f"{_FIRST}.q.weight", 0) // heads,
        hidden=side(shapes, "encoder.block.0.layer.1.DenseReluDense.wi_0.weight", 0),
        layers=reach(shapes, "encoder.block.{}.layer.0.SelfAttention.q.weight"),
        buckets=side(shapes, bias, 0),
    )
