"""Scenes of the drawn world, for tests."""

from collections.abc import Iterator
from random import Random

import numpy as np

from safelight.training.world import Mix, Scene, render, sample_scene

MANY = 4000


def scenes(count: int, mix: Mix | None = None) -> Iterator[Scene]:
    """Sample some scenes, always the same."""
    for index in range(count):
        yield sample_scene(Random(index)) if mix is None else sample_scene(Random(index), mix)


def pixels(scene: Scene, size_px: int = 64) -> np.ndarray:
    """Draw a scene as numbers that can be subtracted."""
    return np.asarray(render(scene, size_px), dtype=np.int16)
