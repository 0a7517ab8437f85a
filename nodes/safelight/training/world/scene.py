"""What a picture shows, and how often: scenes, the held-out sets, the labels.

A caption is only worth learning from if the picture follows from it.  So an
attribute is either *named*, and then every caption says it, or *not named*, and
then it is drawn from what is natural (an orange or a grey cat in a meadow).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Final, NamedTuple

from safelight.training.world.cast import CAST, SUBJECTS
from safelight.training.world.clothing import GARMENTS
from safelight.training.world.palette import BACKDROPS, COLOURS
from safelight.training.world.settings import SETTINGS
from safelight.training.world.styles import COLOURLESS, STYLES, TRAINED_STYLES

HELD_OUT_PAIRS: Final = frozenset({
    ("cat", "green"), ("dog", "yellow"), ("rabbit", "orange"), ("bear", "blue"),
    ("bird", "purple"), ("owl", "red"), ("fish", "white"), ("robot", "pink"),
    ("house", "grey"), ("tree", "purple"), ("car", "black"), ("boat", "green"),
    ("flower", "brown"), ("mushroom", "blue"), ("rocket", "yellow"), ("snowman", "pink"),
})  # fmt: skip
"""Subjects in colours that training never shows: does the model compose what it knows?"""

PAIR_SIZES: Final = (("small", "big"), ("big", "small"), ("medium", "medium"))
UNSAID = 0.4  # how often a colour is left unnamed
PLAIN_COLOUR: Final[Mapping[str, tuple[str, ...]]] = {
    "hat": ("red", "blue"),
    "scarf": ("red", "blue"),
    "glasses": ("black", "red"),
}
"""The colours of clothing when nobody names one; the second where the first is the coat's."""


@dataclass(frozen=True, slots=True)
class Garment:
    """One thing worn; `named` says whether captions name its colour."""

    kind: str
    colour: str
    named: bool = True


@dataclass(frozen=True, slots=True)
class Actor:
    """One subject: its coat, its size (small, medium or big) and what it wears."""

    subject: str
    colour: str
    named: bool = True
    size: str = "medium"
    garment: Garment | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One or two actors from left to right, or `count` copies of one, in a place and a style.

    `side` is left, centre or right; `backdrop` names the paper of the setting `plain`.
    """

    actors: tuple[Actor, ...]
    setting: str = "plain"
    setting_named: bool = False
    style: str = "cartoon"
    count: int = 1
    side: str = "centre"
    backdrop: str = "blue"


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each kind of scene and each style is sampled (weights, not shares)."""

    single: float = 70
    placed: float = 12
    pair: float = 10
    count: float = 8
    styles: tuple[float, ...] = (70, 10, 10, 10)
    clothed: float = 0.6
    held_out_pairs: bool = False

    def allows(self, subject: str, colour: str) -> bool:
        """Whether a subject may be sampled in a colour."""
        return self.held_out_pairs or (subject, colour) not in HELD_OUT_PAIRS


FULL: Final = Mix()
JUDGED: Final = Mix(held_out_pairs=True)
"""For a judge, who must know what the generator has never seen."""
SIMPLE: Final = Mix(placed=0, pair=0, count=0, styles=(1, 0, 0, 0))
"""Large single cartoon subjects only: the first lesson of a curriculum."""
CROWDED: Final = Mix(single=36, placed=8, pair=44, count=12, styles=(82, 6, 6, 6))
"""Many figures: which colour belongs to whom is the hardest lesson."""


class Labels(NamedTuple):
    """What a judge should read in a picture, as indexes; of the first actor.

    `colour` and `clothing_colour` index COLOURS and are -1 where the style hides colour
    or nothing is worn; `clothing` is 0 for nothing, else 1 + the index in GARMENTS.
    """

    subject: int
    colour: int
    setting: int
    style: int
    clothing: int
    clothing_colour: int
    number: int


def labels(scene: Scene) -> Labels:
    """The labels of a scene; held-out subjects and styles follow the trained ones."""
    actor, worn = scene.actors[0], scene.actors[0].garment
    colours, hidden = list(COLOURS), scene.style in COLOURLESS
    return Labels(
        subject=list(CAST).index(actor.subject),
        colour=-1 if hidden else colours.index(actor.colour),
        setting=list(SETTINGS).index(scene.setting),
        style=list(STYLES).index(scene.style),
        clothing=0 if worn is None else 1 + GARMENTS.index(worn.kind),
        clothing_colour=-1 if hidden or worn is None else colours.index(worn.colour),
        number=scene.count,
    )


