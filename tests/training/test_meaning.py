"""What captions mean: the same scene without what nobody says."""

from dataclasses import replace
from random import Random

import numpy as np

from safelight.training.pictures import MIXES, different, scene_of
from safelight.training.world import Actor, Garment, Scene, caption, draw, meaning

CAT = Actor("cat", "orange", named=False, garment=Garment("hat", "red", named=False))
SCENE = Scene((CAT,), setting="meadow")


def test_what_is_not_said_means_nothing() -> None:
    """A natural coat, a plain hat and a usual place may be others."""
    grey = replace(CAT, colour="grey", garment=Garment("hat", "blue", named=False))
    assert meaning(Scene((grey,), setting="room", backdrop="pink")) == meaning(SCENE)


def test_what_is_said_makes_another_meaning() -> None:
    """A colour, a garment, its colour, a place, a style or a number."""
    others = [
        replace(SCENE, actors=(replace(CAT, named=True),)),
        replace(SCENE, actors=(replace(CAT, garment=None),)),
        replace(SCENE, actors=(replace(CAT, garment=Garment("hat", "red")),)),
        replace(SCENE, setting_named=True),
        replace(SCENE, style="sketch"),
        replace(SCENE, count=2),
    ]
    assert len({meaning(scene) for scene in (SCENE, *others)}) == 7


def test_scenes_of_one_meaning_can_be_told_in_the_same_words() -> None:
    """The grammar never looks at what the meaning leaves out."""
    for index in range(60):
        scene = scene_of(index)
        assert caption(scene, Random(1)) == caption(meaning(scene), Random(1))


def test_a_scene_is_known_without_drawing_it() -> None:
    """It is the one that the drawing of that number shows."""
    for index in range(3):
        drawn = draw(index, 64, MIXES[index])
        assert drawn.scene == scene_of(index)
        assert drawn.image.dtype == np.uint8


def test_different_pictures_are_the_first_of_each_meaning() -> None:
    """Of two of the same meaning the later one is left out."""
    chosen = different(range(400))
    meanings = [meaning(scene_of(index)) for index in chosen]
    assert len(set(meanings)) == len(meanings) == len({meaning(scene_of(i)) for i in range(400)})
    assert len(chosen) < 400
    first: dict[Scene, int] = {}
    for index in range(400):
        first.setdefault(meaning(scene_of(index)), index)
    assert chosen == sorted(first.values())
