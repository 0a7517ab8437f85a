"""The nodes around tiny models of Stable Diffusion 3 and Flux, real in every name."""

import math
from pathlib import Path

import pytest
import torch
from tests.library.flow_models import written

from safelight.diffusion import conditioning
from safelight.diffusion.family import Family
from safelight.diffusion.family_flow import FLUX_DEV, SD3_FAMILY, SD35_MEDIUM
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.texts import TextsError
from safelight.diffusion.weights import CheckpointError
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.flow import (
    CLIPTextEncodeFlux,
    CLIPTextEncodeSD3,
    EmptySD3LatentImage,
    FluxDisableGuidance,
    FluxGuidance,
    ModelSamplingFlux,
    ModelSamplingSD3,
    NotAFlow,
    T5TokenizerOptions,
)
from safelight.library.latent import VAEDecode, VAEEncode
from safelight.library.loading import CheckpointLoaderSimple, VAELoader
from safelight.library.sampling import KSampler
from safelight.library.split import CLIPLoader, DualCLIPLoader, TripleCLIPLoader, UNETLoader
from safelight.library.values import Conditioning, Latent, Model


@pytest.fixture
def home(tmp_path: Path) -> Folders:
    """An empty home."""
    made = Folders(tmp_path)
    made.create()
    return made


def drawn(ctx: NullContext, model: Model, told: Conditioning, cfg: float = 1.0) -> Latent:
    """Two steps from noise."""
    empty = EmptySD3LatentImage(width=64, height=48, batch_size=1).run(ctx)
    return KSampler(
        model=model,
        seed=3,
        steps=2,
        cfg=cfg,
        sampler_name="euler",
        scheduler="simple",
        positive=told,
        negative=told,
        latent_image=empty,
        denoise=1.0,
    ).run(ctx)


@pytest.mark.parametrize("family", [SD3_FAMILY, SD35_MEDIUM, FLUX_DEV], ids=lambda f: f.name)
def test_parts_in_files_of_their_own_draw_the_same_picture(family: Family, home: Folders) -> None:
    """A whole checkpoint, and its denoiser, text encoders and autoencoder opened apart."""
    texts = ("l", "t5") if family is FLUX_DEV else ("l", "g", "t5")
    written(family, home.home, texts)
    ctx = NullContext(folders=home)
    whole = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx)
    assert whole.model.family == family.name
    told = CLIPTextEncode(text="a (cat:1.3)", clip=whole.clip).run(ctx)
    first = drawn(ctx, whole.model, told)
    assert first.samples.shape == (1, 16, 6, 8)
    picture = VAEDecode(samples=first, vae=whole.vae).run(ctx)
    assert picture.pixels.shape == (1, 48, 64, 3)

    model = UNETLoader(unet_name="denoiser.safetensors", weight_dtype="default").run(ctx)
    files = [f"{name}.safetensors" for name in texts]
    if family is FLUX_DEV:
        clip = DualCLIPLoader(clip_name1=files[1], clip_name2=files[0], type="flux").run(ctx)
    else:
        clip = TripleCLIPLoader(clip_name1=files[2], clip_name2=files[0], clip_name3=files[1]).run(
            ctx
        )
    vae = VAELoader(vae_name="vae.safetensors").run(ctx)
    again = drawn(ctx, model, CLIPTextEncode(text="a (cat:1.3)", clip=clip).run(ctx))
    torch.testing.assert_close(again.samples, first.samples, rtol=1e-4, atol=1e-4)
    same = VAEDecode(samples=again, vae=vae).run(ctx)
    torch.testing.assert_close(same.pixels, picture.pixels, rtol=1e-3, atol=1e-3)


def test_flux_follows_the_scale_it_is_told(home: Folders) -> None:
    """3.5 is what it hears when nothing is said; the sampler asks only once."""
    written(FLUX_DEV, home.home, ("l", "t5"))
    ctx = NullContext(folders=home)
    parts = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx)
    plain = CLIPTextEncode(text="a cat", clip=parts.clip).run(ctx)
    usual = FluxGuidance(conditioning=plain, guidance=3.5).run(ctx)
    strong = FluxGuidance(conditioning=plain, guidance=7.0).run(ctx)
    at_once = CLIPTextEncodeFlux(clip=parts.clip, clip_l="a cat", t5xxl="a cat", guidance=7.0).run(
        ctx
    )
    pictures = [drawn(ctx, parts.model, told) for told in (plain, usual, strong, at_once)]
    assert torch.equal(pictures[0].samples, pictures[1].samples)
    assert not torch.equal(pictures[0].samples, pictures[2].samples)
    assert torch.equal(pictures[2].samples, pictures[3].samples)


