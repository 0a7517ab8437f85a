"""Nodes that save time: steps, or parts of them, that are not computed but remembered."""

from functools import partial
from typing import Annotated, ClassVar

from safelight.diffusion.change import timestep_at
from safelight.diffusion.changes import deep, reuse
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.values import Model

Changed = Annotated[Model, Output("MODEL")]
Share = Annotated[float, Range(0.0, 1.0, step=0.01), Help("Share of the walk.")]
CACHING: str = "advanced/debug/model"


class EasyCache(Node):
    """Save steps: where the network's answer can be foreseen, do not ask it.

    0 asks at every step; more saves more and strays further.
    """

    category: ClassVar[str] = CACHING
    title: ClassVar[str] = "Reuse answers"
    model: Model
    reuse_threshold: Annotated[
        float, Range(0.0, 3.0, step=0.01), Label("Threshold"), Help("Of the expected error.")
    ] = 0.2
    start_percent: Share = 0.15
    end_percent: Share = 0.95
    verbose: Annotated[bool, Help("Has no effect here.")] = False

    def run(self, ctx: Context) -> Changed:
        """Add a memory to the network; each walk starts without a past."""
        span = timesteps(self.model, self.start_percent, self.end_percent)
        return self.model.guided(partial(reuse.easy, threshold=self.reuse_threshold, span=span))


class LazyCache(Node):
    """Save steps: where the guided guess can be foreseen, do not make it.

    Like Reuse answers, but it looks only at the walk and works with any model.
    """

    category: ClassVar[str] = CACHING
    title: ClassVar[str] = "Reuse guesses"
    model: Model
    reuse_threshold: Annotated[
        float, Range(0.0, 3.0, step=0.01), Label("Threshold"), Help("Of the expected error.")
    ] = 0.2
    start_percent: Share = 0.15
    end_percent: Share = 0.95
    verbose: Annotated[bool, Help("Has no effect here.")] = False

    def run(self, ctx: Context) -> Changed:
        """Add a memory to the walk; each starts without a past."""
        percent = self.model.denoiser.schedule.percent
        span = (percent(self.start_percent), percent(self.end_percent))
        return self.model.guided(partial(reuse.lazy, threshold=self.reuse_threshold, span=span))


class DeepCache(Node):
    """Save time: compute what lies deep in a U-Net every few steps only.

    Deep down a picture hardly changes from step to step. An interval of 1 computes
    everything, 3 is usual, more saves more and strays further.
    """

    category: ClassVar[str] = "model_patches/unet"
    title: ClassVar[str] = "Reuse deep features"
    model: Model
    interval: Annotated[int, Range(1, 100), Help("Of how many steps one is whole.")] = 3
    depth: Annotated[
        int, Range(0, 11), Help("Blocks from the top that are computed in every step; 0 is fewest.")
    ] = 0
    start_percent: Share = 0.0
    end_percent: Share = 1.0

    def run(self, ctx: Context) -> Changed:
        """Add a memory to the network; each walk starts without a past."""
        self.model.changed(deep.deepened(self.depth, deep.Kept()))  # refuses what is no U-Net
        span = timesteps(self.model, self.start_percent, self.end_percent)
        depth = deep.Depth(self.interval, self.depth)
        return self.model.guided(partial(deep.deep, depth=depth, span=span))


def timesteps(model: Model, start: float, end: float) -> tuple[float, float]:
    """Return the timesteps at two shares of a walk."""
    schedule = model.denoiser.schedule
    return timestep_at(schedule, start), timestep_at(schedule, end)
