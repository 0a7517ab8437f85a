"""Nodes that make one model of two."""

from dataclasses import replace
from typing import Annotated, ClassVar

from safelight.diffusion import merging
from safelight.diffusion.merging import Shares
from safelight.diffusion.writing import names_of, of_name
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.values import Clip, Model

MadeModel = Annotated[Model, Output("MODEL")]
MadeClip = Annotated[Clip, Output("CLIP")]
Share = Annotated[float, Range(0.0, 1.0, step=0.01), Help("1 is the first model, 0 the second.")]
Factor = Annotated[float, Range(-10.0, 10.0, step=0.01), Help("What the difference counts.")]
FirstModel = Annotated[Model, Label("First")]
SecondModel = Annotated[Model, Label("Second")]
FirstClip = Annotated[Clip, Label("First")]
SecondClip = Annotated[Clip, Label("Second")]


class MergeError(ValueError):
    """Two models cannot be merged."""


def merged_models(first: Model, second: Model, shares: Shares) -> Model:
    """Merge the networks of two models of one family; the rest is the first one's."""
    if first.family != second.family:
        raise MergeError(f"cannot merge a model of {first.family} with one of {second.family}")
    network = merging.merged(first.network, second.network, shares)
    return replace(first, network=network, denoiser=replace(first.denoiser, network=network))


def merged_texts(first: Clip, second: Clip, shares: Shares) -> Clip:
    """Merge the text encoders that two sets have in common; the rest is the first one's."""
    towers, others = first.texts.towers, second.texts.towers
    if not towers.keys() & others.keys():
        have, has = ", ".join(towers), ", ".join(others)
        raise MergeError(f"cannot merge text encoders: the first has {have}, the second {has}")
    changed = {
        name: merging.merged(tower.network, others[name].network, shares)
        for name, tower in towers.items()
        if name in others
    }
    return Clip(first.texts.around(changed))


class ModelMergeSimple(Node):
    """Mix two models: the mean of fine-tuned models often has both their skills."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Merge models"
    model1: FirstModel
    model2: SecondModel
    ratio: Share = 1.0

    def run(self, ctx: Context) -> MadeModel:
        """Mix every weight by the same share."""
        return merged_models(self.model1, self.model2, merging.simple(self.ratio))


class ModelMergeBlocks(Node):
    """Mix two U-Nets with a share for the way down, the middle and the way up.

    The way down composes, the way up draws; so one model can give the composition and the
    other the style.
    """

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Merge models by blocks"
    model1: FirstModel
    model2: SecondModel
    input: Share = 1.0
    middle: Share = 1.0
    out: Share = 1.0

    def run(self, ctx: Context) -> MadeModel:
        """Mix; what belongs to no part, such as the clock, goes with the way down."""
        starts = {"input": self.input, "middle": self.middle, "out": self.out}
        names = names_of(of_name(self.model1.family), self.model1.network)
        shares = merging.by_blocks(starts, self.input, names)
        return merged_models(self.model1, self.model2, shares)


class ModelMergeSubtract(Node):
    """Take what a model has learnt since another: a difference to be added elsewhere."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Subtract models"
    model1: FirstModel
    model2: SecondModel
    multiplier: Factor = 1.0

    def run(self, ctx: Context) -> MadeModel:
        """Subtract every weight."""
        return merged_models(self.model1, self.model2, merging.difference(self.multiplier))


class ModelMergeAdd(Node):
    """Add a difference of models to a model."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Add models"
    model1: FirstModel
    model2: SecondModel

    def run(self, ctx: Context) -> MadeModel:
        """Add every weight."""
        return merged_models(self.model1, self.model2, merging.total)


class CLIPMergeSimple(Node):
    """Mix the text encoders of two models."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Merge text encoders"
    clip1: FirstClip
    clip2: SecondClip
    ratio: Share = 1.0

    def run(self, ctx: Context) -> MadeClip:
        """Mix every weight by the same share."""
        return merged_texts(self.clip1, self.clip2, merging.simple(self.ratio))


class CLIPMergeSubtract(Node):
    """Take what a text encoder has learnt since another."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Subtract text encoders"
    clip1: FirstClip
    clip2: SecondClip
    multiplier: Factor = 1.0

    def run(self, ctx: Context) -> MadeClip:
        """Subtract every weight."""
        return merged_texts(self.clip1, self.clip2, merging.difference(self.multiplier))


class CLIPMergeAdd(Node):
    """Add a difference of text encoders to text encoders."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Add text encoders"
    clip1: FirstClip
    clip2: SecondClip

    def run(self, ctx: Context) -> MadeClip:
        """Add every weight."""
        return merged_texts(self.clip1, self.clip2, merging.total)
