"""The cast: one row for each figure, with all that layout, sampling and captions need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from safelight.training.world import animals, things
from safelight.training.world.clothing import Outfit
from safelight.training.world.palette import Colour
from safelight.training.world.pen import Pen


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure is drawn and what is natural for it.

    `extent` is how far it reaches to the left, to the right and up from between its
    feet, and up with a hat on if it wears clothes.  `coats` are the colours it has
    when nobody names one, `homes` the settings it is in when nobody names one.
    """

    draw: Callable[[Pen, Colour, Outfit], None]
    extent: tuple[float, float, float] | tuple[float, float, float, float]
    coats: tuple[str, ...]
    homes: tuple[str, ...]

    @property
    def wears(self) -> bool:
        """Whether it can wear a hat, a scarf or glasses."""
        return len(self.extent) == 4

    @property
    def left(self) -> float:
        """How far it reaches to the left, in units of its own."""
        return self.extent[0]

    @property
    def width(self) -> float:
        """From its left to its right."""
        return self.extent[0] + self.extent[1]

    def top(self, *, hatted: bool = False) -> float:
        """How high it reaches."""
        return self.extent[-1 if hatted else 2]


CAST: Final[Mapping[str, Figure]] = {
    "cat": Figure(animals.cat, (0.47, 0.58, 1.02, 1.19), ("orange", "grey"), ("meadow", "plain")),
    "dog": Figure(animals.dog, (0.49, 0.57, 0.96, 1.22), ("brown", "white"), ("meadow", "plain")),
    "rabbit": Figure(animals.rabbit, (0.42, 0.42, 1.13, 1.13), ("white", "grey"), ("meadow",)),
    "bear": Figure(animals.bear, (0.43, 0.43, 1.01, 1.21), ("brown",), ("meadow", "plain")),
    "bird": Figure(animals.bird, (0.57, 0.65, 0.93, 1.19), ("blue", "yellow"), ("meadow", "plain")),
    "owl": Figure(animals.owl, (0.43, 0.43, 1.0, 1.16), ("brown",), ("night", "plain")),
    "fish": Figure(animals.fish, (0.53, 0.59, 0.87), ("orange", "blue"), ("sea",)),
    "robot": Figure(animals.robot, (0.42, 0.42, 1.07, 1.25), ("grey", "blue"), ("room", "plain")),
    "house": Figure(things.house, (0.55, 0.55, 0.99), ("white", "yellow"), ("meadow",)),
    "tree": Figure(things.tree, (0.48, 0.48, 0.99), ("green",), ("meadow",)),
    "car": Figure(things.car, (0.59, 0.59, 0.71), ("red", "blue"), ("meadow", "plain")),
    "boat": Figure(things.boat, (0.59, 0.59, 1.03), ("red", "blue"), ("sea",)),
    "flower": Figure(things.flower, (0.38, 0.38, 1.07), ("pink", "red"), ("meadow", "plain")),
    "mushroom": Figure(things.mushroom, (0.54, 0.54, 0.95), ("red",), ("meadow",)),
    "rocket": Figure(things.rocket, (0.44, 0.44, 1.03), ("white", "red"), ("night",)),
    "snowman": Figure(things.snowman, (0.49, 0.49, 0.96, 1.21), ("white",), ("snow",)),
    "snail": Figure(things.snail, (0.56, 0.59, 0.84), ("brown",), ("meadow",)),
}

HELD_OUT_SUBJECT: Final = "snail"
SUBJECTS: Final = tuple(name for name in CAST if name != HELD_OUT_SUBJECT)
"""The figures that training sees, in the order of their labels."""
