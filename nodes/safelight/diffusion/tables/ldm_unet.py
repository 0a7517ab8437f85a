"""The U-Net of single-file checkpoints: its names, and its sizes read from their shapes.

The files count all blocks of the way down in one row (`input_blocks.0` is the stem, and a
shrinking convolution has a number of its own), and all blocks of the way up in another.
Inside a block, `.0` is the residual half, `.1` the transformer, and the growing
convolution of a level comes last.
"""

from itertools import count
from typing import NamedTuple

from safelight.diffusion.tables import reach, side
from safelight.diffusion.unet import UNetConfig
from safelight.diffusion.weights import Shapes, Table, under

RESIDUAL: Table = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "skip",
}
ATTENTION: Table = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "out"}
LAYER: Table = {
    "norm1": "norm1",
    **under("attn1", "to_pixels", ATTENTION),
    "norm2": "norm2",
    **under("attn2", "to_prompt", ATTENTION),
    "norm3": "norm3",
    "ff.net.0.proj": "feed_forward.value_and_gate",
    "ff.net.2": "feed_forward.out",
}
VECTOR: Table = {"label_emb.0.0": "vector.0", "label_emb.0.2": "vector.2"}


class Stage(NamedTuple):
    """What shapes tell about one numbered block of the way down."""

    width: int
    depth: int
    shrinks: bool


def table(config: UNetConfig) -> Table:
    """Return the names below `model.diffusion_model` for a U-Net of these sizes."""
    return {
        "time_embed.0": "time.widen",
        "time_embed.2": "time.mix",
        **(VECTOR if config.vector_width else {}),
        "input_blocks.0.0": "stem",
        **_down(config),
        **under("middle_block.0", "middle.before", RESIDUAL),
        **under("middle_block.1", "middle.transformer", _transformer(config.middle_depth)),
        **under("middle_block.2", "middle.after", RESIDUAL),
        **_up(config),
        "out.0": "norm_out",
        "out.2": "conv_out",
    }


def sizes(shapes: Shapes, heads: int, groups: int, head_width: int | None = None) -> UNetConfig:
    """Read the sizes of a U-Net from its tensors; heads and groups leave no trace in them.

    Raises:
        ValueError: a tensor tells no size, or the blocks of a level differ, so that no config
            describes them.
        KeyError: a tensor that every U-Net has is not there.
    """
    stem, prompt = "input_blocks.0.0.weight", "middle_block.1.transformer_blocks.0.attn2.to_k"
    project, vector = "middle_block.1.proj_in.weight", "label_emb.0.0.weight"
    width = side(shapes, stem, 0)
    levels: list[list[Stage]] = [[]]
    for stage in _stages(shapes):
        if stage.shrinks:
            levels.append([])
        else:
            levels[-1].append(stage)
    if any(len(set(level)) != 1 or len(level) != len(levels[0]) for level in levels):
        raise ValueError("the blocks of the U-Net differ within a level or in number")
    return UNetConfig(
        channels_in=side(shapes, stem, 1),
        channels_out=side(shapes, "out.2.weight", 0),
        width=width,
        multipliers=tuple(level[0].width // width for level in levels),
        blocks=len(levels[0]),
        depths=tuple(level[0].depth for level in levels),
        middle_depth=_depth(shapes, "middle_block.1"),
        context_width=side(shapes, f"{prompt}.weight", 1),
        heads=heads,
        head_width=head_width,
        linear=len(shapes.get(project, ())) == 2,
        vector_width=side(shapes, vector, 1) if vector in shapes else None,
        groups=groups,
    )


def _transformer(depth: int) -> Table:
    """Return the names of a transformer with `depth` layers."""
    ends = {"norm": "norm", "proj_in": "project_in", "proj_out": "project_out"}
    return ends | {
        theirs: ours
        for i in range(depth)
        for theirs, ours in under(f"transformer_blocks.{i}", f"layers.{i}", LAYER).items()
    }


def _block(theirs: str, ours: str, depth: int) -> dict[str, str]:
    """Return the names of one block with or without a transformer."""
    names = under(f"{theirs}.0", f"{ours}.residual", RESIDUAL)
    if depth:
        names |= under(f"{theirs}.1", f"{ours}.transformer", _transformer(depth))
    return names


def _down(config: UNetConfig) -> dict[str, str]:
    """Return the names of the way down: numbers run on through blocks and shrinkings."""
    names: dict[str, str] = {}
    numbers = count(1)
    for level, depth in enumerate(config.depths):
        for block in range(config.blocks):
            names |= _block(f"input_blocks.{next(numbers)}", f"down.{level}.blocks.{block}", depth)
        if level < len(config.depths) - 1:
            names[f"input_blocks.{next(numbers)}.0.op"] = f"down.{level}.shrink.conv"
    return names


def _up(config: UNetConfig) -> dict[str, str]:
    """Return the names of the way up, deepest level first, as we keep it too."""
    names: dict[str, str] = {}
    numbers = count()
    deepest = len(config.depths) - 1
    for level, depth in enumerate(reversed(config.depths)):
        for block in range(config.blocks + 1):
            number = next(numbers)
            names |= _block(f"output_blocks.{number}", f"up.{level}.blocks.{block}", depth)
            if block == config.blocks and level < deepest:
                slot = 2 if depth else 1
                names[f"output_blocks.{number}.{slot}.conv"] = f"up.{level}.grow.conv"
    return names


def _stages(shapes: Shapes) -> list[Stage]:
    """Return the numbered blocks after the stem, as far as they go."""
    stages: list[Stage] = []
    for number in count(1):
        block = f"input_blocks.{number}"
        if f"{block}.0.op.weight" in shapes:
            stages.append(Stage(side(shapes, f"{block}.0.op.weight", 0), 0, shrinks=True))
        elif f"{block}.0.out_layers.3.weight" in shapes:
            width = side(shapes, f"{block}.0.out_layers.3.weight", 0)
            stages.append(Stage(width, _depth(shapes, f"{block}.1"), shrinks=False))
        else:
            break
    return stages


def _depth(shapes: Shapes, transformer: str) -> int:
    """Count the layers of a transformer, 0 where there is none."""
    return reach(shapes, f"{transformer}.transformer_blocks.{{}}.norm1.weight")
