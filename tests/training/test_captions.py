"""Captions: they say what is shown, and nothing else."""

from random import Random

import numpy as np
import pytest
from tests.training.scenes import MANY, pixels, scenes

from safelight.training.world import (
    CAST,
    COLOURS,
    CONTACT_PROMPTS,
    Actor,
    Garment,
    Scene,
    caption,
    vocabulary,
)
from safelight.training.world.captions import NOUNS, PLACES

COLOURLESS = {"sketch", "blueprint"}


def words(text: str) -> list[str]:
    return (
        text.replace(",", " ").replace("gray", "grey").replace("watercolor", "watercolour").split()
    )


def test_every_colour_that_is_named_is_said_and_no_other() -> None:
    """The colour words of a caption are exactly those of what it may name."""
    for index, scene in enumerate(scenes(MANY)):
        hidden = scene.style in COLOURLESS
        expected = [] if hidden else [a.colour for a in scene.actors if a.named]
        worn = [a.garment for a in scene.actors if a.garment is not None]
        expected += [] if hidden else [garment.colour for garment in worn if garment.named]
        if scene.setting == "plain" and scene.setting_named:
            expected.append(scene.backdrop)
        text = caption(scene, Random(index))
        for phrase in ("under an orange sky", "in a green field"):
            text = text.replace(phrase, "")
        assert sorted(word for word in words(text) if word in COLOURS) == sorted(expected), text


def test_what_nobody_names_is_natural() -> None:
    """An unnamed coat or setting is one that the subject has by nature."""
    for scene in scenes(MANY):
        for actor in scene.actors:
            assert actor.named or actor.colour in CAST[actor.subject].coats
        if not scene.setting_named and scene.style != "sketch":
            assert scene.setting in CAST[scene.actors[0].subject].homes


def test_subjects_garments_and_places_are_said() -> None:
    """A caption says each subject, each garment, the place if named, and the style."""
    for index, scene in enumerate(scenes(MANY)):
        text = caption(scene, Random(index))
        for actor in scene.actors:
            forms = [noun[scene.count > 1] for noun in NOUNS[actor.subject]]
            assert any(form in text for form in forms), text
            if actor.garment is not None:
                assert actor.garment.kind[:4] in text, text
        places = PLACES.get(scene.setting, ("background", "wall"))
        assert any(place in text for place in places) == scene.setting_named, text
        said = {"sketch": ("sketch", "drawing"), "pixel": ("pixel",), "watercolour": ("watercolo",)}
        assert any(word in text for word in said.get(scene.style, ("",))), text


def test_left_and_right_are_true() -> None:
    """Whoever is said to be on the left is drawn on the left."""
    red, blue = Actor("cat", "red"), Actor("owl", "blue")
    scene = Scene((red, blue))
    image = pixels(scene, 128)
    reddish = np.nonzero((image == COLOURS["red"]).all(axis=2))[1].mean()
    bluish = np.nonzero((image == COLOURS["blue"]).all(axis=2))[1].mean()
    assert reddish < 64 < bluish
    texts = {caption(scene, Random(seed)) for seed in range(300)}
    assert "a red cat to the left of a blue owl" in texts
    assert "a blue owl to the right of a red cat" in texts
    assert not {text for text in texts if text.startswith("a blue owl to the left")}


def test_a_subject_on_one_side_stands_there() -> None:
    """The sides of a placed subject are sides of the picture."""
    middles = {}
    for side in ("left", "centre", "right"):
        image = pixels(Scene((Actor("owl", "red", size="small"),), side=side), 128)
        middles[side] = np.nonzero((image == COLOURS["red"]).all(axis=2))[1].mean()
    assert middles["left"] < 40 < 56 < middles["centre"] < 72 < 88 < middles["right"]


def test_the_grammar_says_its_whole_vocabulary_and_nothing_else() -> None:
    """Captions use every word of the vocabulary, and no word outside it."""
    held_out = [
        Scene((Actor("snail", "red"),) * 1, style="blueprint", count=count) for count in (1, 2)
    ]
    said: set[str] = set()
    for index, scene in enumerate([*scenes(3 * MANY), *held_out * 20]):
        said.update(caption(scene, Random(index)).replace(",", " ").split())
    assert said == vocabulary()


HAT = Garment("hat", "red", named=False)
SAYABLE = (
    Scene((Actor("cat", "grey", named=False, garment=HAT),)),
    Scene((Actor("robot", "red"),), "night", True),
    Scene((Actor("fish", "blue"),), "sea", True),
    Scene((Actor("rabbit", "white", garment=Garment("hat", "purple")),), "meadow", True),
    Scene((Actor("flower", "yellow"),), "snow", True, count=2),
    Scene((Actor("house", "green"),), "sunset", True),
    Scene((Actor("dog", "brown", False, garment=Garment("glasses", "black")),), style="sketch"),
    Scene((Actor("bird", "orange", size="small"), Actor("owl", "blue", size="big"))),
    Scene((Actor("rocket", "white", named=False),), "night", True, "pixel"),
)


@pytest.mark.parametrize(("scene", "prompt"), tuple(zip(SAYABLE, CONTACT_PROMPTS, strict=False)))
def test_the_prompts_of_a_contact_sheet_can_be_said(scene: Scene, prompt: str) -> None:
    """Nine of the ten prompts are captions that training may meet."""
    assert prompt in {caption(scene, Random(seed)) for seed in range(3000)}
