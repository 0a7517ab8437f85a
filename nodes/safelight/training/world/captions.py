"""What people say about a scene: a small grammar with paraphrases.

    caption  = [style] phrase [side] [place]
    phrase   = subject | subject relation subject | number subjects
    subject  = article [size] [colour] noun [wearing article [colour] garment]

A caption says nothing that the picture does not show, and all captions of a scene
name the same attributes.
"""

from collections.abc import Mapping
from random import Random
from typing import Final

from safelight.training.world.palette import BACKDROPS, COLOURS
from safelight.training.world.scene import Actor, Scene
from safelight.training.world.styles import COLOURLESS

NOUNS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "cat": (("cat", "cats"), ("kitten", "kittens"), ("kitty", "kitties")),
    "dog": (("dog", "dogs"), ("puppy", "puppies")),
    "rabbit": (("rabbit", "rabbits"), ("bunny", "bunnies")),
    "bear": (("bear", "bears"), ("teddy bear", "teddy bears")),
    "bird": (("bird", "birds"),),
    "owl": (("owl", "owls"),),
    "fish": (("fish", "fish"),),
    "robot": (("robot", "robots"),),
    "house": (("house", "houses"), ("cottage", "cottages")),
    "tree": (("tree", "trees"),),
    "car": (("car", "cars"), ("automobile", "automobiles")),
    "boat": (("boat", "boats"), ("sailing boat", "sailing boats"), ("ship", "ships")),
    "flower": (("flower", "flowers"), ("blossom", "blossoms")),
    "mushroom": (("mushroom", "mushrooms"), ("toadstool", "toadstools")),
    "rocket": (("rocket", "rockets"), ("spaceship", "spaceships")),
    "snowman": (("snowman", "snowmen"),),
    "snail": (("snail", "snails"),),
}
"""Singular and plural; the usual word first."""

PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "meadow": (
        "on the grass",
        "in a meadow",
        "on a sunny day",
        "in a green field",
        "under the sun",
    ),
    "night": ("at night", "under the moon", "under the stars", "on a starry night", "by moonlight"),
    "sunset": ("at sunset", "at dusk", "in the evening", "under an orange sky"),
    "sea": ("in the sea", "at sea", "in the ocean", "on the water"),
    "snow": ("in the snow", "in winter", "on a snowy day"),
    "room": ("in a room", "indoors", "at home"),
    "desert": ("in the desert", "on the sand", "next to a cactus"),
}
BACKDROP_PHRASES: Final = ("on a {} background", "in front of a {} wall")

# {} stands for the phrase with its article, {bare} for the phrase without.
STYLE_PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "cartoon": ("a cartoon of {}", "{}, cartoon", "a drawing of {}", "a picture of {}"),
    "sketch": ("a sketch of {}", "a pencil drawing of {}", "{}, sketch", "a line drawing of {}"),
    "pixel": ("a pixel art {bare}", "pixel art of {}", "{}, pixel art", "8-bit pixel art of {}"),
    "watercolour": (
        "a watercolour of {}", "a watercolour painting of {}", "{}, watercolour",
        "{} in watercolour",
    ),
    "blueprint": ("a blueprint of {}", "{}, blueprint"),
}  # fmt: skip
SIZES: Final[Mapping[str, tuple[str, ...]]] = {
    "small": ("small", "small", "little", "tiny"),
    "big": ("big", "big", "large", "huge"),
}
NUMBERS: Final = {2: "two", 3: "three"}
WEARING: Final = ("in", "wearing", "with")
SIDES: Final = ("on the {}", "to the {}", "on the {} side")
FORWARD: Final = (
    "{} to the left of {}",
    "{} left of {}",
    "{} next to {}",
    "{} beside {}",
    "{} and {}",
)
BACKWARD: Final = ("{} to the right of {}", "{} right of {}")
AMERICAN: Final = {"grey": "gray", "watercolour": "watercolor"}
PLURAL_GARMENTS: Final = {"hat": "hats", "scarf": "scarves", "glasses": "glasses"}

