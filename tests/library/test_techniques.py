"""Nodes that refine guidance, change networks and read answers otherwise."""

from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.library.flow_models import SD3_SIZES
from tests.library.test_custom_sampling import UNTAUGHT

from safelight.diffusion.change import CannotChange
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.latent import SD1
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.schedule import FlowSchedule
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library import caching, levels, more_walks, refinements, reworking, weakening
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.custom_sampling import SamplerCustomAdvanced, SetLatentNoiseMask
from safelight.library.latent import EmptyLatentImage
from safelight.library.loading import CheckpointLoaderSimple
from safelight.library.samplers import KSamplerSelect
from safelight.library.sampling import KSampler
from safelight.library.schedulers import BasicScheduler
from safelight.library.values import Conditioning, Latent, Mask, Model
from safelight.library.walks import Guider, Noise, Sigmas

CTX = NullContext()
Settings = dict[str, Any]
AnyNode = Any  # a node class, whatever its inputs

# Node, settings at which it changes nothing (None: it has none), settings at which it does.
TECHNIQUES: list[tuple[AnyNode, Settings | None, Settings]] = [
    (refinements.RescaleCFG, {"multiplier": 0.0}, {}),
    (refinements.CFGNorm, None, {}),
    (refinements.EpsilonScaling, {"scaling_factor": 1.0}, {}),
    (refinements.CFGZeroStar, None, {}),
    (refinements.TCFG, None, {}),
    (refinements.Mahiro, None, {}),
    (refinements.APG, {"norm_threshold": 0.0}, {"eta": 0.0, "momentum": -0.5}),
    (refinements.FreSca, {"scale_high": 1.0}, {"freq_cutoff": 2}),
    (refinements.DynamicThresholding, None, {"quantile": 0.9}),
    (refinements.GuidanceInterval, {}, {"start_percent": 0.3, "end_percent": 0.8}),
    (weakening.PerturbedAttentionGuidance, {"scale": 0.0}, {}),
    (weakening.AttentionNegative, {"scale": 0.0}, {}),
    (weakening.SelfAttentionGuidance, {"scale": 0.0}, {}),
    (reworking.FreeU, {"b1": 1.0, "b2": 1.0, "s1": 1.0, "s2": 1.0}, {}),
    (reworking.FreeU_V2, {"b1": 1.0, "b2": 1.0, "s1": 1.0, "s2": 1.0}, {}),
    (reworking.HyperTile, {"max_depth": 1}, {"tile_size": 32, "swap_size": 1, "max_depth": 1}),
    (reworking.UNetSelfAttentionMultiply, {}, {"v": 0.5}),
    (reworking.UNetCrossAttentionMultiply, {}, {"v": 0.5}),
    (caching.EasyCache, {"reuse_threshold": 0.0}, {"reuse_threshold": 3.0}),
    (caching.LazyCache, {"reuse_threshold": 0.0}, {"reuse_threshold": 3.0}),
    (caching.DeepCache, {"interval": 1}, {"interval": 2}),
    (levels.ModelSamplingDiscrete, {"sampling": "eps"}, {"sampling": "v_prediction"}),
]
SHRINK: Settings = {"downscale_method": "bicubic", "upscale_method": "bicubic"}


@pytest.fixture
def ctx(folders: Folders) -> NullContext:
    """A context that knows the tiny model."""
    return NullContext(folders)


@pytest.fixture
def told(ctx: NullContext) -> tuple[Model, Conditioning, Conditioning]:
    """The tiny model, what to draw, and what not."""
    parts = CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx)
    texts = ("a red cat", "dog")
    wanted, unwanted = (CLIPTextEncode(text=text, clip=parts.clip).run(ctx) for text in texts)
    return parts.model, wanted, unwanted


Told = tuple[Model, Conditioning, Conditioning]


