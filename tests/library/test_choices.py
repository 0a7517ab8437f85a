"""A seed makes the choices of a prompt, and the picture tells which."""

import json
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from PIL import Image as PillowImage

from safelight.diffusion.choices import ChoiceError, resolved
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.choices import PromptChoices
from safelight.library.image import SaveImage
from safelight.library.values import Image


def no_wildcards(name: str) -> Sequence[str]:
    """Know none."""
    raise ChoiceError(f"unknown {name}")


def test_a_seed_makes_the_same_choices_again() -> None:
    """Different seeds reach every branch; plain text stays as it is."""
    prompt = "a {red|green|blue} {cat|dog}, (big:1.2)"
    texts = [resolved(prompt, seed, no_wildcards) for seed in range(200)]
    assert texts == [resolved(prompt, seed, no_wildcards) for seed in range(200)]
    assert len(set(texts)) == 6
    assert all(text.endswith(", (big:1.2)") for text in texts)
    assert resolved("no choice", 7, no_wildcards) == "no choice"


def test_weights_count() -> None:
    """A branch of weight 3 comes three times as often as one without, one of 0 never."""
    counts = Counter(resolved("{3::a|b|0::c}", seed, no_wildcards) for seed in range(2000))
    assert counts["c"] == 0
    assert counts["a"] / counts["b"] == pytest.approx(3, rel=0.2)


def test_choices_stand_in_choices_and_characters_can_be_meant() -> None:
    """Inner bars belong to inner braces; a backslash takes the meaning away."""
    assert {resolved("{a|{b|c}}", seed, no_wildcards) for seed in range(50)} == {"a", "b", "c"}
    assert {resolved("{|very }big", seed, no_wildcards) for seed in range(50)} == {
        "big",
        "very big",
    }
    assert resolved(r"\{a\|b\}", 0, no_wildcards) == "{a|b}"
    assert {resolved(r"{a\|b|a\|b}", seed, no_wildcards) for seed in range(9)} == {"a|b"}


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a {b|c", r"^a brace is not closed, at letter 3: a {b\|c$"),
        ("a } b", r"^a brace closes nothing, at letter 3: a } b$"),
        ("{0::a|0::b}", r"^all branches have weight 0: {0::a\|0::b}$"),
    ],
)
def test_a_prompt_written_wrongly_is_refused(prompt: str, message: str) -> None:
    """The message says where."""
    with pytest.raises(ChoiceError, match=message):
        resolved(prompt, 0, no_wildcards)


def test_wildcards_are_lines_of_files(folders: Folders) -> None:
    """They may hold choices and wildcards; a circle, a missing and an empty file are told."""
    home = folders.home / "wildcards"
    (home / "deep").mkdir(parents=True)
    (home / "animal.txt").write_text("# tame ones\ncat\n{small|large} dog\n\n")
    (home / "deep" / "zoo.txt").write_text("__animal__ and __animal__\n")
    (home / "round.txt").write_text("again __round__\n")
    (home / "none.txt").write_text("# nothing\n")
    ctx = NullContext(folders)
    texts = {PromptChoices(text="a __animal__", seed=seed).run(ctx) for seed in range(50)}
    assert texts == {"a cat", "a small dog", "a large dog"}
    assert " and " in PromptChoices(text="__deep/zoo__").run(ctx)
    for name, message in {
        "__round__": r"^wildcards lead in a circle: again __round__$",
        "__gone__": r"^there is no wildcard gone; want a file wildcards/gone\.txt$",
        "__none__": r"^the wildcard none is empty: wildcards/none\.txt$",
    }.items():
        with pytest.raises(ChoiceError, match=message):
            PromptChoices(text=name).run(ctx)


def test_a_changed_wildcard_is_chosen_from_again(folders: Folders) -> None:
    """What remembered results are named by changes with the files."""
    before = PromptChoices.stamp({}, folders)
    (folders.home / "wildcards").mkdir()
    (folders.home / "wildcards" / "a.txt").write_text("x")
    assert PromptChoices.stamp({}, folders) != before


def test_a_picture_tells_the_text_that_was_chosen(folders: Folders) -> None:
    """Also where the seed comes by wire from a plain number."""
    text = "{a|b|c|d|e|f|g|h}"
    prompt = {
        "1": {"class_type": "PromptChoices", "inputs": {"text": text, "seed": ["2", 0]}},
        "2": {"class_type": "PrimitiveInt", "inputs": {"value": 5}},
    }
    ctx = NullContext(folders, {"prompt": prompt})
    shown = SaveImage(images=Image(torch.zeros(1, 8, 8, 3))).run(ctx)
    (record,) = shown.ui["images"]
    with PillowImage.open(folders.resolve("output", str(record["filename"]))) as file:
        told = json.loads(file.info["resolved"])
    assert told == {"1": PromptChoices(text=text, seed=5).run(ctx)}