def meaning(scene: Scene) -> Scene:
    """What captions tell of a scene: two captions differ in meaning where these differ."""
    actors = tuple(_told(actor) for actor in scene.actors)
    if scene.setting_named:
        return replace(scene, actors=actors)
    return replace(scene, actors=actors, setting="", backdrop="")


def _told(actor: Actor) -> Actor:
    worn = actor.garment
    if worn is not None and not worn.named:
        worn = replace(worn, colour="")
    return replace(actor, colour=actor.colour if actor.named else "", garment=worn)


def sample_scene(rng: Random, mix: Mix = FULL) -> Scene:
    """Draw a scene; never a held-out subject, pair or style."""
    kinds = ("single", "placed", "pair", "count")
    kind = rng.choices(kinds, (mix.single, mix.placed, mix.pair, mix.count))[0]
    style = rng.choices(TRAINED_STYLES, mix.styles)[0]
    actors = _actors(rng, kind, style in COLOURLESS, mix)
    setting, named, backdrop = _setting(rng, actors[0].subject, style)
    return Scene(
        actors=actors,
        setting=setting,
        setting_named=named,
        style=style,
        count=rng.choice((2, 2, 3)) if kind == "count" else 1,
        side=rng.choice(("left", "right")) if kind == "placed" and rng.random() < 0.6 else "centre",
        backdrop=backdrop,
    )


def sample_held_out(rng: Random) -> Scene:
    """Draw a large single cartoon subject in a colour that training never showed it in."""
    subject, colour = rng.choice(sorted(HELD_OUT_PAIRS))
    setting, named, backdrop = _setting(rng, subject, "cartoon")
    return Scene((Actor(subject, colour),), setting, named, backdrop=backdrop)


def _actors(rng: Random, kind: str, colourless: bool, mix: Mix) -> tuple[Actor, ...]:
    if kind == "pair":
        pair = zip(rng.sample(SUBJECTS, 2), rng.choice(PAIR_SIZES), strict=True)
        return tuple(
            _actor(rng, Actor(name, "", size=size), colourless, mix, mix.clothed / 2)
            for name, size in pair
        )
    size = rng.choice(("small", "small", "medium", "big")) if kind == "placed" else "medium"
    clothed = mix.clothed / 3 if kind == "count" else mix.clothed
    return (_actor(rng, Actor(rng.choice(SUBJECTS), "", size=size), colourless, mix, clothed),)


def _actor(rng: Random, bare: Actor, colourless: bool, mix: Mix, clothed: float) -> Actor:
    """Give an actor a colour and perhaps a garment."""
    subject = bare.subject
    named = not colourless and rng.random() >= UNSAID
    allowed = [colour for colour in COLOURS if mix.allows(subject, colour)]
    colour = rng.choice(allowed) if named else rng.choice(CAST[subject].coats)
    garment = None
    if CAST[subject].wears and rng.random() < clothed:
        kind = rng.choices(GARMENTS, (60, 22, 18))[0]
        garment = _garment(rng, kind, colour, colourless)
    return replace(bare, colour=colour, named=named, garment=garment)


def _garment(rng: Random, kind: str, coat: str, colourless: bool) -> Garment:
    if not colourless and rng.random() >= UNSAID:
        return Garment(kind, rng.choice([colour for colour in COLOURS if colour != coat]))
    usual = [colour for colour in PLAIN_COLOUR[kind] if colour != coat]
    return Garment(kind, rng.choice(usual) if kind == "hat" else usual[0], named=False)


def _setting(rng: Random, subject: str, style: str) -> tuple[str, bool, str]:
    """A setting, whether captions name it, and the backdrop."""
    chance = 0.4 if style == "sketch" else 0.7
    if rng.random() >= chance:
        home = "plain" if style == "sketch" else rng.choice(CAST[subject].homes)
        return home, False, "blue"
    places = [place for place in SETTINGS if style != "sketch" or place != "plain"]
    return rng.choice(places), True, rng.choice(list(BACKDROPS))
