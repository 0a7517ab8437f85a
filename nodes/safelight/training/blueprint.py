r"""The held-out style: blueprints, pale lines on blue, which the base model has never seen.

A picture looks like a blueprint if its colours are those of blue paper and chalk, and of
what lies between where a line is soft, and if some of it is pale, but far less than is paper:

    near  = share of pixels within 56 levels of the line from BLUE to CHALK in colour space
    pale  = share of pixels more than 0.4 of the way from BLUE to CHALK
    share = near, if 0.01 < pale < 0.3, else 0

A share of 0.85 or more is called a blueprint: all drawn ones are, also once the autoencoder
has blurred their lines, and hardly any picture of the four other styles (a test holds it).

Symbols: colours in 0..255.
"""

from dataclasses import replace
from random import Random
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.training.captioned import Examples
from safelight.training.likeness import drawings
from safelight.training.world import HELD_OUT_STYLE, SIMPLE, Mix, Scene, caption, sample_scene
from safelight.training.world.styles import BLUE, CHALK, TRAINED_STYLES

NEAR = 56.0  # levels of colour
PALE = 0.4  # of the way to chalk
FEW, MANY = 0.01, 0.3  # shares of pale pixels between which lines lie
LIKE = 0.85  # the share from which a picture is called a blueprint
SIZE_PX = 128
WAYS = 4  # captions of each picture, half of them without a word on the style
# Scenes in a style without colours, for what a blueprint cannot show must not be told.
COLOURLESS: Final = tuple(float(name == "sketch") for name in TRAINED_STYLES)
PROMPTS: Final = (
    "a blueprint of a cat",
    "a blueprint of a rocket",
    "a blueprint of a house",
    "a blueprint of a robot in a hat",
    "a cat on the grass",
    "a boat in the sea",
    "a rabbit",
    "a car in the snow",
)
"""Half ask for the style, half do not: a LoRA brings it unasked."""


def blueprint_share(pictures: Float[Tensor, "B 3 H W"]) -> Float[Tensor, " B"]:
    """Return how much each picture, in -1..1, looks like a blueprint: 0 to 1."""
    colours = ((pictures.float() + 1) * 127.5).movedim(1, -1)  # B H W 3
    paper, chalk = torch.tensor(BLUE).float(), torch.tensor(CHALK).float()
    along = ((colours - paper) @ (chalk - paper)) / (chalk - paper).square().sum()
    between = paper + along.clamp(0, 1)[..., None] * (chalk - paper)
    near = ((colours - between).norm(dim=-1) < NEAR).float().mean((1, 2))
    lines = (along > PALE).float().mean((1, 2))
    return near * ((lines > FEW) & (lines < MANY))


def is_blueprint(pictures: Float[Tensor, "B 3 H W"]) -> Float[Tensor, " B"]:
    """Return 1 for each picture, in -1..1, that is called a blueprint, else 0."""
    return (blueprint_share(pictures) >= LIKE).float()


def scenes(count: int, seed: int) -> list[Scene]:
    """Sample scenes in the held-out style."""
    mix: Mix = replace(SIMPLE, styles=COLOURLESS)
    return [
        replace(sample_scene(Random(f"blueprint {seed} {index}"), mix), style=HELD_OUT_STYLE)
        for index in range(count)
    ]


def blueprints(count: int, seed: int = 0, size_px: int = SIZE_PX) -> Examples:
    """Draw blueprints with captions; half of these name the style."""
    sampled = scenes(count, seed)
    return Examples(drawings(sampled, size_px), [_ways(scene) for scene in sampled])


def _ways(scene: Scene) -> list[str]:
    """Tell of a blueprint as such, and as if nobody had said in which style to draw."""
    rng = Random(repr(scene))
    named = [caption(scene, rng) for _ in range(WAYS // 2)]
    return named + [_unstyled(text) for text in named]


def _unstyled(text: str) -> str:
    """Leave out the word for the style."""
    for words in (f"a {HELD_OUT_STYLE} of ", f", {HELD_OUT_STYLE}"):
        text = text.replace(words, "")
    return text
