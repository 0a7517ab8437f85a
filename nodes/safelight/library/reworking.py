"""Nodes that change what a network computes; see `safelight.diffusion.changes`."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from torch import nn

from safelight.diffusion.change import Moment, during
from safelight.diffusion.changes import attention, freeu, merging, shrinking, tiles
from safelight.diffusion.texts import ClipTower
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.values import Clip, Model

Changed = Annotated[Model, Output("MODEL")]
Factor = Annotated[float, Range(0.0, 10.0, step=0.01), Help("1 changes nothing.")]
Method = Literal["bicubic", "nearest-exact", "bilinear", "area", "bislerp"]
UNET: str = "model_patches/unet"
ATTENTION: str = "_for_testing/attention_experiments"


class FreeU(Node):
    """Trust a U-Net's understanding more than its fine texture, at no cost.

    b is for what comes from deeper down, s for what comes from beside; 1 and 2 are the two
    deepest widths.
    """

    category: ClassVar[str] = UNET
    title: ClassVar[str] = "FreeU"
    model: Model
    b1: Factor = 1.1
    b2: Factor = 1.2
    s1: Factor = 0.9
    s2: Factor = 0.2

    def run(self, ctx: Context) -> Changed:
        """Change the way up."""
        widest, wide = freeu.Factors(self.b1, self.s1), freeu.Factors(self.b2, self.s2)
        return self.model.changed(freeu.freeu(widest, wide, local=False))


class FreeU_V2(Node):
    """Trust a U-Net's understanding more than its fine texture, most where it is strongest.

    The second version of FreeU: b counts in full only where the feature map is strong.
    """

    category: ClassVar[str] = UNET
    title: ClassVar[str] = "FreeU, version 2"
    model: Model
    b1: Factor = 1.3
    b2: Factor = 1.4
    s1: Factor = 0.9
    s2: Factor = 0.2

    def run(self, ctx: Context) -> Changed:
        """Change the way up."""
        widest, wide = freeu.Factors(self.b1, self.s1), freeu.Factors(self.b2, self.s2)
        return self.model.changed(freeu.freeu(widest, wide, local=True))


class HyperTile(Node):
    """Draw large pictures faster: let pixels listen only within tiles, which change each step.

    Tiles as large as the picture change nothing. For U-Nets.
    """

    category: ClassVar[str] = UNET
    title: ClassVar[str] = "Attention in tiles"
    model: Model
    tile_size: Annotated[int, Range(1, 2048), Label("Tile"), Help("Its side, in pixels.")] = 256
    swap_size: Annotated[int, Range(1, 128), Help("How many sizes to draw from.")] = 2
    max_depth: Annotated[int, Range(0, 10), Help("Halvings after which there are tiles too.")] = 0
    scale_depth: Annotated[bool, Help("Larger tiles after halvings.")] = False

    def run(self, ctx: Context) -> Changed:
        """Change self-attention."""
        tiling = tiles.Tiling(self.tile_size, self.swap_size, self.max_depth, self.scale_depth)
        return self.model.changed(tiles.tiled(tiling))


class TomePatchModel(Node):
    """Draw large pictures faster: let pixels that are alike ask only once.

    For U-Nets. With 0.5, half of the pixels at full resolution ask for others too.
    """

    category: ClassVar[str] = UNET
    title: ClassVar[str] = "Merge tokens"
    model: Model
    ratio: Annotated[float, Range(0.0, 1.0, step=0.01), Help("The share that is merged.")] = 0.3

    def run(self, ctx: Context) -> Changed:
        """Change self-attention."""
        return self.model.changed(merging.merging(self.ratio))


class PatchModelAddDownscale(Node):
    """Compose large pictures as a whole: shrink them inside the network for the first steps.

    A U-Net draws things twice in pictures larger than those it learnt from. 3 is the first
    halving of Stable Diffusion's.
    """

    category: ClassVar[str] = UNET
    title: ClassVar[str] = "Deep shrink"
    model: Model
    block_number: Annotated[int, Range(1, 32, step=1), Label("Block"), Help("Where.")] = 3
    downscale_factor: Annotated[
        float, Range(0.1, 9.0, step=0.001), Label("Factor"), Help("How far.")
    ] = 2.0
    start_percent: Annotated[float, Range(0.0, 1.0, step=0.001), Help("Share of the walk.")] = 0.0
    end_percent: Annotated[float, Range(0.0, 1.0, step=0.001), Help("Share of the walk.")] = 0.35
    downscale_after_skip: Annotated[bool, Help("Keep what goes to the way up large.")] = True
    downscale_method: Method
    upscale_method: Method

    def run(self, ctx: Context) -> Changed:
        """Change the way down and the way up."""
        settings = shrinking.Shrinking(
            self.block_number,
            self.downscale_factor,
            self.downscale_after_skip,
            self.downscale_method,
            self.upscale_method,
        )
        change, schedule = shrinking.shrinking(settings), self.model.denoiser.schedule
        self.model.changed(change)  # refuse here what does not fit
        return self.model.changed(during(change, schedule, self.start_percent, self.end_percent))


class UNetSelfAttentionMultiply(Node):
    """Multiply queries, keys, values and results where pixels listen to pixels.

    More than 1 for q or k: each pixel listens to fewer others.
    """

    category: ClassVar[str] = ATTENTION
    title: ClassVar[str] = "Multiply self-attention"
    model: Model
    q: Factor = 1.0
    k: Factor = 1.0
    v: Factor = 1.0
    out: Factor = 1.0

    def run(self, ctx: Context) -> Changed:
        """Change self-attention."""
        return multiplied(self.model, "to_pixels", (self.q, self.k, self.v, self.out))


class UNetCrossAttentionMultiply(Node):
    """Multiply queries, keys, values and results where pixels listen to words.

    More than 1 for q or k: each pixel listens to fewer words.
    """

    category: ClassVar[str] = ATTENTION
    title: ClassVar[str] = "Multiply cross-attention"
    model: Model
    q: Factor = 1.0
    k: Factor = 1.0
    v: Factor = 1.0
    out: Factor = 1.0

    def run(self, ctx: Context) -> Changed:
        """Change cross-attention."""
        return multiplied(self.model, "to_prompt", (self.q, self.k, self.v, self.out))


class CLIPAttentionMultiply(Node):
    """Multiply queries, keys, values and results where words listen to words, in CLIP."""

    category: ClassVar[str] = ATTENTION
    title: ClassVar[str] = "Multiply attention of words"
    clip: Annotated[Clip, Label("Text encoder")]
    q: Factor = 1.0
    k: Factor = 1.0
    v: Factor = 1.0
    out: Factor = 1.0

    def run(self, ctx: Context) -> Annotated[Clip, Output("CLIP")]:
        """Change the attention of all text encoders that are CLIP's."""
        factors = (self.q, self.k, self.v, self.out)
        texts = self.clip.texts
        towers = {
            name: tower.around(attention.louder(tower.network, factors))
            if isinstance(tower, ClipTower)
            else tower
            for name, tower in texts.towers.items()
        }
        return Clip(replace(texts, towers=towers))


class DifferentialDiffusion(Node):
    """Read a latent's mask as how much each place is to change.

    Grey then means changed a little, not half of each. Repaint by mask sets the mask.
    """

    category: ClassVar[str] = "_for_testing"
    title: ClassVar[str] = "Masks of depth"
    model: Model
    strength: Annotated[
        float | None, Range(0.0, 1.0, step=0.01), Help("Less mixes, as masks usually do.")
    ] = None

    def run(self, ctx: Context) -> Changed:
        """Say so to the model."""
        return replace(self.model, edge=1.0 if self.strength is None else self.strength)


def multiplied(
    model: Model, which: Literal["to_pixels", "to_prompt"], factors: tuple[float, ...]
) -> Model:
    """Return a model whose attention of one kind is multiplied.

    Raises:
        CannotChange: its network has no attention of that kind.
    """

    def change(network: nn.Module, moment: Moment) -> nn.Module:
        return attention.multiplied(network, which, factors)

    return model.changed(change)
