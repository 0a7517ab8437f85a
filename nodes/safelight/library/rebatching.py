"""Nodes that deal pictures and latents out anew: as a list of batches of one size."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

import torch

from safelight.diffusion.inpainting import mask_for
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.values import Image, Latent

Size = Annotated[int, Range(1, 4096), Label("In a batch"), Help("The last may be smaller.")]


class RebatchImages(Node):
    """Deal pictures out into batches of a size; what follows runs once for each.

    Pictures of different sizes never share a batch.
    """

    category: ClassVar[str] = "image/batch"
    title: ClassVar[str] = "Deal pictures out"
    images: Annotated[Sequence[Image], Label("Pictures")]
    batch_size: Size = 1

    def run(self, ctx: Context) -> Annotated[Sequence[Image], Output("IMAGE")]:
        """Join what fits together, then cut."""
        dealt: list[Image] = []
        for group in _alike([image.pixels for image in self.images]):
            dealt += map(Image, torch.split(torch.cat(group), self.batch_size))
        return dealt


class RebatchLatents(Node):
    """Deal latents out into batches of a size; what follows runs once for each.

    Latents of different sizes never share a batch. Each keeps its mask, and takes the noise
    of its place among all.
    """

    category: ClassVar[str] = "latent/batch"
    title: ClassVar[str] = "Deal latents out"
    latents: Annotated[Sequence[Latent], Label("Latents")]
    batch_size: Size = 1

    def run(self, ctx: Context) -> Annotated[Sequence[Latent], Output("LATENT")]:
        """Take them apart one by one, then put neighbours of one size together."""
        singles = [one for latent in self.latents for one in _singles(latent)]
        numbered = [
            one if one.batch_index else replace(one, batch_index=(place,))
            for place, one in enumerate(singles)
        ]
        dealt: list[Latent] = []
        for latent in numbered:
            if dealt and _fits(dealt[-1], latent) and len(dealt[-1].samples) < self.batch_size:
                dealt[-1] = _joined(dealt[-1], latent)
            else:
                dealt.append(latent)
        return dealt


def _alike(tensors: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Group neighbours of one shape."""
    groups: list[list[torch.Tensor]] = []
    for tensor in tensors:
        if groups and groups[-1][0].shape[1:] == tensor.shape[1:]:
            groups[-1].append(tensor)
        else:
            groups.append([tensor])
    return groups


def _singles(latent: Latent) -> list[Latent]:
    """Take a batch apart."""
    masks = None if latent.mask is None else mask_for(latent.mask, latent.samples)[:, 0]
    return [
        replace(
            latent,
            samples=latent.samples[i : i + 1],
            mask=None if masks is None else masks[i : i + 1],
            batch_index=latent.batch_index and latent.batch_index[i : i + 1],
        )
        for i in range(len(latent.samples))
    ]


def _fits(a: Latent, b: Latent) -> bool:
    """Tell whether two latents can share a batch."""
    alike = a.samples.shape[1:] == b.samples.shape[1:] and a.format == b.format
    return alike and (a.mask is None) == (b.mask is None)


def _joined(a: Latent, b: Latent) -> Latent:
    """Put two batches together."""
    samples = torch.cat((a.samples, b.samples))
    mask = None if a.mask is None or b.mask is None else torch.cat((a.mask, b.mask))
    return replace(a, samples=samples, mask=mask, batch_index=a.numbers + b.numbers)
