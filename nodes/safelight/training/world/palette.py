"""The colours of the drawn world: eleven that a caption can name, and how to shade them."""

from typing import Final

Colour = tuple[int, int, int]
"""Red, green and blue, each 0 to 255."""

COLOURS: Final[dict[str, Colour]] = {
    "red": (226, 62, 60),
    "orange": (245, 146, 52),
    "yellow": (250, 212, 66),
    "green": (96, 184, 84),
    "blue": (66, 124, 222),
    "purple": (150, 92, 204),
    "pink": (246, 150, 184),
    "brown": (152, 100, 64),
    "black": (64, 60, 72),
    "white": (248, 246, 240),
    "grey": (158, 162, 170),
}

BACKDROPS: Final[dict[str, Colour]] = {
    "blue": (206, 228, 250),
    "yellow": (254, 240, 190),
    "green": (212, 238, 206),
    "pink": (252, 220, 228),
    "purple": (228, 216, 246),
    "white": (252, 250, 246),
}
"""The pale papers behind a figure in the setting `plain`."""

INK: Final[Colour] = (46, 36, 54)
WHITE: Final[Colour] = (255, 255, 255)
BLUSH: Final[Colour] = (248, 170, 180)
BEAK: Final[Colour] = (250, 176, 50)
GLASS: Final[Colour] = (168, 218, 242)
WOOD: Final[Colour] = (140, 94, 62)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Walk from `first` to `second`; a `share` of 1 is `second`."""
    r, g, b = (round(x + (y - x) * share) for x, y in zip(first, second, strict=True))
    return (r, g, b)


def shade(colour: Colour, depth: float = 0.25) -> Colour:
    """The colour in shadow: a wing, a fin, the band of a hat."""
    return mix(colour, (30, 20, 50), depth)


def tint(colour: Colour, strength: float = 0.5) -> Colour:
    """The colour in light: a belly, a muzzle."""
    return mix(colour, WHITE, strength)


def brightness(colour: Colour) -> float:
    """How light a colour looks, 0 to 255 (the luma of ITU-R BT.601)."""
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
