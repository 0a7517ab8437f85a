"""Nodes that say several things of one picture, and where and when each is meant."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from safelight.diffusion import conditioning
from safelight.diffusion.region import Box, Shares
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range
from safelight.library.values import Conditioning, Mask

CELL = 8  # picture pixels along a latent pixel
BOUNDS = ("default", "mask bounds")

Side = Annotated[int, Range(64, 16384, step=8), Help("In pixels.")]
Corner = Annotated[int, Range(0, 16384, step=8), Help("In pixels.")]
Share = Annotated[float, Range(0, 1.0, step=0.01), Help("A share of the picture's side.")]
Strength = Annotated[float, Range(0.0, 10.0, step=0.01), Help("Against what else is said there.")]
Said = Annotated[Conditioning, Output("CONDITIONING")]


def in_region(said: Conditioning, **settings: Any) -> Conditioning:
    """Change where, how strongly or when everything in a conditioning is said."""

    def changed(one: conditioning.Conditioning) -> conditioning.Conditioning:
        return one.with_region(replace(one.region, **settings))

    return Conditioning(said.whole.each(changed))


class ConditioningCombine(Node):
    """Say two things of one picture: the network is asked about each, and both count.

    Without areas or masks the answers are averaged: a picture of both. This costs another
    network call for each thing said; Concatenate makes one longer prompt instead.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Combine"
    conditioning_1: Annotated[Conditioning, Label("One")]
    conditioning_2: Annotated[Conditioning, Label("Other")]

    def run(self, ctx: Context) -> Said:
        """Keep both, each with its area."""
        return Conditioning(self.conditioning_1.whole.joined(self.conditioning_2.whole))


class ConditioningConcat(Node):
    """Put one prompt behind another, as if they were one long prompt.

    Words of the one do not colour words of the other while they are encoded, which helps to
    keep colours and things apart.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Concatenate"
    conditioning_to: Annotated[Conditioning, Label("First")]
    conditioning_from: Annotated[Conditioning, Label("Then"), Help("The first of several.")]

    def run(self, ctx: Context) -> Said:
        """Append to everything that the first says."""
        more = self.conditioning_from.whole
        return Conditioning(self.conditioning_to.whole.each(lambda one: one.followed_by(more)))


class ConditioningAverage(Node):
    """Mix two prompts number by number: something between the one and the other.

    At strength 1 only the first counts, at 0 only the second.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Average"
    conditioning_to: Annotated[Conditioning, Label("First")]
    conditioning_from: Annotated[Conditioning, Label("Second"), Help("The first of several.")]
    conditioning_to_strength: Annotated[
        float, Range(0.0, 1.0, step=0.01), Label("Strength"), Help("How much the first counts.")
    ] = 1.0

    def run(self, ctx: Context) -> Said:
        """Mix into everything that the first says."""
        other, share = self.conditioning_from.whole, self.conditioning_to_strength
        return Conditioning(self.conditioning_to.whole.each(lambda one: one.averaged(other, share)))


class ConditioningSetArea(Node):
    """Say it only of a rectangle of the picture, given in pixels.

    The network then sees nothing but this rectangle. Say something of the whole picture too
    (Combine), or nothing will hold it together.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Set area"
    conditioning: Conditioning
    width: Side = 64
    height: Side = 64
    x: Corner = 0
    y: Corner = 0
    strength: Strength = 1.0

    def run(self, ctx: Context) -> Said:
        """Set the area and its strength."""
        sides = (self.height, self.width, self.y, self.x)
        return in_region(
            self.conditioning,
            area=Box(*(side // CELL for side in sides)),
            strength=self.strength,
            bounded=False,
        )


class ConditioningSetAreaPercentage(Node):
    """Say it only of a rectangle of the picture, given as shares of its sides.

    Like Set area, but it follows the picture when its size changes.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Set area by share"
    conditioning: Conditioning
    width: Share = 1.0
    height: Share = 1.0
    x: Share = 0
    y: Share = 0
    strength: Strength = 1.0

    def run(self, ctx: Context) -> Said:
        """Set the area and its strength."""
        return in_region(
            self.conditioning,
            area=Shares(self.height, self.width, self.y, self.x),
            strength=self.strength,
            bounded=False,
        )


class ConditioningSetAreaStrength(Node):
    """Set how strongly something counts against what else is said of the same pixels."""

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Set strength"
    conditioning: Conditioning
    strength: Strength = 1.0

    def run(self, ctx: Context) -> Said:
        """Keep the area, set the strength."""
        return in_region(self.conditioning, strength=self.strength)


class ConditioningSetMask(Node):
    """Say it only where a mask is bright.

    By default the network sees the whole picture and its answer counts under the mask; with
    "mask bounds" it sees only the rectangle around what is masked.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Set mask"
    conditioning: Conditioning
    mask: Mask
    strength: Strength = 1.0
    set_cond_area: Annotated[
        str, Choice(BOUNDS), Label("Sees"), Help("The whole picture, or the mask's bounds.")
    ]

    def run(self, ctx: Context) -> Said:
        """Set the mask and its strength."""
        return in_region(
            self.conditioning,
            mask=self.mask.pixels,
            mask_strength=self.strength,
            bounded=self.set_cond_area != BOUNDS[0],
        )


class ConditioningSetTimestepRange(Node):
    """Say it only during a part of the walk: early steps compose, late ones refine.

    0 is the start of the walk, from pure noise, and 1 its end.
    """

    category: ClassVar[str] = "advanced/conditioning"
    title: ClassVar[str] = "Set span"
    conditioning: Conditioning
    start: Annotated[float, Range(0.0, 1.0, step=0.001), Help("From this share on.")] = 0.0
    end: Annotated[float, Range(0.0, 1.0, step=0.001), Help("Up to this share.")] = 1.0

    def run(self, ctx: Context) -> Said:
        """Set the span."""
        return in_region(self.conditioning, start=self.start, end=self.end)
