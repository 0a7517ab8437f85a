"""Nodes on several latents at once: each keeps its number, and so its noise."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch

from safelight.diffusion.darkroom.geometry import repeated
from safelight.diffusion.inpainting import mask_for
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.latent_tools import resized_to, together
from safelight.library.values import Latent

Made = Annotated[Latent, Output("LATENT")]
Samples = Annotated[Latent, Label("Latents")]
Count = Annotated[int, Range(1, 64), Help("How many.")]


class LatentFromBatch(Node):
    """Take some latents out of a batch.

    Each keeps the number it had there, so a sampler gives it the noise, and with it the
    picture, that it had in the batch.
    """

    category: ClassVar[str] = "latent/batch"
    title: ClassVar[str] = "Take latents from batch"
    samples: Samples
    batch_index: Annotated[int, Range(0, 63), Label("First"), Help("Counted from 0.")] = 0
    length: Count = 1

    def run(self, ctx: Context) -> Made:
        """Cut the batch."""
        whole = self.samples
        first = min(self.batch_index, len(whole.samples) - 1)
        stretch = slice(first, first + self.length)
        mask = whole.mask
        if mask is not None:
            mask = repeated(mask, len(whole.samples))[stretch]
        numbers = whole.numbers[stretch]
        return replace(whole, samples=whole.samples[stretch], mask=mask, batch_index=numbers)


class RepeatLatentBatch(Node):
    """Repeat a batch of latents; the copies get numbers, and so noise, of their own."""

    category: ClassVar[str] = "latent/batch"
    title: ClassVar[str] = "Repeat latents"
    samples: Samples
    amount: Count = 1

    def run(self, ctx: Context) -> Made:
        """Repeat."""
        old = self.samples
        batch = len(old.samples) * self.amount
        mask = old.mask
        if mask is not None and len(mask) > 1:
            mask = repeated(repeated(mask, len(old.samples)), batch)
        offset = max(old.numbers) + 1
        numbers = tuple(n + i * offset for i in range(self.amount) for n in old.numbers)
        return replace(old, samples=repeated(old.samples, batch), mask=mask, batch_index=numbers)


class LatentBatch(Node):
    """Put two batches of latents together; the second is resized to the first."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Join batches of latents"
    samples1: Annotated[Latent, Label("First")]
    samples2: Annotated[Latent, Label("Second")]

    def run(self, ctx: Context) -> Made:
        """Join samples, masks and numbers."""
        first, second, form = together(self.samples1, self.samples2)
        samples = torch.cat((first, resized_to(first, second)))
        masks = [
            (latent.mask, x) for latent, x in ((self.samples1, first), (self.samples2, second))
        ]
        mask = None
        if any(own is not None for own, _ in masks):
            mask = torch.cat(
                [
                    torch.ones(len(x), *first.shape[2:])
                    if own is None
                    else mask_for(own, first[:1].expand(len(x), -1, -1, -1))[:, 0]
                    for own, x in masks
                ]
            )
        numbers = self.samples1.numbers + self.samples2.numbers
        return Latent(samples, form, mask, numbers)


class LatentBatchSeedBehavior(Node):
    """Say whether the latents of a batch get noise of their own, or all the same."""

    category: ClassVar[str] = "latent/advanced"
    title: ClassVar[str] = "Noise within a batch"
    samples: Samples
    seed_behavior: Annotated[
        Literal["random", "fixed"], Label("Noise"), Help("Fixed: all the noise of the first.")
    ] = "fixed"

    def run(self, ctx: Context) -> Made:
        """Number the batch."""
        if self.seed_behavior == "random":
            return replace(self.samples, batch_index=None)
        numbers = (self.samples.numbers[0],) * len(self.samples.samples)
        return replace(self.samples, batch_index=numbers)
