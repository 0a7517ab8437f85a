"""Nodes that make hints for control networks from pictures; each result can be looked at."""

import json
from collections.abc import Sequence
from typing import Annotated, ClassVar

from safelight.diffusion import edges, hints
from safelight.graph.node import Context, Help, Label, Node, Output, Range, Text
from safelight.library.values import Image

Picture = Annotated[Image, Label("Picture")]
Made = Annotated[Image, Output("IMAGE")]
Threshold = Annotated[float, Range(0.01, 0.99, step=0.01)]
MENU = "image/preprocessors"


class SkeletonError(ValueError):
    """A text does not describe skeletons."""


class Canny(Node):
    """Find edges, one pixel thin: white lines on black.

    An edge begins where the picture changes more than the high threshold and goes on as
    long as it changes more than the low one.
    """

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Canny edges"
    image: Picture
    low_threshold: Annotated[Threshold, Label("Low")] = 0.4
    high_threshold: Annotated[Threshold, Label("High")] = 0.8

    def run(self, ctx: Context) -> Made:
        """Find them."""
        found = edges.canny(self.image.planes, self.low_threshold, self.high_threshold)
        return Image.from_planes(found.expand(-1, 3, -1, -1))


class SoftEdges(Node):
    """Show how steeply a picture changes: soft white edges on black."""

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Soft edges"
    image: Picture

    def run(self, ctx: Context) -> Made:
        """Measure the slope."""
        return Image.from_planes(hints.soft_edges(self.image.planes).expand(-1, 3, -1, -1))


class Scribble(Node):
    """Turn a picture into thick rough lines, as if drawn by a quick hand."""

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Scribble"
    image: Picture
    thickness: Annotated[int, Range(0, 32), Help("Pixels added on each side of a line.")] = 2

    def run(self, ctx: Context) -> Made:
        """Draw them."""
        drawn = hints.scribble(self.image.planes, self.thickness)
        return Image.from_planes(drawn.expand(-1, 3, -1, -1))


class LineArt(Node):
    """Keep the dark lines of a drawing: white on black."""

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Line art"
    image: Picture
    width: Annotated[float, Range(0.5, 64.0, step=0.5), Help("How wide lines are, in pixels.")] = (
        3.0
    )
    strength: Annotated[float, Range(0.1, 20.0, step=0.1), Help("How bright faint ones get.")] = 4.0

    def run(self, ctx: Context) -> Made:
        """Compare each pixel with what is around it."""
        drawn = hints.line_art(self.image.planes, self.width, self.strength)
        return Image.from_planes(drawn.expand(-1, 3, -1, -1))


class TileHint(Node):
    """Take the details away, for networks that invent new ones."""

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Tile"
    image: Picture
    factor: Annotated[float, Range(1.0, 64.0, step=0.5), Help("How many times smaller.")] = 4.0

    def run(self, ctx: Context) -> Made:
        """Shrink and enlarge."""
        return Image.from_planes(hints.tile(self.image.planes, self.factor))


class BlurHint(Node):
    """Blur a picture, for networks that sharpen it."""

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Blurred hint"
    image: Picture
    deviation: Annotated[float, Range(0.1, 64.0, step=0.1), Help("Of the Gaussian, in pixels.")] = (
        4.0
    )

    def run(self, ctx: Context) -> Made:
        """Blur."""
        return Image.from_planes(hints.blur(self.image.planes, self.deviation))


class ColourHint(Node):
    """Keep the colours of a picture and nothing else: a grid of means."""

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Colour grid"
    image: Picture
    cell: Annotated[int, Range(1, 512), Help("Side of a cell in pixels.")] = 64

    def run(self, ctx: Context) -> Made:
        """Average each cell."""
        return Image.from_planes(hints.colour_grid(self.image.planes, self.cell))


class PoseHint(Node):
    """Draw skeletons, for networks that pose figures.

    The text is JSON: a list of figures, each a list of 18 joints [x, y] as shares of the
    picture's sides, or null for a hidden joint: nose, neck, right shoulder, elbow and wrist,
    the left ones, right hip, knee and ankle, the left ones, eyes and ears, right before left.
    """

    category: ClassVar[str] = MENU
    title: ClassVar[str] = "Pose"
    skeletons: Annotated[str, Text(multiline=True), Help("JSON, as told above.")]
    width: Annotated[int, Range(16, 16384, step=8), Help("In pixels.")] = 512
    height: Annotated[int, Range(16, 16384, step=8), Help("In pixels.")] = 512
    thickness: Annotated[float, Range(0.5, 64.0, step=0.5), Help("Half a bone's.")] = 4.0

    def run(self, ctx: Context) -> Made:
        """Draw them."""
        figures = skeletons(self.skeletons)
        return Image.from_planes(hints.pose(figures, self.height, self.width, self.thickness))


def skeletons(text: str) -> Sequence[Sequence[hints.Joint | None]]:
    """Read skeletons.

    Raises:
        SkeletonError: it is not a list of lists of 18 joints.
    """
    try:
        figures = json.loads(text)
    except ValueError as error:
        raise SkeletonError(f"the skeletons are not JSON: {error}") from None
    if not isinstance(figures, list):
        raise SkeletonError("the skeletons should be a list of figures")
    return [_figure(number, figure) for number, figure in enumerate(figures)]


def _figure(number: int, figure: object) -> list[hints.Joint | None]:
    """Read one skeleton."""
    if not isinstance(figure, list) or len(figure) != hints.JOINTS:
        raise SkeletonError(f"figure {number} should be a list of {hints.JOINTS} joints")
    return [_joint(number, which, joint) for which, joint in enumerate(figure)]


def _joint(number: int, which: int, joint: object) -> hints.Joint | None:
    """Read one joint."""
    match joint:
        case None:
            return None
        case [int() | float() as x, int() | float() as y]:
            return float(x), float(y)
        case _:
            place = f"joint {which} of figure {number}"
            raise SkeletonError(f"{place} should be [x, y] or null, got {json.dumps(joint)}")
