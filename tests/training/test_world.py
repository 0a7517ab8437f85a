"""The drawn world: the same number gives the same picture, and no caption lies."""

from dataclasses import replace
from itertools import combinations
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.training.scenes import MANY, pixels, scenes

from safelight.training.world import (
    CAST,
    COLOURS,
    HELD_OUT_PAIRS,
    HELD_OUT_STYLE,
    HELD_OUT_SUBJECT,
    JUDGED,
    SETTINGS,
    SIMPLE,
    STYLES,
    SUBJECTS,
    Actor,
    Garment,
    Scene,
    draw,
    labels,
    render,
    sample_held_out,
    sheet,
)
from safelight.training.world.clothing import Outfit
from safelight.training.world.palette import BACKDROPS
from safelight.training.world.pen import Pen


def distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())


def test_a_number_always_gives_the_same_drawing() -> None:
    """Drawing is a function of the index, whatever was drawn before."""
    first = [draw(index) for index in range(12)]
    again = [draw(index) for index in reversed(range(12))]
    for one, other in zip(first, reversed(again), strict=True):
        assert one.scene == other.scene
        assert one.captions == other.captions
        assert np.array_equal(one.image, other.image)


def test_different_numbers_give_different_drawings() -> None:
    """Two hundred numbers give nearly two hundred pictures."""
    assert len({draw(index, 64).image.tobytes() for index in range(200)}) > 195


@pytest.mark.parametrize("size_px", [64, 128, 192, 256])
def test_a_drawing_has_the_size_that_was_asked_for(size_px: int) -> None:
    """Every style gives bytes of the asked size."""
    for style in STYLES:
        image = np.asarray(render(Scene((Actor("cat", "red"),), style=style), size_px))
        assert image.shape == (size_px, size_px, 3)
        assert image.dtype == np.uint8


@pytest.mark.parametrize("size_px", [100, 65])
def test_an_odd_size_is_refused(size_px: int) -> None:
    """A side that the pixel style cannot fill is refused with the number."""
    with pytest.raises(ValueError, match=f"a side of a positive multiple of 64, not {size_px}"):
        render(Scene((Actor("cat", "red"),)), size_px)


@pytest.mark.parametrize("size_px", [0, -64])
def test_a_picture_without_pixels_is_refused(size_px: int) -> None:
    """Nothing and less than nothing are no sizes."""
    with pytest.raises(ValueError, match=f"a side of a positive multiple of 64, not {size_px}"):
        render(Scene((Actor("cat", "red"),)), size_px)


def test_what_is_held_out_is_never_sampled() -> None:
    """Training never sees the snail, the blueprint or a held-out pair."""
    for scene in scenes(MANY):
        assert scene.style != HELD_OUT_STYLE
        for actor in scene.actors:
            assert actor.subject != HELD_OUT_SUBJECT
            assert (actor.subject, actor.colour) not in HELD_OUT_PAIRS


def test_a_judge_sees_the_held_out_pairs() -> None:
    """The judge's mix reaches every held-out pair, and still no snail."""
    seen = {(a.subject, a.colour) for scene in scenes(MANY, JUDGED) for a in scene.actors}
    assert seen >= HELD_OUT_PAIRS
    assert HELD_OUT_SUBJECT not in {subject for subject, _ in seen}


def test_held_out_scenes_reach_every_held_out_pair() -> None:
    """What measures composition shows nothing that training has shown."""
    drawn = [sample_held_out(Random(index)) for index in range(400)]
    pairs = {(scene.actors[0].subject, scene.actors[0].colour) for scene in drawn}
    assert pairs == HELD_OUT_PAIRS
    assert all(scene.actors[0].named for scene in drawn)


def test_the_world_is_sampled_in_its_whole_width() -> None:
    """Every subject, colour, setting, style, garment, side and count occurs."""
    sampled = list(scenes(MANY))
    actors = [actor for scene in sampled for actor in scene.actors]
    assert {actor.subject for actor in actors} == set(SUBJECTS)
    assert {actor.colour for actor in actors} == set(COLOURS)
    assert {scene.setting for scene in sampled} == set(SETTINGS)
    assert {scene.style for scene in sampled} == set(STYLES) - {HELD_OUT_STYLE}
    assert {actor.garment.kind for actor in actors if actor.garment} == {"hat", "scarf", "glasses"}
    assert {scene.side for scene in sampled} == {"left", "centre", "right"}
    assert {scene.count for scene in sampled} == {1, 2, 3}


def test_the_first_lesson_is_simple() -> None:
    """The simple mix holds large single cartoon subjects and nothing else."""
    for scene in scenes(300, SIMPLE):
        assert (scene.style, scene.count, scene.side) == ("cartoon", 1, "centre")
        assert [actor.size for actor in scene.actors] == ["medium"]