def test_each_encoder_of_flux_reads_its_own_text(home: Folders) -> None:
    """T5's text makes the tokens, CLIP's the pooled vector."""
    written(FLUX_DEV, home.home, ("l", "t5"))
    ctx = NullContext(folders=home)
    clip = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx).clip
    cat = CLIPTextEncodeFlux(clip=clip, clip_l="cat", t5xxl="cat").run(ctx).whole
    hat = CLIPTextEncodeFlux(clip=clip, clip_l="cat", t5xxl="hat").run(ctx).whole
    assert cat.pooled is not None
    assert hat.pooled is not None
    assert torch.equal(cat.pooled, hat.pooled)
    assert cat.tokens.shape == (1, 256, 32)
    assert not torch.equal(cat.tokens, hat.tokens)


def test_version_3_draws_without_t5(home: Folders) -> None:
    """Guided too; the words are those of both CLIPs, filled up with zeros inside."""
    written(SD3_FAMILY, home.home, ("l", "g"))
    ctx = NullContext(folders=home)
    parts = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx)
    told = CLIPTextEncode(text="a cat", clip=parts.clip).run(ctx)
    assert told.whole.tokens.shape == (1, 77, 24)
    assert drawn(ctx, parts.model, told, cfg=5.0).samples.isfinite().all()


def test_empty_texts_of_version_3_are_left_out_or_read(home: Folders) -> None:
    """Alone the words of T5 are left, T5 alone keeps its end, and nothing at all is zeros."""
    written(SD3_FAMILY, home.home, ("l", "g", "t5"))
    ctx = NullContext(folders=home)
    clip = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx).clip

    def told(clips: str, t5: str, padding: str) -> torch.Tensor:
        node = CLIPTextEncodeSD3(
            clip=clip, clip_l=clips, clip_g=clips, t5xxl=t5, empty_padding=padding
        )
        return node.run(ctx).whole.tokens

    assert told("a cat", "a cat", "none").shape == (1, 154, 32)
    assert told("", "a cat", "empty_prompt").shape == (1, 154, 32)
    assert told("", "a cat", "none").shape == (1, 77, 32)
    assert told("a cat", "", "none").shape == (1, 78, 32)
    plain = CLIPTextEncode(text="", clip=clip).run(ctx).whole.tokens
    assert torch.equal(told("", "", "empty_prompt"), plain)


def test_nothing_to_read_and_no_t5_is_zeros(home: Folders) -> None:
    """Nothing was said, so nothing is heard."""
    written(SD3_FAMILY, home.home, ("l", "g"))
    ctx = NullContext(folders=home)
    clip = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx).clip
    node = CLIPTextEncodeSD3(clip=clip, clip_l="", clip_g="", t5xxl="", empty_padding="none")
    whole = node.run(ctx).whole
    assert whole.pooled is not None
    assert whole.tokens.abs().max() == 0
    assert whole.pooled.abs().max() == 0


def test_prompts_of_t5_are_padded_as_asked(home: Folders) -> None:
    """Two words and an end are three tokens; 77 more come from the CLIPs."""
    written(SD3_FAMILY, home.home, ("l", "g", "t5"))
    ctx = NullContext(folders=home)
    clip = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx).clip
    for padding, length, wished in ((0, 0, 3), (5, 0, 8), (5, 20, 20), (0, 4, 4)):
        options = T5TokenizerOptions(clip=clip, min_padding=padding, min_length=length).run(ctx)
        tokens = CLIPTextEncode(text="a cat", clip=options).run(ctx).whole.tokens
        assert tokens.shape[1] - 77 == wished
    assert CLIPTextEncode(text="a cat", clip=clip).run(ctx).whole.tokens.shape[1] == 154


