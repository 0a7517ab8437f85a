"""Nodes that say several things of one picture, around a tiny random model."""

import pytest
import torch
from torch import Tensor

from safelight.diffusion.region import Box, Shares
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import CLIPTextEncode, ConditioningZeroOut
from safelight.library.latent import EmptyLatentImage
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.regions import (
    ConditioningAverage,
    ConditioningCombine,
    ConditioningConcat,
    ConditioningSetArea,
    ConditioningSetAreaPercentage,
    ConditioningSetAreaStrength,
    ConditioningSetMask,
    ConditioningSetTimestepRange,
)
from safelight.library.sampling import KSampler
from safelight.library.values import Conditioning, Mask


@pytest.fixture
def ctx(folders: Folders) -> NullContext:
    """A home with the tiny model."""
    return NullContext(folders)


@pytest.fixture
def parts(ctx: NullContext) -> Parts:
    """The tiny model, loaded."""
    return CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx)


def prompt(parts: Parts, ctx: NullContext, text: str) -> Conditioning:
    """A prompt, plainly encoded."""
    return CLIPTextEncode(text=text, clip=parts.clip).run(ctx)


def drawn(parts: Parts, ctx: NullContext, positive: Conditioning, cfg: float = 3.0) -> Tensor:
    """Three steps over 64 x 128 pixels, away from an empty prompt."""
    node = KSampler(
        model=parts.model,
        seed=5,
        steps=3,
        cfg=cfg,
        sampler_name="euler",
        scheduler="normal",
        positive=positive,
        negative=prompt(parts, ctx, ""),
        latent_image=EmptyLatentImage(width=128, height=64, batch_size=2).run(ctx),
    )
    return node.run(ctx).samples


def combined(one: Conditioning, other: Conditioning, ctx: NullContext) -> Conditioning:
    """Both."""
    return ConditioningCombine(conditioning_1=one, conditioning_2=other).run(ctx)


def test_two_halves_with_a_prompt_each_become_one_picture(parts: Parts, ctx: NullContext) -> None:
    """An area changes the picture, and a mask of the whole is as if there were none."""
    cat, dog = prompt(parts, ctx, "a cat"), prompt(parts, ctx, "a dog")
    right = ConditioningSetArea(conditioning=dog, width=64, height=64, x=64, y=0, strength=2.0).run(
        ctx
    )
    assert right.whole.region.area == Box(8, 8, 0, 8)
    both = drawn(parts, ctx, combined(cat, right, ctx))
    assert both.isfinite().all()
    assert not torch.equal(both, drawn(parts, ctx, cat))
    masked = ConditioningSetMask(
        conditioning=cat, mask=Mask(torch.ones(1, 64, 128)), strength=1.0, set_cond_area="default"
    ).run(ctx)
    torch.testing.assert_close(
        drawn(parts, ctx, masked), drawn(parts, ctx, cat), rtol=1e-3, atol=1e-3
    )


def test_combining_the_same_prompt_twice_changes_nothing(parts: Parts, ctx: NullContext) -> None:
    """The average of two equal answers is the answer."""
    cat = prompt(parts, ctx, "a cat")
    twice = drawn(parts, ctx, combined(cat, cat, ctx))
    torch.testing.assert_close(twice, drawn(parts, ctx, cat), rtol=1e-3, atol=1e-3)


def test_spans_that_meet_hand_over(parts: Parts, ctx: NullContext) -> None:
    """A prompt for each half of the walk is neither of both prompts for all of it."""
    cat, dog = prompt(parts, ctx, "a cat"), prompt(parts, ctx, "a red dog")
    early = ConditioningSetTimestepRange(conditioning=cat, start=0.0, end=0.5).run(ctx)
    late = ConditioningSetTimestepRange(conditioning=dog, start=0.5, end=1.0).run(ctx)
    handed = drawn(parts, ctx, combined(early, late, ctx))
    assert not torch.equal(handed, drawn(parts, ctx, cat))
    assert not torch.equal(handed, drawn(parts, ctx, dog))
    whole = ConditioningSetTimestepRange(conditioning=cat, start=0.0, end=1.0).run(ctx)
    assert torch.equal(drawn(parts, ctx, whole), drawn(parts, ctx, cat))


def test_settings_reach_everything_that_is_said(parts: Parts, ctx: NullContext) -> None:
    """Areas and strengths set after combining hold for both prompts, zeros too."""
    both = combined(prompt(parts, ctx, "a cat"), prompt(parts, ctx, "a dog"), ctx)
    node = ConditioningSetAreaPercentage(
        conditioning=both, width=0.5, height=1.0, x=0.25, y=0.0, strength=1.5
    )
    strong = ConditioningSetAreaStrength(conditioning=node.run(ctx), strength=4.0).run(ctx)
    regions = [one.region for one in (strong.whole, *strong.whole.others)]
    assert [region.area for region in regions] == [Shares(1.0, 0.5, 0.0, 0.25)] * 2
    assert [region.strength for region in regions] == [4.0, 4.0]
    zeros = ConditioningZeroOut(conditioning=strong).run(ctx).whole
    assert [one.tokens.count_nonzero().item() for one in (zeros, *zeros.others)] == [0, 0]
    assert zeros.others[0].region.strength == 4.0


def test_combining_keeps_the_order_of_all(parts: Parts, ctx: NullContext) -> None:
    """Three prompts in two steps are three prompts."""
    a, b, c = (prompt(parts, ctx, text) for text in ("a cat", "a dog", "a hat"))
    whole = combined(combined(a, b, ctx), combined(c, a, ctx), ctx).whole
    said = [one.tokens for one in (whole, *whole.others)]
    assert [torch.equal(x, y.whole.tokens) for x, y in zip(said, (a, b, c, a), strict=True)] == [
        True
    ] * 4
    assert all(not one.others for one in whole.others)


def test_concatenated_prompts_are_one_long_prompt(parts: Parts, ctx: NullContext) -> None:
    """77 and 77 tokens are 154."""
    a, b = prompt(parts, ctx, "a cat"), prompt(parts, ctx, "a dog")
    long = ConditioningConcat(conditioning_to=a, conditioning_from=b).run(ctx).whole.tokens
    assert torch.equal(long, torch.cat([a.whole.tokens, b.whole.tokens], dim=1))


@pytest.mark.parametrize(("strength", "first"), [(1.0, 1.0), (0.25, 0.25), (0.0, 0.0)])
def test_an_average_lies_between(
    strength: float, first: float, parts: Parts, ctx: NullContext
) -> None:
    """A shorter second prompt counts as zeros where it has ended."""
    long = ConditioningConcat(
        conditioning_to=prompt(parts, ctx, "a cat"), conditioning_from=prompt(parts, ctx, "a hat")
    ).run(ctx)
    short = prompt(parts, ctx, "a dog")
    mixed = ConditioningAverage(
        conditioning_to=long, conditioning_from=short, conditioning_to_strength=strength
    ).run(ctx)
    tokens = mixed.whole.tokens
    expected = first * long.whole.tokens
    expected[:, :77] += (1 - first) * short.whole.tokens
    torch.testing.assert_close(tokens, expected)
    reverse = ConditioningAverage(
        conditioning_to=short, conditioning_from=long, conditioning_to_strength=0.5
    ).run(ctx)
    assert reverse.whole.tokens.shape == (1, 77, 32)
