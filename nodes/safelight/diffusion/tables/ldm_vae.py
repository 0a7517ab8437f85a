"""The autoencoder of single-file checkpoints: its names, and its sizes from their shapes.

The files number the decoder's levels from the picture's resolution down, though they run
from the latent up; ours are numbered as they run.
"""

from safelight.diffusion.tables import reach, side
from safelight.diffusion.vae import VAEConfig
from safelight.diffusion.weights import Shapes, Table, under

RESIDUAL: Table = {
    "norm1": "norm1",
    "conv1": "conv1",
    "norm2": "norm2",
    "conv2": "conv2",
    "nin_shortcut": "skip",
}
MIDDLE: Table = {
    **under("block_1", "before", RESIDUAL),
    "attn_1.norm": "attention.norm",
    "attn_1.q": "attention.query",
    "attn_1.k": "attention.key",
    "attn_1.v": "attention.value",
    "attn_1.proj_out": "attention.out",
    **under("block_2", "after", RESIDUAL),
}
MIXED: Table = {"quant_conv": "to_moments", "post_quant_conv": "from_latent"}
ENDS = {"conv_in": "stem", "norm_out": "norm_out", "conv_out": "conv_out"}


def table(config: VAEConfig) -> Table:
    """Return the names below `first_stage_model` for an autoencoder of these sizes."""
    last = len(config.multipliers) - 1
    return {
        **under("encoder", "encoder", ENDS | under("mid", "middle", MIDDLE)),
        **under("decoder", "decoder", ENDS | under("mid", "middle", MIDDLE)),
        **{
            f"encoder.down.{level}.{theirs}": f"encoder.levels.{level}.{ours}"
            for level in range(last + 1)
            for theirs, ours in _level(config.blocks, "downsample").items()
        },
        **{
            f"decoder.up.{last - level}.{theirs}": f"decoder.levels.{level}.{ours}"
            for level in range(last + 1)
            for theirs, ours in _level(config.blocks + 1, "upsample").items()
        },
        **(MIXED if config.mixed else {}),
    }


def sizes(shapes: Shapes, groups: int) -> VAEConfig:
    """Read the sizes of an autoencoder; its group count leaves no trace in shapes.

    Raises:
        KeyError: a tensor that every autoencoder has is not there.
        ValueError: a tensor tells no size.
    """
    width = side(shapes, "encoder.conv_in.weight", 0)
    levels = reach(shapes, "encoder.down.{}.block.0.conv1.weight")
    widths = (side(shapes, f"encoder.down.{i}.block.0.conv1.weight", 0) for i in range(levels))
    return VAEConfig(
        latent_channels=side(shapes, "decoder.conv_in.weight", 1),
        width=width,
        multipliers=tuple(channels // width for channels in widths),
        blocks=reach(shapes, "encoder.down.0.block.{}.conv1.weight"),
        groups=groups,
        mixed="quant_conv.weight" in shapes or "post_quant_conv.weight" in shapes,
    )


def _level(blocks: int, resize: str) -> dict[str, str]:
    """Return the names of one level."""
    names = {f"{resize}.conv": "resize.conv"}
    for block in range(blocks):
        names |= under(f"block.{block}", f"blocks.{block}", RESIDUAL)
    return names
