r"""Likeness: which figure is in a picture, found by drawing what else it could be.

A prompt says where a figure is and in which colour; the program that draws the world can
draw that scene with every figure of its cast.  The picture shows the figure whose drawing
it is nearest to:

    d_s = min over small shifts of  | pool(picture) - pool(drawing with s) |^2
    answer = argmin_s d_s

Nothing is trained, so the answer cannot have been learnt together with what it judges.  It
asks for one whole figure in the middle; a judge that reads any picture is `judge`.

Symbols: B pictures, S figures of the cast, h x w pooled pixels.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from safelight.training.pictures import to_tensor
from safelight.training.world import CAST, Scene, render

POOL_PX = 4
SHIFT = 1  # pooled pixels by which a figure may stand elsewhere
DRAWINGS = (1, 2)  # numbers of the drawings of each scene, which differ as hands do


def likeness(pictures: Float[Tensor, "B 3 H W"], scenes: Sequence[Scene]) -> Float[Tensor, "B S"]:
    """Return how far each picture, in -1..1, is from its scene with each figure of the cast."""
    return torch.stack(
        [
            torch.stack([distance(picture, _with(scene, name)) for name in CAST])
            for picture, scene in zip(pictures, scenes, strict=True)
        ]
    )


def recognised(pictures: Float[Tensor, "B 3 H W"], scenes: Sequence[Scene]) -> list[str]:
    """Return the name of the figure that each picture of a scene is nearest to."""
    names = list(CAST)
    return [names[index] for index in likeness(pictures, scenes).argmin(dim=1).tolist()]


def drawings(scenes: Sequence[Scene], size_px: int, seed: int = 0) -> Float[Tensor, "B 3 H W"]:
    """Draw scenes, in -1..1; `seed` moves figures a little."""
    return to_tensor(np.stack([np.asarray(render(scene, size_px, seed)) for scene in scenes]))


def _with(scene: Scene, subject: str) -> Scene:
    return replace(scene, actors=(replace(scene.actors[0], subject=subject),))


def distance(picture: Float[Tensor, "3 H W"], scene: Scene) -> Float[Tensor, ""]:
    """The least mean square between a picture and drawings of a scene, over small shifts."""
    drawn = torch.cat([drawings([scene], picture.shape[-1], seed) for seed in DRAWINGS])
    given = F.avg_pool2d(picture.float()[None], POOL_PX)
    known = F.pad(F.avg_pool2d(drawn, POOL_PX), (SHIFT,) * 4, mode="replicate")
    height, width = given.shape[-2:]
    steps = range(2 * SHIFT + 1)
    shifted = [known[..., y : y + height, x : x + width] for y in steps for x in steps]
    errors = [(given - one).square().mean(dim=(1, 2, 3)).min() for one in shifted]
    return torch.stack(errors).min()
