"""Nodes that look at pictures, wired around small random towers."""

from dataclasses import replace

import pytest
import torch

from safelight.diffusion.clip_vision import VisionConfig, VisionEncoder
from safelight.diffusion.conditioning import Conditioning as Said
from safelight.diffusion.redux import Redux, ReduxConfig
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.vision_file import REDUX, VISION
from safelight.diffusion.weights import save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.values import Conditioning, Image
from safelight.library.vision import (
    CLIPVisionEncode,
    CLIPVisionLoader,
    ClipVisionOutput,
    StyleMismatch,
    StyleModel,
    StyleModelApply,
    StyleModelLoader,
)

TOWER = VisionConfig(
    width=16, layers=2, heads=2, hidden=24, patch_px=4, side_px=8, classed=False, pooled_width=None
)


@pytest.fixture
def ctx(folders: Folders) -> NullContext:
    """A home with a small tower and a small style model."""
    torch.manual_seed(0)
    seen, style = VisionEncoder(TOWER), Redux(ReduxConfig(16, 12, 10))
    place = folders.directory("clip_vision") / "tower.safetensors"
    about = checkpoint_metadata(Settings(vision_heads=2))
    save_checkpoint(place, VISION.exported(seen, TOWER), about)
    place = folders.directory("style_models") / "style.safetensors"
    save_checkpoint(place, REDUX.exported(style, style.config), {})
    return NullContext(folders)


def looked(ctx: NullContext, pictures: int = 1) -> ClipVisionOutput:
    """What the tower sees in random pictures."""
    tower = CLIPVisionLoader(clip_name="tower.safetensors").run(ctx)
    drawn = torch.rand(pictures, 12, 20, 3, generator=torch.Generator().manual_seed(1))
    return CLIPVisionEncode(clip_vision=tower, image=Image(drawn), crop="center").run(ctx)


def applied(
    ctx: NullContext,
    told: Said,
    seen: ClipVisionOutput,
    strength: float = 1.0,
    by: str = "multiply",
) -> Said:
    """What is said with the style model."""
    style = StyleModelLoader(style_model_name="style.safetensors").run(ctx)
    assert isinstance(style, StyleModel)
    node = StyleModelApply(
        conditioning=Conditioning(told),
        style_model=style,
        clip_vision_output=seen,
        strength=strength,
        strength_type=by,
    )
    return node.run(ctx).whole


def test_a_picture_stands_behind_the_words(ctx: NullContext) -> None:
    """Four patches a picture; the words are as they were; the strength is a factor."""
    told = Said(torch.randn(1, 3, 10), torch.zeros(1, 2))
    whole = applied(ctx, told, looked(ctx, pictures=2))
    half = applied(ctx, told, looked(ctx, pictures=2), strength=0.5)
    assert whole.tokens.shape == (1, 3 + 2 * 4, 10)
    assert torch.equal(whole.tokens[:, :3], told.tokens)
    torch.testing.assert_close(half.tokens[:, 3:], whole.tokens[:, 3:] / 2)
    assert whole.pooled is told.pooled


def test_everything_that_is_said_hears_of_the_picture(ctx: NullContext) -> None:
    """Also what is said of another region."""
    told = Said(torch.randn(1, 3, 10)).joined(Said(torch.randn(1, 5, 10)))
    whole = applied(ctx, told, looked(ctx))
    assert [one.tokens.shape[1] for one in (whole, *whole.others)] == [7, 9]


def test_a_tower_or_a_prompt_of_another_width_is_refused(ctx: NullContext) -> None:
    """With both widths."""
    with pytest.raises(StyleMismatch, match="speaks vectors of width 10, and this prompt has 6"):
        applied(ctx, Said(torch.zeros(1, 3, 6)), looked(ctx))
    seen = looked(ctx).seen
    other = replace(looked(ctx), seen=seen._replace(last=seen.last[..., :8]))
    with pytest.raises(StyleMismatch, match="towers of width 16, and this one has 8"):
        applied(ctx, Said(torch.zeros(1, 3, 10)), other)


def test_weighing_in_the_attention_is_refused_unless_it_weighs_nothing(ctx: NullContext) -> None:
    """At strength 1 both ways are the same."""
    told = Said(torch.zeros(1, 3, 10))
    same = applied(ctx, told, looked(ctx), by="attn_bias")
    assert torch.equal(same.tokens, applied(ctx, told, looked(ctx)).tokens)
    with pytest.raises(ValueError, match="attn_bias is only to be had at strength 1"):
        applied(ctx, told, looked(ctx), strength=0.5, by="attn_bias")
