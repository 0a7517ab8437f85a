"""The exam: what a generator is asked to draw, and how its pictures are marked.

Of every five questions three are about one figure (or several alike), one is about two
different figures, and one is about a subject in a colour that training never showed it in.
All are new: the numbers of their scenes are beyond those that any stage learns from.

Only what a prompt names is marked.  A prompt that says nothing of the setting may be
answered in any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal

import torch

from safelight.training.judge import Verdict
from safelight.training.world import FULL, Scene, caption, labels, sample_held_out, sample_scene
from safelight.training.world.styles import COLOURLESS

Kind = Literal["single", "pair", "held out"]

KINDS: Final[tuple[Kind, ...]] = ("single", "single", "pair", "single", "held out")
SINGLE: Final = replace(FULL, pair=0, clothed=0.8)
PAIR: Final = replace(FULL, single=0, placed=0, pair=1, count=0)
FIRST_NUMBER: Final = 10**9


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and the scene it tells of."""

    number: int
    kind: Kind
    scene: Scene
    prompt: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: what is marked, the share that is wanted, and of which prompts."""

    name: str
    target: float | None = None  # None: reported, with no target of its own
    below: str | None = None  # the target is at most this row's result less `target`


ROWS: Final[Mapping[str, Row]] = {
    "subject": Row("subject", 0.98),
    "colour": Row("colour", 0.95),
    "setting": Row("setting", 0.98),
    "clothing": Row("clothing present", 0.97),
    "clothing colour": Row("clothing in its colour", 0.92),
    "pair": Row("both members of a pair", 0.85),
    "pair colours": Row("both members, each in its colour"),
    "held-out subject": Row("held-out pairs of attributes: subject", 0.05, "subject"),
    "held-out colour": Row("held-out pairs of attributes: colour", 0.05, "colour"),
    "style": Row("style"),
    "number": Row("two or three alike"),
}

Marks = Mapping[str, bool]


def questions(count: int) -> list[Question]:
    """The first `count` questions, always the same."""
    return [_question(FIRST_NUMBER + index, KINDS[index % len(KINDS)]) for index in range(count)]


def _question(number: int, kind: Kind) -> Question:
    rng = Random(f"question {number}")
    if kind == "held out":
        scene = sample_held_out(rng)
    else:
        scene = sample_scene(rng, PAIR if kind == "pair" else SINGLE)
    return Question(number, kind, scene, caption(scene, rng))


def marks(question: Question, verdict: Verdict) -> Marks:
    """Mark the answer to one question; `verdict` is of its picture alone (a batch of one)."""
    scene = question.scene
    whole = labels(scene)
    given: dict[str, bool] = {}
    if scene.setting_named:
        given["setting"] = int(verdict.setting.argmax()) == whole.setting
    if scene.style != "cartoon":
        given["style"] = int(verdict.style.argmax()) == whole.style
    if question.kind == "pair":
        return given | _pair_marks(scene, verdict)
    if scene.count > 1:
        given["number"] = int(verdict.figures.argmax()) == scene.count - 1
    seen = int(verdict.presence.argmax())  # the clearest subject is the one that is read
    own = {"subject": seen == whole.subject} | _own_marks(scene, seen, verdict)
    if question.kind == "held out":
        return given | {f"held-out {name}": mark for name, mark in own.items()}
    return given | own


def _own_marks(scene: Scene, seen: int, verdict: Verdict) -> dict[str, bool]:
    """Mark coat and clothing of the first actor, read where subject number `seen` is."""
    actor, truth, hidden = scene.actors[0], labels(scene), scene.style in COLOURLESS
    given: dict[str, bool] = {}
    if actor.named and not hidden:
        given["colour"] = int(verdict.colour[0, seen].argmax()) == truth.colour
    worn = actor.garment
    if worn is not None:
        given["clothing"] = int(verdict.clothing[0, seen].argmax()) == truth.clothing
        if worn.named and not hidden:
            read = int(verdict.clothing_colour[0, seen].argmax())
            given["clothing colour"] = given["clothing"] and read == truth.clothing_colour
    return given


def _pair_marks(scene: Scene, verdict: Verdict) -> dict[str, bool]:
    """Mark a pair: both subjects are the clearest two, and each has the colour it was given."""
    alone = [replace(scene, actors=(actor,)) for actor in scene.actors]
    asked = [labels(each).subject for each in alone]
    both = set(verdict.presence[0].topk(len(asked)).indices.tolist()) == set(asked)
    colours = [
        mark
        for each, subject in zip(alone, asked, strict=True)
        for name, mark in _own_marks(each, subject, verdict).items()
        if name == "colour"
    ]
    return {"pair": both} | ({"pair colours": both and all(colours)} if colours else {})


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many were right."""

    right: int
    total: int

    @property
    def value(self) -> float:
        """The share, 0..1."""
        return self.right / self.total if self.total else float("nan")


def tally(marked: Sequence[Marks]) -> Mapping[str, Share]:
    """Count the marks, row by row."""
    shares: dict[str, Share] = {}
    for row in ROWS:
        given = [marks[row] for marks in marked if row in marks]
        shares[row] = Share(sum(given), len(given))
    return shares


def each(verdict: Verdict) -> list[Verdict]:
    """Take a verdict on a batch apart: one for each picture."""
    parts = [torch.split(scores, 1) for scores in verdict]
    return [Verdict(*scores) for scores in zip(*parts, strict=True)]
