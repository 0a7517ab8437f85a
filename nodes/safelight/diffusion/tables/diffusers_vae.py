"""The autoencoder as the diffusers library names it: its names, and its sizes from shapes.

Its files number the decoder's levels as they run, as we do, and write the projections of the
attention as matrices.  Files from before 2023 call those by other words.
"""

from safelight.diffusion.fused import Cut, Cuts
from safelight.diffusion.tables import reach, side
from safelight.diffusion.tables.ldm_vae import MIXED
from safelight.diffusion.vae import VAEConfig
from safelight.diffusion.weights import Shapes, Table, under

RESIDUAL: Table = {
    "norm1": "norm1",
    "conv1": "conv1",
    "norm2": "norm2",
    "conv2": "conv2",
    "conv_shortcut": "skip",
}
ATTENTION: Table = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "out"}
OLD_ATTENTION: Table = {"query": "query", "key": "key", "value": "value", "proj_attn": "out"}
ENDS: Table = {"conv_in": "stem", "conv_norm_out": "norm_out", "conv_out": "conv_out"}
HALVES = ("encoder", "decoder")


def table(config: VAEConfig) -> Table:
    """Return the names of an autoencoder of these sizes."""
    return _table(config, ATTENTION)


def old_table(config: VAEConfig) -> Table:
    """Return the names that old files have."""
    return _table(config, OLD_ATTENTION)


def cuts(config: VAEConfig) -> Cuts:
    """Return how matrices become the 1 x 1 convolutions that we keep."""
    return _cuts(ATTENTION)


def old_cuts(config: VAEConfig) -> Cuts:
    """Return the same for the names that old files have."""
    return _cuts(OLD_ATTENTION)


def sizes(shapes: Shapes, groups: int) -> VAEConfig:
    """Read the sizes of an autoencoder; its group count leaves no trace in shapes.

    Raises:
        KeyError: a tensor that every autoencoder has is not there.
        ValueError: a tensor tells no size.
    """
    width = side(shapes, "encoder.conv_in.weight", 0)
    first = "encoder.down_blocks.{}.resnets.0.conv1.weight"
    levels = range(reach(shapes, first))
    return VAEConfig(
        latent_channels=side(shapes, "decoder.conv_in.weight", 1),
        width=width,
        multipliers=tuple(side(shapes, first.format(level), 0) // width for level in levels),
        blocks=reach(shapes, "encoder.down_blocks.0.resnets.{}.conv1.weight"),
        groups=groups,
        mixed="quant_conv.weight" in shapes or "post_quant_conv.weight" in shapes,
    )


def _table(config: VAEConfig, attention: Table) -> Table:
    """Return the names with the given words for the attention."""
    middle = {
        **under("resnets.0", "before", RESIDUAL),
        **under("attentions.0", "attention", {"group_norm": "norm", **attention}),
        **under("resnets.1", "after", RESIDUAL),
    }
    names = dict(MIXED if config.mixed else {})
    for half in HALVES:
        names |= under(half, half, ENDS) | under(f"{half}.mid_block", f"{half}.middle", middle)
    for level in range(len(config.multipliers)):
        down, up = f"encoder.down_blocks.{level}", f"decoder.up_blocks.{level}"
        names |= under(down, f"encoder.levels.{level}", _level(config.blocks, "downsamplers"))
        names |= under(up, f"decoder.levels.{level}", _level(config.blocks + 1, "upsamplers"))
    return names


def _level(blocks: int, resize: str) -> dict[str, str]:
    """Return the names of one level."""
    names = {f"{resize}.0.conv": "resize.conv"}
    for block in range(blocks):
        names |= under(f"resnets.{block}", f"blocks.{block}", RESIDUAL)
    return names


def _cuts(attention: Table) -> Cuts:
    """Return the cuts with the given words for the attention."""
    names = (
        f"{half}.mid_block.attentions.0.{name}.weight" for half in HALVES for name in attention
    )
    return {name: Cut((name,), lifted=True) for name in names}
