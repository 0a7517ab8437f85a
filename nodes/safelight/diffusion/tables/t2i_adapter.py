"""T2I-adapters: names in both dialects, and sizes from their shapes."""

from safelight.diffusion.settings import Settings
from safelight.diffusion.t2i_adapter import AdapterConfig
from safelight.diffusion.tables import reach, side
from safelight.diffusion.weights import Shapes, Table

XL_FOLDED = 3 * 16 * 16  # channels of a hint in colours after it was folded for XL
BLOCK: Table = {"block1": "conv1", "block2": "conv2"}


def table(config: AdapterConfig) -> Table:
    """Return the names of the original files, which count the blocks of all levels in a row."""
    names = {"conv_in": "stem"}
    for level in range(len(config.channels)):
        if _widens(config, level):
            names[f"body.{level * config.blocks}.in_conv"] = f"levels.{level}.widen"
        for block in range(config.blocks):
            theirs = f"body.{level * config.blocks + block}"
            names |= _block(theirs, f"levels.{level}.blocks.{block}")
    return names


def diffusers_table(config: AdapterConfig) -> Table:
    """Return the names of the diffusers library, below `adapter`."""
    names = {"conv_in": "stem"}
    for level in range(len(config.channels)):
        if _widens(config, level):
            names[f"body.{level}.in_conv"] = f"levels.{level}.widen"
        for block in range(config.blocks):
            theirs = f"body.{level}.resnets.{block}"
            names |= _block(theirs, f"levels.{level}.blocks.{block}")
    return names


def sizes(shapes: Shapes, settings: Settings) -> AdapterConfig:
    """Read the sizes of an adapter from an original file; two blocks a level.

    Raises:
        KeyError: a tensor that every adapter has is not there.
        ValueError: a tensor tells no size.
    """
    count = reach(shapes, "body.{}.block1.weight")
    channels = [side(shapes, f"body.{block}.block1.weight", 0) for block in range(0, count, 2)]
    return _config(shapes, tuple(channels), 2)


def diffusers_sizes(shapes: Shapes, settings: Settings) -> AdapterConfig:
    """Read the sizes of an adapter from a file of the diffusers library.

    Raises:
        KeyError: a tensor that every adapter has is not there.
        ValueError: a tensor tells no size.
    """
    first = "body.{}.resnets.0.block1.weight"
    levels = range(reach(shapes, first))
    channels = tuple(side(shapes, first.format(level), 0) for level in levels)
    return _config(shapes, channels, reach(shapes, "body.0.resnets.{}.block1.weight"))


def family(shapes: Shapes) -> str:
    """Return the name of the family that an adapter walks beside."""
    xl = side(shapes, "conv_in.weight", 1) == XL_FOLDED
    return "Stable Diffusion XL" if xl else "Stable Diffusion 1"


def _config(shapes: Shapes, channels: tuple[int, ...], blocks: int) -> AdapterConfig:
    """Tell from the folded hint how it was folded."""
    folded = side(shapes, "conv_in.weight", 1)
    fold = 16 if folded == XL_FOLDED else 8
    return AdapterConfig(channels, folded // fold**2, blocks, fold)


def _widens(config: AdapterConfig, level: int) -> bool:
    """Tell whether a level has other channels than the one before."""
    return level > 0 and config.channels[level] != config.channels[level - 1]


def _block(theirs: str, ours: str) -> Table:
    """Return the names of one block."""
    return {f"{theirs}.{name}": f"{ours}.{own}" for name, own in BLOCK.items()}