def drawn(model: Model, told: Told, ctx: NullContext, cfg: float = 3.0) -> torch.Tensor:
    """A latent of 16 by 16, in five steps."""
    return (
        KSampler(
            model=model,
            seed=1,
            steps=5,
            cfg=cfg,
            sampler_name="euler",
            scheduler="normal",
            positive=told[1],
            negative=told[2],
            latent_image=EmptyLatentImage(width=128, height=128).run(CTX),
        )
        .run(ctx)
        .samples
    )


def test_neutral_settings_draw_the_same_and_others_another_picture(
    told: Told, ctx: NullContext
) -> None:
    """Through the plain sampler node, all of them; the loaded model is left alone."""
    plain = drawn(told[0], told, ctx)
    for node, neutral, active in TECHNIQUES:
        if neutral is not None:
            same = drawn(node(model=told[0], **neutral).run(CTX), told, ctx)
            torch.testing.assert_close(same, plain, rtol=1e-4, atol=1e-4, msg=node.__name__)
        other = drawn(node(model=told[0], **active).run(CTX), told, ctx)
        assert not torch.allclose(other, plain, rtol=1e-3, atol=1e-3), node.__name__
        assert torch.isfinite(other).all(), node.__name__
    assert torch.equal(drawn(told[0], told, ctx), plain)


def test_techniques_add_up(told: Told, ctx: NullContext) -> None:
    """Several nodes in a row: each does its part, and the same walk gives the same picture."""
    model = told[0]
    for node, _, active in TECHNIQUES[:-1]:
        model = node(model=model, **active).run(CTX)
    model = reworking.PatchModelAddDownscale(model=model, block_number=1, **SHRINK).run(CTX)
    first = drawn(model, told, ctx)
    assert torch.isfinite(first).all()
    assert torch.equal(drawn(model, told, ctx), first)


