"""ControlNets of Stable Diffusion 3: their names, and their sizes from their shapes.

Their files are in the dialect of the diffusers library.  They are first translated, as the
transformer's are; a block of theirs has both streams whole, the last one too.
"""

from safelight.diffusion.dialect_flow import Sources, sd3_sources
from safelight.diffusion.mmdit import MMDiTConfig
from safelight.diffusion.settings import Settings
from safelight.diffusion.tables import reach, sd3_mmdit
from safelight.diffusion.weights import Shapes, Table, under

COUNT = "controlnet_blocks.{}.weight"


def table(config: MMDiTConfig) -> Table:
    """Return the names of a translated file."""
    names = {**sd3_mmdit.BEFORE, "pos_embed_input.proj": "hint.project"}
    for block in range(config.depth):
        for theirs, ours in (("context_block", "words"), ("x_block", "picture")):
            doubled = ours == "picture" and block < config.doubled
            names |= under(
                f"joint_blocks.{block}.{theirs}",
                f"blocks.{block}.{ours}",
                sd3_mmdit.stream(config, doubled=doubled),
            )
        names[f"controlnet_blocks.{block}"] = f"zeros.{block}"
    return names


def sources(shapes: Shapes) -> Sources:
    """Return what the original modules are made of in a file as it is."""
    depth = reach(shapes, COUNT)
    beyond = f"joint_blocks.{depth}."  # the block that would be last, and cut short
    return {n: s for n, s in sd3_sources(depth + 1).items() if not n.startswith(beyond)}


def sizes(shapes: Shapes, settings: Settings) -> MMDiTConfig:
    """Read the sizes from a translated file.

    Raises:
        KeyError: a tensor that every such ControlNet has is not there.
        ValueError: a tensor tells no size.
    """
    return sd3_mmdit.sizes(shapes)
