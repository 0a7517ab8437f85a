"""The U-Net as the diffusers library names it: its names, and its sizes from their shapes.

Its files count levels and blocks as we do; residual halves and transformers of a level stand
in two lists.
"""

from safelight.diffusion.tables import reach, side
from safelight.diffusion.tables.ldm_unet import LAYER
from safelight.diffusion.unet import UNetConfig
from safelight.diffusion.weights import Shapes, Table, under

RESIDUAL: Table = {
    "norm1": "norm1",
    "conv1": "conv1",
    "time_emb_proj": "time",
    "norm2": "norm2",
    "conv2": "conv2",
    "conv_shortcut": "skip",
}
# Names by which families are told apart in single files -> the same tensors here.
MARKS = {
    "input_blocks.0.0.weight": "conv_in.weight",
    "middle_block.1.proj_in.weight": "mid_block.attentions.0.proj_in.weight",
    "label_emb.0.0.weight": "add_embedding.linear_1.weight",
    "input_blocks.9.0.op.weight": "down_blocks.2.downsamplers.0.conv.weight",
    "input_blocks.1.1.norm.weight": "down_blocks.0.attentions.0.norm.weight",
}
VECTOR: Table = {"add_embedding.linear_1": "vector.0", "add_embedding.linear_2": "vector.2"}


def table(config: UNetConfig) -> Table:
    """Return the names of a U-Net of these sizes."""
    names = {
        "time_embedding.linear_1": "time.widen",
        "time_embedding.linear_2": "time.mix",
        **(VECTOR if config.vector_width else {}),
        "conv_in": "stem",
        **under("mid_block.resnets.0", "middle.before", RESIDUAL),
        **_transformer("mid_block.attentions.0", "middle.transformer", config.middle_depth),
        **under("mid_block.resnets.1", "middle.after", RESIDUAL),
        "conv_norm_out": "norm_out",
        "conv_out": "conv_out",
    }
    last = len(config.depths) - 1
    for level in range(last + 1):
        depth = config.depths[level]
        names |= _level(f"down_blocks.{level}", f"down.{level}", config.blocks, depth)
        depth = config.depths[last - level]
        names |= _level(f"up_blocks.{level}", f"up.{level}", config.blocks + 1, depth)
        if level < last:
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"down.{level}.shrink.conv"
            names[f"up_blocks.{level}.upsamplers.0.conv"] = f"up.{level}.grow.conv"
    return names


def sizes(shapes: Shapes, heads: int, groups: int, head_width: int | None = None) -> UNetConfig:
    """Read the sizes of a U-Net from its tensors; heads and groups leave no trace in them.

    Raises:
        KeyError: a tensor that every U-Net has is not there.
        ValueError: a tensor tells no size.
    """
    width = side(shapes, "conv_in.weight", 0)
    levels = range(reach(shapes, "down_blocks.{}.resnets.0.conv2.weight"))
    widths = [side(shapes, f"down_blocks.{level}.resnets.0.conv2.weight", 0) for level in levels]
    middle, vector = "mid_block.attentions.0", "add_embedding.linear_1.weight"
    prompt = f"{middle}.transformer_blocks.0.attn2.to_k.weight"
    return UNetConfig(
        channels_in=side(shapes, "conv_in.weight", 1),
        channels_out=side(shapes, "conv_out.weight", 0),
        width=width,
        multipliers=tuple(channels // width for channels in widths),
        blocks=reach(shapes, "down_blocks.0.resnets.{}.conv2.weight"),
        depths=tuple(_depth(shapes, f"down_blocks.{level}.attentions.0") for level in levels),
        middle_depth=_depth(shapes, middle),
        context_width=side(shapes, prompt, 1),
        heads=heads,
        head_width=head_width,
        linear=len(shapes.get(f"{middle}.proj_in.weight", ())) == 2,
        vector_width=side(shapes, vector, 1) if vector in shapes else None,
        groups=groups,
    )


def marked(shapes: Shapes) -> Shapes:
    """Return the tensors by which families are told apart, named as in single files."""
    return {name: shapes[own] for name, own in MARKS.items() if own in shapes}


def _level(theirs: str, ours: str, blocks: int, depth: int) -> dict[str, str]:
    """Return the names of the blocks of one level."""
    names: dict[str, str] = {}
    for i in range(blocks):
        names |= under(f"{theirs}.resnets.{i}", f"{ours}.blocks.{i}.residual", RESIDUAL)
        names |= _transformer(f"{theirs}.attentions.{i}", f"{ours}.blocks.{i}.transformer", depth)
    return names


def _transformer(theirs: str, ours: str, depth: int) -> dict[str, str]:
    """Return the names of a transformer; without layers there is none."""
    ends = {"norm": "norm", "proj_in": "project_in", "proj_out": "project_out"}
    names = under(theirs, ours, ends) if depth else {}
    for i in range(depth):
        names |= under(f"{theirs}.transformer_blocks.{i}", f"{ours}.layers.{i}", LAYER)
    return names


def _depth(shapes: Shapes, transformer: str) -> int:
    """Count the layers of a transformer, 0 where there is none."""
    return reach(shapes, f"{transformer}.transformer_blocks.{{}}.norm1.weight")
