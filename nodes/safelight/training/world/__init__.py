"""The drawn world: an endless picture book in which every caption is true.

scene = sample_scene(Random(7))     # what to show
render(scene, 128)                  # the picture
caption(scene, Random(1))           # one of many ways to say it
draw(7)                             # all three at once, the same for the same number
"""

from safelight.training.world.captions import caption, vocabulary
from safelight.training.world.cast import CAST, HELD_OUT_SUBJECT, SUBJECTS
from safelight.training.world.clothing import GARMENTS
from safelight.training.world.palette import COLOURS
from safelight.training.world.picture import Drawing, draw, render, sheet
from safelight.training.world.scene import (
    CROWDED,
    FULL,
    HELD_OUT_PAIRS,
    JUDGED,
    SIMPLE,
    Actor,
    Garment,
    Labels,
    Mix,
    Scene,
    labels,
    meaning,
    sample_held_out,
    sample_scene,
)
from safelight.training.world.settings import SETTINGS
from safelight.training.world.styles import HELD_OUT_STYLE, STYLES, TRAINED_STYLES

CONTACT_PROMPTS = (
    "a cat in a hat",
    "a red robot at night",
    "a blue fish in the sea",
    "a white rabbit in a purple hat on the grass",
    "two yellow flowers in the snow",
    "a green house at sunset",
    "a sketch of a dog wearing glasses",
    "a small orange bird to the left of a big blue owl",
    "a pixel art rocket under the moon",
    "a watercolour of a boat in a scarf-red sea breeze",
)
"""What every contact sheet shows first; the last one is outside the grammar on purpose."""

__all__ = [
    "CAST", "COLOURS", "CONTACT_PROMPTS", "CROWDED", "FULL", "GARMENTS", "HELD_OUT_PAIRS",
    "HELD_OUT_STYLE", "HELD_OUT_SUBJECT", "JUDGED", "SETTINGS", "SIMPLE", "STYLES", "SUBJECTS",
    "TRAINED_STYLES", "Actor", "Drawing", "Garment", "Labels", "Mix", "Scene", "caption", "draw",
    "labels", "meaning", "render", "sample_held_out", "sample_scene", "sheet", "vocabulary",
]  # fmt: skip
