"""Nodes that make one model of two with a share for every block of one family's networks.

The inputs bear the names that blocks have in files of these models: a share holds for all
weights whose names begin so, the longest beginning counts, and what begins like none goes
with the first.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from safelight.diffusion import merging
from safelight.diffusion.writing import names_of, of_name
from safelight.graph.node import Context, Each, Node
from safelight.library.merging import FirstModel, MadeModel, SecondModel, Share, merged_models


def numbered(begin: str, count: int, end: str = ".") -> Iterator[str]:
    """Yield how the names of blocks begin."""
    return (f"{begin}.{block}{end}" for block in range(count))


def unet(down: int, up: int, end: str = ".") -> tuple[str, ...]:
    """Return how names begin in a U-Net with so many blocks on either way."""
    return (
        *("time_embed.", "label_emb."),
        *numbered("input_blocks", down, end),
        *numbered("middle_block", 3, end),
        *numbered("output_blocks", up, end),
        "out.",
    )


def joint(depth: int) -> tuple[str, ...]:
    """Return how names begin in a transformer of Stable Diffusion 3."""
    embedders = ("pos_embed.", "x_embedder.", "context_embedder.", "y_embedder.", "t_embedder.")
    return (*embedders, *numbered("joint_blocks", depth), "final_layer.")


FLUX = (
    *("img_in.", "time_in.", "guidance_in", "vector_in.", "txt_in."),
    *numbered("double_blocks", 19),
    *numbered("single_blocks", 38),
    "final_layer.",
)


class _MergedByBlocks(Node):
    """Mix two models with a share for every block."""

    category: ClassVar[str] = "advanced/model_merging/model_specific"
    model1: FirstModel
    model2: SecondModel
    shares: Mapping[str, float]

    def run(self, ctx: Context) -> MadeModel:
        """Mix every weight by the share of its block."""
        names = names_of(of_name(self.model1.family), self.model1.network)
        first = next(iter(self.shares.values()))
        shares = merging.by_blocks(self.shares, first, names)
        return merged_models(self.model1, self.model2, shares)


class ModelMergeSD1(_MergedByBlocks):
    """Mix two models of Stable Diffusion 1 with a share for every block."""

    title: ClassVar[str] = "Merge blocks of SD 1"
    shares: Annotated[Mapping[str, Share], Each(unet(12, 12), 1.0)]


class ModelMergeSD2(_MergedByBlocks):
    """Mix two models of Stable Diffusion 2 with a share for every block."""

    title: ClassVar[str] = "Merge blocks of SD 2"
    shares: Annotated[Mapping[str, Share], Each(unet(12, 12), 1.0)]


class ModelMergeSDXL(_MergedByBlocks):
    """Mix two models of Stable Diffusion XL with a share for every block."""

    title: ClassVar[str] = "Merge blocks of SD XL"
    shares: Annotated[Mapping[str, Share], Each(unet(9, 9, end=""), 1.0)]


class ModelMergeSD3_2B(_MergedByBlocks):
    """Mix two models of Stable Diffusion 3 medium with a share for every block."""

    title: ClassVar[str] = "Merge blocks of SD 3 medium"
    shares: Annotated[Mapping[str, Share], Each(joint(24), 1.0)]


class ModelMergeSD35_Large(_MergedByBlocks):
    """Mix two models of Stable Diffusion 3.5 large with a share for every block."""

    title: ClassVar[str] = "Merge blocks of SD 3.5 large"
    shares: Annotated[Mapping[str, Share], Each(joint(38), 1.0)]


class ModelMergeFlux1(_MergedByBlocks):
    """Mix two models of Flux.1 with a share for every block."""

    title: ClassVar[str] = "Merge blocks of Flux.1"
    shares: Annotated[Mapping[str, Share], Each(FLUX, 1.0)]
