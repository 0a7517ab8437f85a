"""Vision towers as transformers names them: CLIP's and SigLIP's, and sizes from their shapes."""

import math

from safelight.diffusion.clip_vision import Activation, VisionConfig
from safelight.diffusion.tables import reach, side
from safelight.diffusion.tables.clip_text import LAYER
from safelight.diffusion.weights import Shapes, Table

HEADS = 16  # of every published tower that adapters use: ViT-L, H, bigG, SigLIP so400m
QUICK_WIDTH = 1024  # towers up to this width are OpenAI's, with their own GELU
PATCH = "vision_model.embeddings.patch_embedding.weight"
POSITIONS = "vision_model.embeddings.position_embedding.weight"
PICTURE = "vision_model.embeddings.class_embedding"
PROJECTION = "visual_projection.weight"


def table(config: VisionConfig) -> Table:
    """Return the names for a tower of these sizes."""
    own: dict[str, str] = {}
    if config.classed:
        own = {
            "vision_model.embeddings": "",
            "vision_model.pre_layrnorm": "norm_in",  # spelt so in every file
        }
    return {
        "vision_model.embeddings.patch_embedding": "patch",
        "vision_model.embeddings.position_embedding": "position",
        **own,
        **{
            f"vision_model.encoder.layers.{i}.{theirs}": f"layers.{i}.{ours}"
            for i in range(config.layers)
            for theirs, ours in LAYER.items()
        },
        "vision_model.post_layernorm": "norm_out",
        **({"visual_projection": "projection"} if config.pooled_width else {}),
    }


def sizes(shapes: Shapes, heads: int | None = None) -> VisionConfig:
    """Read the sizes of a vision tower.

    Raises:
        KeyError: a tensor that every tower has is not there.
        ValueError: a tensor tells no size.
    """
    width, patch = side(shapes, PATCH, 0), side(shapes, PATCH, 2)
    classed = PICTURE in shapes
    across = math.isqrt(side(shapes, POSITIONS, 0) - classed)
    activation: Activation = "quick_gelu" if width <= QUICK_WIDTH else "gelu"
    return VisionConfig(
        width=width,
        layers=reach(shapes, "vision_model.encoder.layers.{}.layer_norm1.weight"),
        heads=heads or HEADS,
        hidden=side(shapes, "vision_model.encoder.layers.0.mlp.fc1.weight", 0),
        patch_px=patch,
        side_px=across * patch,
        activation=activation if classed else "gelu_tanh",
        classed=classed,
        pooled_width=side(shapes, PROJECTION, 0) if PROJECTION in shapes else None,
        epsilon=1e-5 if classed else 1e-6,
    )