def test_a_guidance_scale_can_be_taken_back() -> None:
    """From all that is said of a picture."""
    said = Conditioning(conditioning.Conditioning(torch.zeros(1, 2, 3), guidance=4.0))
    assert FluxDisableGuidance(conditioning=said).run(NullContext()).whole.guidance is None


def test_shifts_change_the_levels_and_nothing_else(home: Folders) -> None:
    """By the number given, or by the size of the picture along a line in ln shift."""
    written(FLUX_DEV, home.home, ())
    ctx = NullContext(folders=home)
    model = UNETLoader(unet_name="denoiser.safetensors", weight_dtype="default").run(ctx)
    by_number = ModelSamplingSD3(model=model, shift=2.5).run(ctx)
    small = ModelSamplingFlux(model=model, width=256, height=256).run(ctx)
    large = ModelSamplingFlux(model=model, width=1024, height=1024).run(ctx)
    schedules = [made.denoiser.schedule for made in (by_number, small, large)]
    shifts = [made.shift for made in schedules if isinstance(made, FlowSchedule)]
    assert shifts == pytest.approx([2.5, math.exp(0.5), math.exp(1.15)])
    assert [len(made.sigmas) for made in schedules] == [1000, 10_000, 10_000]
    assert large.network is model.network
    assert large.denoiser.listen is model.denoiser.listen


def test_a_model_that_is_no_flow_has_no_shift(folders: Folders) -> None:
    """The message names the family."""
    ctx = NullContext(folders=folders)
    model = CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx).model
    with pytest.raises(
        NotAFlow, match=r"^Stable Diffusion 1 is no rectified flow, so its noise cannot be shifted$"
    ):
        ModelSamplingSD3(model=model).run(ctx)


def test_a_missing_text_encoder_is_told_by_name(home: Folders) -> None:
    """A pair is opened without complaint; reading a prompt with half of what is needed is not."""
    written(FLUX_DEV, home.home, ("l", "g", "t5"))
    ctx = NullContext(folders=home)
    lone = CLIPLoader(clip_name="t5.safetensors", type="sd3").run(ctx)
    assert CLIPTextEncode(text="a", clip=lone).run(ctx).whole.tokens.shape == (1, 77, 32)
    with pytest.raises(
        CheckpointError, match=r"l\.safetensors: this is CLIP-L, and so is .*l\.saf"
    ):
        DualCLIPLoader(clip_name1="l.safetensors", clip_name2="l.safetensors", type="flux").run(ctx)
    wrong = r"l\.safetensors: CLIP-L and OpenCLIP-bigG is not what Flux dev listens to$"
    with pytest.raises(CheckpointError, match=wrong):
        DualCLIPLoader(clip_name1="l.safetensors", clip_name2="g.safetensors", type="flux").run(ctx)
    half = CLIPLoader(clip_name="g.safetensors", type="stable_diffusion").run(ctx)
    with pytest.raises(
        TextsError, match=r"^Stable Diffusion XL also listens to CLIP-L, which was not opened$"
    ):
        CLIPTextEncode(text="a", clip=half).run(ctx)
    models = home.home / "models"
    (models / "vae" / "vae.safetensors").rename(models / "text_encoders" / "vae.safetensors")
    with pytest.raises(CheckpointError, match=r"it holds no text encoder known here \(CLIP-L, Op"):
        CLIPLoader(clip_name="vae.safetensors", type="sd3").run(ctx)


def test_a_picture_goes_to_sixteen_channels_and_back(home: Folders) -> None:
    """A lone autoencoder serves both families of its shape."""
    written(SD3_FAMILY, home.home, ("l", "g"))
    ctx = NullContext(folders=home)
    parts = CheckpointLoaderSimple(ckpt_name="whole.safetensors").run(ctx)
    lone = VAELoader(vae_name="vae.safetensors").run(ctx)
    told = CLIPTextEncode(text="a cat", clip=parts.clip).run(ctx)
    picture = VAEDecode(samples=drawn(ctx, parts.model, told), vae=lone).run(ctx)
    latent = VAEEncode(pixels=picture, vae=lone).run(ctx)
    assert latent.samples.shape == (1, 16, 6, 8)
    assert VAEDecode(samples=latent, vae=parts.vae).run(ctx).pixels.shape == (1, 48, 64, 3)
