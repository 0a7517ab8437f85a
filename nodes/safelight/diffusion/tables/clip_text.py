"""CLIP's text tower as transformers names it: names, and sizes from their shapes."""

from typing import Literal

from safelight.diffusion.clip import TextConfig
from safelight.diffusion.tables import reach, side
from safelight.diffusion.weights import Shapes, Table

LAYER: Table = {
    "layer_norm1": "norm1",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.out",
    "layer_norm2": "norm2",
    "mlp.fc1": "feed_forward.0",
    "mlp.fc2": "feed_forward.2",
}
HEAD_WIDTH = 64  # of every published CLIP text tower


def table(config: TextConfig) -> Table:
    """Return the names below `transformer` for a tower of these sizes."""
    return {
        "text_model.embeddings.token_embedding": "token",
        "text_model.embeddings.position_embedding": "position",
        **{
            f"text_model.encoder.layers.{i}.{theirs}": f"layers.{i}.{ours}"
            for i in range(config.layers)
            for theirs, ours in LAYER.items()
        },
        "text_model.final_layer_norm": "norm_out",
        **({"text_projection": "projection"} if config.pooled_width else {}),
    }


def sizes(
    shapes: Shapes,
    heads: int | None,
    head_width: int | None = None,
    activation: Literal["quick_gelu", "gelu"] = "quick_gelu",
) -> TextConfig:
    """Read the sizes of a text tower; without a word on heads they are 64 wide.

    Raises:
        KeyError: a tensor that every text tower has is not there.
        ValueError: a tensor tells no size.
    """
    tokens = "text_model.embeddings.token_embedding.weight"
    positions = "text_model.embeddings.position_embedding.weight"
    projection = "text_projection.weight"
    width = side(shapes, tokens, 1)
    return TextConfig(
        vocabulary=side(shapes, tokens, 0),
        width=width,
        layers=reach(shapes, "text_model.encoder.layers.{}.layer_norm1.weight"),
        heads=heads or max(width // (head_width or HEAD_WIDTH), 1),
        positions=side(shapes, positions, 0),
        activation=activation,
        pooled_width=side(shapes, projection, 0) if projection in shapes else None,
    )
