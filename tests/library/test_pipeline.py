"""The nodes, wired by hand around a tiny random model."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as PillowImage

from safelight.diffusion.latent import SD1
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.image import ImageScale, LoadImage, PreviewImage, SaveImage
from safelight.library.latent import EmptyLatentImage, LatentUpscale, VAEDecode, VAEEncode
from safelight.library.loading import CheckpointLoaderSimple, CLIPSetLastLayer, Parts, VAELoader
from safelight.library.pictures import PictureError
from safelight.library.primitive import PrimitiveString
from safelight.library.sampling import KSampler
from safelight.library.values import FormatMismatch, Image, Latent


@pytest.fixture
def ctx(folders: Folders) -> NullContext:
    """A context in which pictures carry their workflow."""
    return NullContext(folders, metadata={"prompt": {"1": "é"}, "workflow": {"safelight": 1}})


@pytest.fixture
def parts(ctx: NullContext) -> Parts:
    """The tiny model, loaded."""
    return CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx)


def sampled(parts: Parts, ctx: NullContext, latent: Latent, **settings: Any) -> Latent:
    """Run a short KSampler with a prompt and an empty negative one."""
    positive = CLIPTextEncode(text="a red cat", clip=parts.clip).run(ctx)
    negative = CLIPTextEncode(text="", clip=parts.clip).run(ctx)
    chosen: dict[str, Any] = {
        "seed": 7,
        "steps": 3,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "normal",
    }
    chosen |= settings
    return KSampler(
        model=parts.model, positive=positive, negative=negative, latent_image=latent, **chosen
    ).run(ctx)


def empty(width: int = 64, height: int = 32, batch: int = 1) -> Latent:
    """An empty latent of a size in pixels."""
    node = EmptyLatentImage(width=width, height=height, batch_size=batch)
    return node.run(NullContext())


def test_text_becomes_a_picture(parts: Parts, ctx: NullContext) -> None:
    """The whole path gives pictures of the size that was asked for, in 0..1."""
    latent = sampled(parts, ctx, empty(batch=2))
    image = VAEDecode(samples=latent, vae=parts.vae).run(ctx)
    assert image.pixels.shape == (2, 32, 64, 3)
    assert image.pixels.min() >= 0
    assert image.pixels.max() <= 1
    assert image.pixels.std() > 0


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "dpmpp_2m_sde", "lcm"])
def test_the_same_seed_gives_the_same_latent(parts: Parts, ctx: NullContext, sampler: str) -> None:
    """Also where the sampler draws fresh noise; another seed gives another latent."""
    once, again, other = (
        sampled(parts, ctx, empty(), sampler_name=sampler, seed=seed).samples
        for seed in (3, 3, 2**64 - 1)
    )
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_strength_0_changes_nothing(parts: Parts, ctx: NullContext) -> None:
    """No step is walked, so the latent comes back as it was."""
    start = Latent(torch.randn(1, 4, 4, 8), SD1)
    end = sampled(parts, ctx, start, denoise=0.0)
    torch.testing.assert_close(end.samples, start.samples)


def test_less_strength_stays_closer(parts: Parts, ctx: NullContext) -> None:
    """A weak second pass moves a latent less than a strong one."""
    start = sampled(parts, ctx, empty())
    moved = [
        (sampled(parts, ctx, start, denoise=strength).samples - start.samples).norm().item()
        for strength in (0.1, 0.9)
    ]
    assert moved[0] < moved[1]


def test_guidance_1_ignores_the_negative_prompt(parts: Parts, ctx: NullContext) -> None:
    """U + 1 (C - U) is C."""
    positive = CLIPTextEncode(text="a cat", clip=parts.clip).run(ctx)

    def with_negative(text: str) -> torch.Tensor:
        negative = CLIPTextEncode(text=text, clip=parts.clip).run(ctx)
        node = KSampler(
            model=parts.model,
            seed=1,
            steps=2,
            cfg=1.0,
            sampler_name="euler",
            scheduler="karras",
            positive=positive,
            negative=negative,
            latent_image=empty(),
        )
        return node.run(ctx).samples

    assert torch.equal(with_negative("dog"), with_negative("hat hat"))


def test_progress_and_previews_come_with_every_step(parts: Parts, folders: Folders) -> None:
    """The sampler tells its total, and each preview is a JPEG."""
    seen: list[bytes] = []
    totals: list[int] = []

    class Watching(NullContext):
        def track(self, steps, total):  # type: ignore[no-untyped-def]
            totals.append(total)
            return super().track(steps, total)

        def preview(self, render: Callable[[], bytes]) -> None:
            seen.append(render())

    sampled(parts, Watching(folders), empty(), steps=4)
    assert totals == [4]
    assert [jpeg[:2] for jpeg in seen] == [b"\xff\xd8"] * 4


def test_a_latent_of_another_family_is_refused_with_both_names(
    parts: Parts, ctx: NullContext
) -> None:
    """The message says whose latent it is and who wanted what."""
    foreign = Latent(torch.zeros(1, 16, 4, 4), replace(SD1, name="Stable Diffusion 3"))
    with pytest.raises(
        FormatMismatch,
        match="this latent is of Stable Diffusion 3, but the VAE is of Stable Diffusion 1",
    ):
        VAEDecode(samples=foreign, vae=parts.vae).run(ctx)


def test_skipping_text_layers_changes_the_prompt_and_too_many_are_refused(
    parts: Parts, ctx: NullContext
) -> None:
    """-1 keeps all layers; the tiny encoder has two."""

    def tokens(last: int) -> torch.Tensor:
        clip = CLIPSetLastLayer(clip=parts.clip, stop_at_clip_layer=last).run(ctx)
        return CLIPTextEncode(text="a cat", clip=clip).run(ctx).whole.tokens

    assert torch.equal(
        tokens(-1), CLIPTextEncode(text="a cat", clip=parts.clip).run(ctx).whole.tokens
    )
    assert not torch.equal(tokens(-1), tokens(-2))
    with pytest.raises(ValueError, match="cannot skip the last 2 of 2 layers"):
        tokens(-3)


def test_a_saved_picture_carries_its_workflow_and_comes_back(ctx: NullContext) -> None:
    """The PNG holds prompt and workflow as JSON, and its pixels survive to 8 bits."""
    pixels = torch.rand(2, 8, 16, 3)
    shown = SaveImage(images=Image(pixels), filename_prefix="trip/cat").run(ctx)
    records = shown.ui["images"]
    assert [record["filename"] for record in records] == ["cat_00001_.png", "cat_00002_.png"]
    assert {record["subfolder"] for record in records} == {"trip"}
    with PillowImage.open(ctx.folders.home / "output/trip/cat_00002_.png") as file:
        assert json.loads(file.text["prompt"]) == {"1": "é"}  # type: ignore[attr-defined]
        assert json.loads(file.text["workflow"]) == {"safelight": 1}  # type: ignore[attr-defined]
    loaded = LoadImage(image="trip/cat_00002_.png [output]").run(ctx)
    assert (loaded.image.pixels[0] - pixels[1]).abs().max() <= 1 / 255
    assert loaded.mask.pixels.shape == (1, 64, 64)
    assert loaded.mask.pixels.max() == 0


def test_a_deleted_picture_is_written_again(ctx: NullContext) -> None:
    """A remembered result holds only while its files exist."""
    shown = PreviewImage(images=Image(torch.rand(1, 8, 8, 3))).run(ctx)
    assert PreviewImage.holds(shown)
    (record,) = shown.ui["images"]
    ctx.folders.resolve("temp", str(record["filename"])).unlink()
    assert not PreviewImage.holds(shown)


def test_transparency_becomes_the_mask(ctx: NullContext) -> None:
    """1 where nothing is, at the picture's own size."""
    file = PillowImage.new("RGBA", (6, 4), (255, 0, 0, 255))
    file.putpixel((1, 2), (0, 0, 0, 0))
    file.save(ctx.folders.home / "input/hole.png")
    mask = LoadImage(image="hole.png").run(ctx).mask.pixels
    assert mask.shape == (1, 4, 6)
    assert mask.sum() == 1
    assert mask[0, 2, 1] == 1