def test_words_can_listen_louder(ctx: NullContext) -> None:
    """Factors of 1 change nothing, queries and keys count by their product."""
    clip = CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx).clip

    def read(**factors: float) -> torch.Tensor:
        changed = reworking.CLIPAttentionMultiply(clip=clip, **factors).run(CTX)
        return CLIPTextEncode(text="a red cat", clip=changed).run(ctx).whole.tokens

    plain = CLIPTextEncode(text="a red cat", clip=clip).run(ctx).whole.tokens
    assert torch.equal(read(), plain)
    torch.testing.assert_close(read(q=2.0), read(k=2.0), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(read(q=2.0), plain, atol=1e-4)


def test_guiders_by_three_prompts(told: Told, ctx: NullContext) -> None:
    """With two of them the same they are the plain guider."""
    model, wanted, unwanted = told

    def walk(guider: Guider) -> torch.Tensor:
        walked = SamplerCustomAdvanced(
            noise=Noise(1),
            guider=guider,
            sampler=KSamplerSelect(sampler_name="euler").run(CTX),
            sigmas=BasicScheduler(model=model, scheduler="normal", steps=5).run(CTX),
            latent_image=EmptyLatentImage(width=128, height=128).run(CTX),
        ).run(ctx)
        return walked.output.samples

    plain = drawn(model, told, ctx)
    dual = weakening.DualCFGGuider(
        model=model,
        cond1=wanted,
        cond2=unwanted,
        negative=unwanted,
        cfg_conds=3.0,
        cfg_cond2_negative=1.0,
        style="regular",
    )
    torch.testing.assert_close(walk(dual.run(CTX)), plain, rtol=1e-4, atol=1e-4)
    perpendicular = weakening.PerpNegGuider(
        model=model,
        positive=wanted,
        negative=wanted,
        empty_conditioning=unwanted,
        cfg=3.0,
    )
    torch.testing.assert_close(walk(perpendicular.run(CTX)), plain, rtol=1e-3, atol=1e-3)


def flow() -> Model:
    """A tiny transformer."""
    network = MMDiT(SD3_SIZES)
    randomised(network, 1)
    return Model(network, LatentModel(network, FlowSchedule(), "flow"), SD1, "SD 3")


@pytest.mark.parametrize(
    ("node", "settings"),
    [
        (weakening.SkipLayerGuidanceSD3, {"layers": "0"}),
        (weakening.SkipLayerGuidanceDiT, {"double_layers": "0, 1", "single_layers": ""}),
        (weakening.SkipLayerGuidanceDiTSimple, {"double_layers": "1", "single_layers": ""}),
    ],
)
def test_layers_are_skipped_in_transformers_only(node: AnyNode, settings: Settings) -> None:
    """A U-Net is refused where the node stands, not in the middle of a walk."""
    made = node(model=flow(), **settings).run(CTX)
    assert isinstance(made, Model)
    assert len(made.guidance) == 1
    with pytest.raises(CannotChange, match="Identity has no blocks that could be left out"):
        node(model=UNTAUGHT, **settings).run(CTX)


@pytest.mark.parametrize(
    ("node", "settings"),
    [
        (weakening.SelfAttentionGuidance, {}),
        (caching.DeepCache, {}),
        (reworking.FreeU, {}),
        (reworking.HyperTile, {}),
        (reworking.TomePatchModel, {}),
        (reworking.PatchModelAddDownscale, SHRINK),
        (reworking.UNetSelfAttentionMultiply, {}),
    ],
)
def test_unets_only(node: AnyNode, settings: Settings) -> None:
    """A transformer has no such parts."""
    with pytest.raises(CannotChange, match="MMDiT"):
        node(model=flow(), **settings).run(CTX)


def test_a_number_format_is_kept_by_the_model(told: Told, ctx: NullContext) -> None:
    """bf16 draws nearly the same picture, fp32 the very same on a processor."""
    plain = drawn(told[0], told, ctx)
    exact = levels.ModelComputeDtype(model=told[0], dtype="fp32").run(CTX)
    assert torch.equal(drawn(exact, told, ctx), plain)
    rough = drawn(levels.ModelComputeDtype(model=told[0], dtype="bf16").run(CTX), told, ctx)
    assert not torch.equal(rough, plain)


def test_noise_added_by_hand_is_that_of_the_walk(told: Told) -> None:
    """latent + (sigma_0 - sigma_n) z, in the scale of diffusion; no sigmas add none."""
    latent = Latent(torch.randn(1, 4, 4, 4), SD1)
    sigmas = Sigmas(torch.tensor([3.0, 1.0]))
    node = more_walks.AddNoise(model=told[0], noise=Noise(4), sigmas=sigmas, latent_image=latent)
    fresh = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(4))
    wished = SD1.to_autoencoder(SD1.to_diffusion(latent.samples) + 2 * fresh)
    torch.testing.assert_close(node.run(CTX).samples, wished)
    none = Sigmas(torch.empty(0))
    node = more_walks.AddNoise(model=told[0], noise=Noise(4), sigmas=none, latent_image=latent)
    assert node.run(CTX) is latent


def test_masks_of_depth_change_dark_places_late(told: Told, ctx: NullContext) -> None:
    """Black is kept bit for bit, white repainted, and grey lies between."""
    start = Latent(torch.randn(1, 4, 16, 16), SD1)
    shades = torch.linspace(0, 1, 4).repeat_interleave(4)[None, None].expand(1, 16, 16)
    masked = SetLatentNoiseMask(samples=start, mask=Mask(shades)).run(CTX)
    model = reworking.DifferentialDiffusion(model=told[0]).run(CTX)
    out = KSampler(
        model=model,
        seed=1,
        steps=6,
        cfg=2.0,
        sampler_name="euler",
        scheduler="normal",
        positive=told[1],
        negative=told[2],
        latent_image=masked,
    ).run(ctx)
    moved = (out.samples - start.samples).abs().mean(dim=(0, 1, 2)).reshape(4, 4).mean(dim=1)
    assert moved[0] == 0
    assert moved[3] > moved[1]
    plain = reworking.DifferentialDiffusion(model=told[0], strength=0.0).run(CTX)
    assert plain.edge == 0