def test_subjects_settings_and_styles_look_different() -> None:
    """No two subjects, settings or styles draw the same picture."""
    cast = [pixels(Scene((Actor(subject, "red"),))) for subject in CAST]
    places = [pixels(Scene((Actor("cat", "red"),), setting, True)) for setting in SETTINGS]
    styles = [pixels(Scene((Actor("cat", "red"),), "meadow", True, style)) for style in STYLES]
    for pictures in (cast, places, styles):
        assert min(distance(one, other) for one, other in combinations(pictures, 2)) > 4


@pytest.mark.parametrize("subject", CAST)
def test_a_colour_is_seen_unless_the_style_hides_it(subject: str) -> None:
    """Every colour of every subject is another picture, but not in pencil."""
    drawn = [pixels(Scene((Actor(subject, colour),), "meadow", True)) for colour in COLOURS]
    assert min(distance(one, other) for one, other in combinations(drawn, 2)) > 0.5
    sketched = [
        pixels(Scene((Actor(subject, colour),), style="sketch")) for colour in ("red", "blue")
    ]
    assert distance(*sketched) == 0


@pytest.mark.parametrize("subject", [name for name, figure in CAST.items() if figure.wears])
def test_clothing_is_seen_in_its_colour(subject: str) -> None:
    """Each garment changes the picture, and so does its colour."""
    bare = pixels(Scene((Actor(subject, "grey"),)))
    for kind in ("hat", "scarf", "glasses"):
        dressed = [
            pixels(Scene((Actor(subject, "grey", garment=Garment(kind, colour)),)))
            for colour in ("red", "blue")
        ]
        assert distance(bare, dressed[0]) > 1
        assert distance(*dressed) > 0.4


@pytest.mark.parametrize("subject", CAST)
def test_the_extent_of_a_figure_is_true(subject: str) -> None:
    """A figure reaches as far as its row in the cast says, with and without a hat."""
    figure, blank = CAST[subject], (1, 2, 3)
    for hatted in (False, True) if figure.wears else (False,):
        picture = Image.new("RGB", (700, 700), blank)
        pen = Pen(ImageDraw.Draw(picture), 350, 600, 400, 1.0)
        figure.draw(pen, COLOURS["green"], Outfit(hat=COLOURS["red"] if hatted else None))
        rows, columns = np.nonzero((np.asarray(picture) != blank).any(axis=2))
        drawn = (350 - columns.min(), columns.max() - 350, 600 - rows.min())
        said = (figure.left, figure.width - figure.left, figure.top(hatted=hatted))
        assert np.allclose(np.array(drawn) / 400, said, atol=0.035)
        assert rows.max() <= 600 + 0.045 * 400


def test_nobody_is_cut_off_by_the_frame() -> None:
    """The rim of a plain picture stays bare, whoever stands in it."""
    for index, sampled in enumerate(scenes(250)):
        scene = replace(sampled, setting="plain", style="cartoon", backdrop="green")
        image = np.asarray(render(scene, 128, index))
        rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert (rim == BACKDROPS["green"]).all(), scene


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_single_subject_is_large(subject: str) -> None:
    """A lone subject fills more than half of the frame along its longer side."""
    image = np.asarray(render(Scene((Actor(subject, "red"),)), 128))
    rows, columns = np.nonzero((image != BACKDROPS["blue"]).any(axis=2))
    assert max(np.ptp(rows), np.ptp(columns)) > 80


def test_labels_tell_what_is_drawn() -> None:
    """Labels are indexes into the public tables, -1 where nothing can be seen."""
    hat = Garment("hat", "blue")
    scene = Scene((Actor("dog", "red", garment=hat),), "night", True, "pixel", count=2)
    assert labels(scene) == (1, 0, 1, 2, 1, 4, 2)
    assert labels(replace(scene, style="sketch")) == (1, -1, 1, 1, 1, -1, 2)
    assert labels(Scene((Actor("snail", "grey"),))) == (16, 10, 6, 0, 0, -1, 1)


def test_a_contact_sheet_holds_its_pictures_in_rows() -> None:
    """Five pictures in three columns make two rows, and the first is at the corner."""
    pictures = [draw(index, 64).image for index in range(5)]
    page = sheet(pictures, ["a caption"] * 5, 3)
    assert page.size == (3 * 68, 2 * (68 + 24))
    assert np.array_equal(np.asarray(page)[:64, :64], pictures[0])
    assert sheet([Image.fromarray(pictures[0])], (), 1).size == (68, 68)


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    """A sheet needs a picture."""
    with pytest.raises(ValueError, match="a contact sheet needs at least one picture"):
        sheet([])
