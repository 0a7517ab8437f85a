"""Opening what sees pictures: vision towers, and the style models that put it into words."""

import re
from pathlib import Path

from safelight.diffusion.clip_vision import VisionConfig, VisionEncoder
from safelight.diffusion.family import Part
from safelight.diffusion.redux import Redux, ReduxConfig
from safelight.diffusion.settings import Settings
from safelight.diffusion.tables import clip_vision, side
from safelight.diffusion.weights import CheckpointError, Shapes, open_checkpoint

# The other tower of a whole CLIP, its temperature, 0, 1, 2 ... written down, and SigLIP's own
# way to one vector, which nothing here asks for.
LEFT_OVERS = re.compile(
    r"text_model\..*|text_projection\.weight|logit_(scale|bias)"
    r"|vision_model\.embeddings\.position_ids|vision_model\.head\..*"
)
VISION: Part[VisionConfig, VisionEncoder] = Part(
    "",
    lambda shapes, settings: clip_vision.sizes(shapes, settings.vision_heads),
    clip_vision.table,
    VisionEncoder,
    ignored=LEFT_OVERS,
)


def _redux_sizes(shapes: Shapes, settings: Settings) -> ReduxConfig:
    up, down = "redux_up.weight", "redux_down.weight"
    return ReduxConfig(side(shapes, up, 1), side(shapes, up, 0), side(shapes, down, 0))


REDUX: Part[ReduxConfig, Redux] = Part(
    "", _redux_sizes, lambda _: {"redux_up": "up", "redux_down": "down"}, Redux
)


def load_vision(path: Path) -> VisionEncoder:
    """Open a vision tower, alone or beside its text tower.

    Raises:
        CheckpointError: it cannot be opened, or holds no vision tower known here.
    """
    checkpoint = open_checkpoint(path)
    if clip_vision.PATCH not in checkpoint.shapes:
        raise CheckpointError(path, f"it holds no vision tower known here ({clip_vision.PATCH})")
    return VISION.load(checkpoint, Settings.read(checkpoint))


def load_style(path: Path) -> Redux:
    """Open a style model.

    Raises:
        CheckpointError: it cannot be opened, or is none known here.
    """
    checkpoint = open_checkpoint(path)
    if "redux_up.weight" not in checkpoint.shapes:
        raise CheckpointError(path, "it holds no style model known here (redux_up.weight)")
    return REDUX.load(checkpoint, Settings())
