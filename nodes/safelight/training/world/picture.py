"""From a scene to pixels: who stands where, how large, and in which order it is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from safelight.training.world.captions import caption
from safelight.training.world.cast import CAST
from safelight.training.world.clothing import Outfit
from safelight.training.world.palette import BACKDROPS, COLOURS, Colour, shade
from safelight.training.world.pen import Pen, ellipse
from safelight.training.world.scene import FULL, Actor, Mix, Scene, sample_scene
from safelight.training.world.settings import SETTINGS, Setting, Sky, sky_image
from safelight.training.world.styles import STYLES

Pixels = UInt8[np.ndarray, "H W 3"]

SINGLE = {"small": 0.4, "medium": 0.72, "big": 0.82}
ASIDE = {"small": 0.4, "medium": 0.52, "big": 0.6}
PAIRED = {"small": 0.3, "medium": 0.46, "big": 0.6}
COUNTED = {2: 0.48, 3: 0.44}
"""Heights as shares of the picture: alone, left or right, in pairs, in company."""

MARGIN = 0.036
JITTER = 0.008
HEADROOM = 0.89  # how high the tallest figure may reach
LEAN = {"left": 0.25, "centre": 1.0, "right": 1.75}  # shares of the gap at the left
FINENESS = 4  # drawn pixels along the side of a final one; 3 where pictures are large
CAPTIONS = 4


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture `[H, W, 3]` of bytes, four captions that fit it, and what it shows."""

    image: Pixels
    captions: tuple[str, ...]
    scene: Scene


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an actor stands, in shares of the picture."""

    actor: Actor
    x: float
    y: float
    height: float


def draw(index: int, size_px: int = 128, mix: Mix = FULL) -> Drawing:
    """The picture with this number: the same index always gives the same drawing."""
    rng = Random(index)
    scene = sample_scene(rng, mix)
    captions = tuple(caption(scene, rng) for _ in range(CAPTIONS))
    return Drawing(np.array(render(scene, size_px, index)), captions, scene)


def render(scene: Scene, size_px: int = 128, seed: int = 0) -> Image.Image:
    """Draw a scene; `seed` moves the figures a little, as a hand would.

    The side must be a positive multiple of 64 pixels, or ValueError is raised.
    """
    if size_px <= 0 or size_px % 64:
        msg = f"the drawn world needs a side of a positive multiple of 64, not {size_px}"
        raise ValueError(msg)
    style = STYLES[scene.style]
    canvas_px = style.grid_px or size_px * (FINENESS if size_px <= 128 else 3)
    picture = _background(scene, canvas_px)
    brush = ImageDraw.Draw(picture)
    for spot in _spots(scene, Random(f"spots {seed}")):
        _draw_actor(brush, spot, scene, canvas_px)
    front = SETTINGS[scene.setting].front
    if front is not None and style.paper is None:
        front(Pen(brush, 0, 0, canvas_px, canvas_px * style.line))
    return style.finish(picture, size_px)


def _background(scene: Scene, canvas_px: int) -> Image.Image:
    """The place of a scene, or bare paper where the style has some and no place is named."""
    style, setting = STYLES[scene.style], SETTINGS[scene.setting]
    if style.paper is not None and not scene.setting_named:
        return Image.new("RGB", (canvas_px, canvas_px), style.paper)
    paper = BACKDROPS[scene.backdrop]
    sky = ((0.0, paper),) if scene.setting == "plain" else setting.sky
    return _place(setting, sky, scene.style, canvas_px).copy()


@lru_cache(maxsize=128)
def _place(setting: Setting, sky: Sky, style_name: str, canvas_px: int) -> Image.Image:
    style, picture = STYLES[style_name], sky_image(sky, canvas_px)
    if setting.scenery is not None:
        setting.scenery(Pen(ImageDraw.Draw(picture), 0, 0, canvas_px, canvas_px * style.line))
    return style.place(picture)


def _draw_actor(brush: ImageDraw.ImageDraw, spot: Spot, scene: Scene, canvas_px: int) -> None:
    actor, style = spot.actor, STYLES[scene.style]
    figure = CAST[actor.subject]
    x, y, scale = (share * canvas_px for share in (spot.x, spot.y, spot.height))
    pen = Pen(brush, x, y, scale, canvas_px * style.line, style.ink, style.paint)
    shadow = _shadow(scene)
    if shadow is not None and style.paper is None:
        pen.patch(ellipse(0, 0, figure.width * 0.42, 0.06), shadow)
    worn = actor.garment
    outfit = Outfit(**{worn.kind: COLOURS[worn.colour]}) if worn else Outfit()
    figure.draw(pen, COLOURS[actor.colour], outfit)


def _shadow(scene: Scene) -> Colour | None:
    if scene.setting == "plain":
        return shade(BACKDROPS[scene.backdrop], 0.14)
    return SETTINGS[scene.setting].shadow


def _spots(scene: Scene, rng: Random) -> list[Spot]:
    """Stand the actors side by side, none cut off and none over another."""
    actors = scene.actors * scene.count
    heights = [_height(scene, actor) * rng.uniform(0.96, 1.02) for actor in actors]
    both = list(zip(actors, heights, strict=True))
    breadth = sum(CAST[actor.subject].width * height for actor, height in both)
    tallest = max(_top(actor) * height for actor, height in both)
    fit = min(1.0, (1 - MARGIN * (len(actors) + 1)) / breadth, HEADROOM / tallest)
    gap = (1 - fit * breadth) / (len(actors) + 1)
    ground = 0.85 + 0.075 * min(1.0, max(0.0, (fit * max(heights) - 0.3) / 0.4))
    x, spots = gap * LEAN[scene.side], []
    for actor, height in both:
        middle = x + CAST[actor.subject].left * height * fit + rng.uniform(-JITTER, JITTER)
        spots.append(Spot(actor, middle, ground + rng.uniform(-JITTER, JITTER), height * fit))
        x += CAST[actor.subject].width * height * fit + gap
    return spots


def _height(scene: Scene, actor: Actor) -> float:
    if scene.count > 1:
        return COUNTED[scene.count]
    if len(scene.actors) > 1:
        return PAIRED[actor.size]
    return (SINGLE if scene.side == "centre" else ASIDE)[actor.size]


def _top(actor: Actor) -> float:
    hatted = actor.garment is not None and actor.garment.kind == "hat"
    return CAST[actor.subject].top(hatted=hatted)


def sheet(
    images: Sequence[Image.Image | Pixels], captions: Sequence[str] = (), columns: int = 8
) -> Image.Image:
    """A contact sheet: pictures in rows, each with its caption under it; ValueError if none."""
    if not len(images):
        msg = "a contact sheet needs at least one picture"
        raise ValueError(msg)
    pictures = [
        image if isinstance(image, Image.Image) else Image.fromarray(image) for image in images
    ]
    side, text_px, gap = pictures[0].width, 24 if captions else 0, 4
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (side + gap), rows * (side + gap + text_px)), "white")
    pen = ImageDraw.Draw(page)
    for k, picture in enumerate(pictures):
        x, y = k % columns * (side + gap), k // columns * (side + gap + text_px)
        page.paste(picture, (x, y))
        if captions:
            letters = side // 6
            lines = (captions[k][:letters], captions[k][letters : 2 * letters])
            for row, line in enumerate(lines):
                pen.text((x + 1, y + side + 11 * row), line, fill="black", font_size=10)
    return page