def test_a_file_that_is_no_picture_is_refused_by_name(ctx: NullContext) -> None:
    """Text with a picture's name, and a picture that breaks off."""
    (ctx.folders.home / "input/note.png").write_text("not a picture")
    with pytest.raises(PictureError, match=r"note\.png is not a picture that can be read"):
        LoadImage(image="note.png").run(ctx)
    whole = ctx.folders.home / "input/whole.png"
    PillowImage.effect_noise((64, 64), 50).save(whole)
    (ctx.folders.home / "input/torn.png").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(PictureError, match=r"torn\.png is not a picture that can be read"):
        LoadImage(image="torn.png").run(ctx)


def test_encoding_takes_the_middle_and_decoding_gives_it_back_in_size(
    parts: Parts, ctx: NullContext
) -> None:
    """19 x 35 pixels become 16 x 32, and a latent 2 x 4."""
    latent = VAEEncode(pixels=Image(torch.rand(1, 19, 35, 3)), vae=parts.vae).run(ctx)
    assert latent.samples.shape == (1, 4, 2, 4)
    assert VAEDecode(samples=latent, vae=parts.vae).run(ctx).pixels.shape == (1, 16, 32, 3)


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(128, 128, (16, 16)), (128, 0, (8, 16)), (0, 0, (4, 8))]
)
def test_a_latent_grows_to_the_size_in_pixels(
    width: int, height: int, expected: tuple[int, int]
) -> None:
    """A side of 0 follows the other one; two of them change nothing."""
    node = LatentUpscale(
        samples=empty(64, 32), upscale_method="bislerp", width=width, height=height, crop="disabled"
    )
    assert node.run(NullContext()).samples.shape[2:] == expected


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
def test_a_picture_is_resized_by_every_method(method: str) -> None:
    """A flat picture stays flat (to 8 bits), cut to the new shape first."""
    flat = Image(torch.full((2, 10, 20, 3), 0.5))
    node = ImageScale(image=flat, upscale_method=method, width=8, height=8, crop="center")
    result = node.run(NullContext()).pixels
    assert result.shape == (2, 8, 8, 3)
    assert (result - 0.5).abs().max() <= 1 / 255


def test_an_autoencoder_can_come_from_its_own_file(
    parts: Parts, ctx: NullContext, tiny_checkpoint: Path
) -> None:
    """A whole checkpoint lying among the VAEs serves too, and decodes the same."""
    (ctx.folders.home / "models/vae/alone.safetensors").write_bytes(tiny_checkpoint.read_bytes())
    vae = VAELoader(vae_name="alone.safetensors").run(ctx)
    latent = Latent(torch.randn(1, 4, 2, 2), SD1)
    mine, theirs = (VAEDecode(samples=latent, vae=v).run(ctx).pixels for v in (vae, parts.vae))
    assert torch.equal(mine, theirs)


def test_a_text_passes_unchanged() -> None:
    """A primitive hands on what it holds."""
    assert PrimitiveString(value="a cat").run(NullContext()) == "a cat"