USUAL_NOUN, CARTOON_SAID, AMERICAN_SAID, ARTICLE_DROPPED = 0.85, 0.12, 0.1, 0.06


def caption(scene: Scene, rng: Random) -> str:
    """Say what the scene shows, in words that `rng` picks."""
    bare = _phrase(scene, rng)
    place = _place(scene, rng)
    if scene.side != "centre":
        bare = f"{bare} {rng.choice(SIDES).format(scene.side)}"
    drop = scene.count == 1 and len(scene.actors) == 1 and rng.random() < ARTICLE_DROPPED
    said = bare if drop or scene.count > 1 else _with_article(bare)
    order = rng.choices(("after", "comma", "before"), (75, 15, 10))[0] if place else "alone"
    if order in {"after", "comma"}:
        tail = f" {place}" if order == "after" else f", {place}"
        said, bare = said + tail, bare + tail
    said = _styled(scene, rng, said, bare)
    return _spelt(f"{place}, {said}" if order == "before" else said, rng)


def _phrase(scene: Scene, rng: Random) -> str:
    """The subjects without the leading article."""
    hidden = scene.style in COLOURLESS
    if scene.count > 1:
        return f"{NUMBERS[scene.count]} {_subject(scene.actors[0], rng, hidden, plural=True)}"
    names = [_subject(actor, rng, hidden) for actor in scene.actors]
    if len(names) == 1:
        return names[0]
    forward = rng.random() < 0.75
    first, second = names if forward else reversed(names)
    template = rng.choice(FORWARD if forward else BACKWARD)
    return template.format(first, _with_article(second))


def _subject(actor: Actor, rng: Random, hidden: bool, *, plural: bool = False) -> str:
    nouns = NOUNS[actor.subject]
    noun = nouns[0] if rng.random() < USUAL_NOUN else rng.choice(nouns)
    words = [rng.choice(SIZES[actor.size])] if actor.size in SIZES else []
    words += [actor.colour] if actor.named and not hidden else []
    words.append(noun[1] if plural else noun[0])
    worn = actor.garment
    if worn is not None:
        kind = PLURAL_GARMENTS[worn.kind] if plural else worn.kind
        item = f"{worn.colour} {kind}" if worn.named and not hidden else kind
        single = not plural and worn.kind != "glasses"
        words += [rng.choice(WEARING), _with_article(item) if single else item]
    return " ".join(words)


def _place(scene: Scene, rng: Random) -> str:
    if not scene.setting_named:
        return ""
    if scene.setting == "plain":
        return rng.choice(BACKDROP_PHRASES).format(scene.backdrop)
    return rng.choice(PLACES[scene.setting])


def _styled(scene: Scene, rng: Random, said: str, bare: str) -> str:
    if scene.style == "cartoon" and rng.random() >= CARTOON_SAID:
        return said
    template = rng.choice(STYLE_PHRASES[scene.style])
    if "{bare}" in template and scene.count > 1:
        return f"pixel art of {said}"
    return template.format(said, bare=bare)


def _spelt(text: str, rng: Random) -> str:
    if rng.random() < AMERICAN_SAID:
        for british, american in AMERICAN.items():
            text = text.replace(british, american)
    return text


def _with_article(noun_phrase: str) -> str:
    return f"{'an' if noun_phrase[0] in 'aeiou' else 'a'} {noun_phrase}"


def vocabulary() -> frozenset[str]:
    """Every word that the grammar can say, held-out subjects and styles included."""
    phrases: list[str] = [*COLOURS, *BACKDROPS, *AMERICAN.values(), *NUMBERS.values(), *WEARING]
    phrases += [*SIDES, *FORWARD, *BACKWARD, *BACKDROP_PHRASES, "left right a an hat scarf"]
    phrases += PLURAL_GARMENTS.values()
    phrases += [noun for nouns in NOUNS.values() for forms in nouns for noun in forms]
    for table in (PLACES, STYLE_PHRASES, SIZES):
        phrases += [phrase for options in table.values() for phrase in options]
    text = " ".join(phrases).replace("{bare}", " ").replace("{}", " ").replace(",", " ")
    return frozenset(text.split())
