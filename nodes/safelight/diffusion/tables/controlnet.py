"""ControlNets on a U-Net: names in both dialects, and sizes from their shapes.

A ControlNet is half a U-Net, so most names are those of the U-Net's files; the hint's way in
and the zero convolutions have names of their own.
"""

from safelight.diffusion.control_union import UnionConfig
from safelight.diffusion.controlnet import ControlNetConfig
from safelight.diffusion.fused import Cut, Cuts
from safelight.diffusion.settings import Settings
from safelight.diffusion.tables import diffusers_unet, ldm_unet, reach, side
from safelight.diffusion.weights import Shapes, Table, under

HEAD_WIDTH = 64  # of version 2 and XL, whose transformers begin with matrices
OTHER_HALF = ("up.", "norm_out", "conv_out")  # of the U-Net, which a ControlNet lacks
LAYERS = "transformer_layes"  # spelt like this in the files
MIXING: Table = {
    "ln_1": "norm1",
    "attn.in_proj": "project",
    "attn.out_proj": "out",
    "ln_2": "norm2",
    "mlp.c_fc": "think.0",
    "mlp.c_proj": "think.2",
}
HINT, DIFFUSERS_HINT = "input_hint_block", "controlnet_cond_embedding"


def table(config: ControlNetConfig) -> Table:
    """Return the names of the original files."""
    convs, kept = 2 * len(config.hint_widths) - 1, len(config.unet.skips)
    return {
        **_half(ldm_unet.table(config.unet)),
        **{f"{HINT}.{2 * i}": f"hint.convs.{i}" for i in range(convs)},
        f"{HINT}.{2 * convs}": "hint.out",
        **{f"zero_convs.{i}.0": f"zeros.{i}" for i in range(kept)},
        "middle_block_out.0": "zero_middle",
    }


def diffusers_table(config: ControlNetConfig) -> Table:
    """Return the names of the diffusers library."""
    convs, kept = 2 * len(config.hint_widths) - 1, len(config.unet.skips)
    return {
        **_half(diffusers_unet.table(config.unet)),
        f"{DIFFUSERS_HINT}.conv_in": "hint.convs.0",
        **{f"{DIFFUSERS_HINT}.blocks.{i - 1}": f"hint.convs.{i}" for i in range(1, convs)},
        f"{DIFFUSERS_HINT}.conv_out": "hint.out",
        **{f"controlnet_down_blocks.{i}": f"zeros.{i}" for i in range(kept)},
        "controlnet_mid_block": "zero_middle",
    }


def sizes(shapes: Shapes, settings: Settings) -> ControlNetConfig:
    """Read the sizes of a ControlNet from an original file.

    Raises:
        KeyError: a tensor that every ControlNet has is not there.
        ValueError: a tensor tells no size.
    """
    stem = "input_blocks.0.0.weight"
    whole = {**shapes, "out.2.weight": (side(shapes, stem, 1),)}
    matrices = len(shapes.get("middle_block.1.proj_in.weight", ())) == 2
    heads, groups, width = _heads(settings, matrices)
    unet = ldm_unet.sizes(whole, heads, groups, width)
    return ControlNetConfig(unet, side(shapes, f"{HINT}.0.weight", 1), hint_widths(shapes))


def diffusers_sizes(shapes: Shapes, settings: Settings) -> ControlNetConfig:
    """Read the sizes of a ControlNet from a file of the diffusers library.

    Raises:
        KeyError: a tensor that every ControlNet has is not there.
        ValueError: a tensor tells no size.
    """
    whole = {**shapes, "conv_out.weight": (side(shapes, "conv_in.weight", 1),)}
    matrices = len(shapes.get("mid_block.attentions.0.proj_in.weight", ())) == 2
    heads, groups, width = _heads(settings, matrices)
    unet = diffusers_unet.sizes(whole, heads, groups, width)
    first, blocks = f"{DIFFUSERS_HINT}.conv_in.weight", f"{DIFFUSERS_HINT}.blocks.{{}}.weight"
    widths = [side(shapes, blocks.format(i), 0) for i in range(1, reach(shapes, blocks), 2)]
    return ControlNetConfig(unet, side(shapes, first, 1), (side(shapes, first, 0), *widths))


def union_table(config: UnionConfig) -> Table:
    """Return the names of a union ControlNet, which are the diffusers library's with more."""
    names = {
        "": "",  # task_embedding, which belongs to no module
        **diffusers_table(config.control),
        "spatial_ch_projs": "tint",
        "control_add_embedding.linear_1": "told.0",
        "control_add_embedding.linear_2": "told.2",
    }
    for layer in range(config.layers):
        names |= under(f"{LAYERS}.{layer}", f"mixing.{layer}", MIXING)
    return names


def union_cuts(config: UnionConfig) -> Cuts:
    """Return how fused projections are called, whose weights have a name of their own."""
    return {
        f"{LAYERS}.{layer}.attn.in_proj_{leaf}": Cut((f"{LAYERS}.{layer}.attn.in_proj.{leaf}",))
        for layer in range(config.layers)
        for leaf in ("weight", "bias")
    }


def union_sizes(shapes: Shapes, settings: Settings) -> UnionConfig:
    """Read the sizes of a union ControlNet.

    Raises:
        KeyError: a tensor that every union ControlNet has is not there.
        ValueError: a tensor tells no size.
    """
    layers = reach(shapes, f"{LAYERS}.{{}}.ln_1.weight")
    kinds = side(shapes, "task_embedding", 0)
    return UnionConfig(diffusers_sizes(shapes, settings), kinds, layers)


def marked(shapes: Shapes) -> Shapes:
    """Return the tensors by which families are told apart, named as in single files."""
    named = diffusers_unet.marked(shapes) if "conv_in.weight" in shapes else shapes
    return {name: named[name] for name in diffusers_unet.MARKS if name in named}


def _half(names: Table) -> Table:
    """Return the names of the half of a U-Net that ControlNets copy."""
    return {theirs: ours for theirs, ours in names.items() if not ours.startswith(OTHER_HALF)}


def _heads(settings: Settings, matrices: bool) -> tuple[int, int, int | None]:
    """Return heads, groups, and the width of a head where that is fixed."""
    width = settings.unet_head_width or HEAD_WIDTH
    return settings.unet_heads, settings.unet_groups, width if matrices else None


def hint_widths(shapes: Shapes) -> tuple[int, ...]:
    """Return the widths of the hint's way in: of the first convolution and of those that halve."""
    found = [side(shapes, f"{HINT}.0.weight", 0)]
    number = 4
    while f"{HINT}.{number + 2}.weight" in shapes:  # the last one leads to the U-Net's width
        found.append(side(shapes, f"{HINT}.{number}.weight", 0))
        number += 4
    return tuple(found)
