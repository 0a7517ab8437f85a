"""The nodes around tiny models of the other U-Net families, real in every name."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.library.conftest import WORDS, tokenizer_json

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.family import Family
from safelight.diffusion.family_unet import (
    SD1_EDIT,
    SD1_FAMILY,
    SD1_INPAINT,
    SD2_FAMILY,
    SDXL_FAMILY,
    SDXL_INPAINT,
    SDXL_REFINER,
    single_file,
)
from safelight.diffusion.hearing import UnheardError
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import (
    CLIPTextEncode,
    CLIPTextEncodeSDXL,
    CLIPTextEncodeSDXLRefiner,
    ConditioningZeroOut,
)
from safelight.library.latent import EmptyLatentImage, VAEDecode, VAEEncode
from safelight.library.loading import CheckpointLoaderSimple, CLIPSetLastLayer, Parts, VAELoader
from safelight.library.sampling import KSampler
from safelight.library.values import Conditioning, Image, Latent

L = TextConfig(vocabulary=len(WORDS), width=16, layers=3, heads=2)
G = TextConfig(
    vocabulary=len(WORDS), width=24, layers=3, heads=3, activation="gelu", pooled_width=24
)
SMALL = UNetConfig(
    width=16, blocks=1, depths=(1, 1, 1, 0), groups=8, context_width=24, head_width=8, linear=True
)
XL = replace(
    SMALL,
    multipliers=(1, 2, 2),
    depths=(0, 1, 1),
    context_width=16 + 24,
    vector_width=24 + 6 * 256,
)
REFINER = replace(SMALL, blocks=2, depths=(0, 1, 1, 0), vector_width=24 + 5 * 256)
TINY: dict[str, tuple[Family, UNetConfig, dict[str, TextConfig]]] = {
    "sd1-inpaint": (
        SD1_INPAINT,
        UNetConfig(9, width=16, blocks=1, depths=(0, 1, 1, 0), groups=8, heads=4, context_width=16),
        {"l": L},
    ),
    "sd1-edit": (
        SD1_EDIT,
        UNetConfig(8, width=16, blocks=1, depths=(0, 1, 1, 0), groups=8, heads=4, context_width=16),
        {"l": L},
    ),
    "sd2": (SD2_FAMILY, SMALL, {"h": G}),
    "xl": (SDXL_FAMILY, XL, {"l": L, "g": G}),
    "xl-inpaint": (SDXL_INPAINT, replace(XL, channels_in=9), {"l": L, "g": G}),
    "xl-refiner": (SDXL_REFINER, REFINER, {"g": G}),
}


def written(name: str, path: Path) -> None:
    """Write the file of a tiny model."""
    family, config, towers = TINY[name]
    settings = Settings(
        unet_heads=4, unet_head_width=8, unet_groups=8, vae_groups=4, text_head_width=8
    )
    unet, vae = UNet(config), AutoencoderKL(VAEConfig(width=8, blocks=1, groups=4))
    texts = {short: TextEncoder(tower) for short, tower in towers.items()}
    for seed, network in enumerate((unet, vae, *texts.values())):
        randomised(network, seed)
    tensors = single_file(family, unet, texts, vae)
    save_checkpoint(path, tensors, checkpoint_metadata(settings, tokenizer_json()))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each family, by name."""
    folder = tmp_path_factory.mktemp("families")
    files = {name: folder / f"{name}.safetensors" for name in TINY}
    for name, path in files.items():
        written(name, path)
    return files


@pytest.fixture
def ctx(tmp_path: Path, models: dict[str, Path]) -> NullContext:
    """A home in which the tiny models are built in."""
    folders = Folders(tmp_path, builtin={"checkpoints": models})
    folders.create()
    return NullContext(folders)


def prompted(parts: Parts, ctx: NullContext, text: str) -> Conditioning:
    """A prompt, plainly encoded."""
    return CLIPTextEncode(text=text, clip=parts.clip).run(ctx)


def drawn(
    parts: Parts, ctx: NullContext, positive: Conditioning, cfg: float = 3.0, pictures: int = 1
) -> Latent:
    """Three steps from noise, away from an empty prompt."""
    empty = EmptyLatentImage(width=64, height=32, batch_size=pictures).run(ctx)
    node = KSampler(
        model=parts.model,
        seed=7,
        steps=3,
        cfg=cfg,
        sampler_name="euler",
        scheduler="normal",
        positive=positive,
        negative=prompted(parts, ctx, ""),
        latent_image=empty,
    )
    return node.run(ctx)


@pytest.mark.parametrize("name", TINY)
def test_text_becomes_a_picture(name: str, ctx: NullContext) -> None:
    """The same nodes serve every family: load, prompt, sample, decode."""
    parts = CheckpointLoaderSimple(ckpt_name=name).run(ctx)
    assert parts.model.family == TINY[name][0].name
    latent = drawn(parts, ctx, prompted(parts, ctx, "a (red:1.3) cat"), pictures=2)
    image = VAEDecode(samples=latent, vae=parts.vae).run(ctx)
    assert image.pixels.shape == (2, 32, 64, 3)
    assert image.pixels.isfinite().all()
    assert image.pixels.std() > 0
    other = drawn(parts, ctx, prompted(parts, ctx, "a dog"), pictures=2)
    assert not torch.equal(latent.samples, other.samples)


@pytest.mark.parametrize("name", ["xl", "xl-refiner"])
def test_guidance_1_asks_only_for_the_prompt(name: str, ctx: NullContext) -> None:
    """One network call a step, without the other half's vector, gives U + 1 (C - U) = C."""
    parts = CheckpointLoaderSimple(ckpt_name=name).run(ctx)
    positive = prompted(parts, ctx, "a cat")
    alone, nearly = (drawn(parts, ctx, positive, cfg).samples for cfg in (1.0, 1.0 + 1e-6))
    torch.testing.assert_close(alone, nearly, rtol=1e-3, atol=1e-3)


def test_xl_hears_two_prompts_of_any_length_and_sizes(ctx: NullContext) -> None:
    """Each encoder reads its own; the shorter prompt is followed by chunks of nothing."""
    parts = CheckpointLoaderSimple(ckpt_name="xl").run(ctx)

    def said(text_g: str, text_l: str, width: int = 64, corner: int = 0) -> Conditioning:
        return CLIPTextEncodeSDXL(
            clip=parts.clip,
            width=width,
            height=32,
            crop_w=corner,
            crop_h=0,
            target_width=64,
            target_height=32,
            text_g=text_g,
            text_l=text_l,
        ).run(ctx)

    both = said("a cat", "a cat")
    plain = prompted(parts, ctx, "a cat")
    assert torch.equal(both.whole.tokens, plain.whole.tokens)
    assert torch.equal(drawn(parts, ctx, both).samples, drawn(parts, ctx, plain).samples)
    long = said("a cat", "cat " * 100).whole.tokens
    assert long.shape == (1, 154, 16 + 24)
    assert torch.equal(long[:, :77, 16:], plain.whole.tokens[..., 16:])
    assert torch.equal(long[:, 77:, 16:], prompted(parts, ctx, "").whole.tokens[..., 16:])
    for other in (said("a cat", "a cat", width=640), said("a cat", "a cat", corner=8)):
        assert not torch.equal(drawn(parts, ctx, both).samples, drawn(parts, ctx, other).samples)


def test_the_refiner_hears_a_score(ctx: NullContext) -> None:
    """6 is what the plain node says of what is wanted."""
    parts = CheckpointLoaderSimple(ckpt_name="xl-refiner").run(ctx)

    def scored(score: float) -> torch.Tensor:
        node = CLIPTextEncodeSDXLRefiner(
            ascore=score, width=64, height=32, text="a cat", clip=parts.clip
        )
        return drawn(parts, ctx, node.run(ctx)).samples

    plain = drawn(parts, ctx, prompted(parts, ctx, "a cat")).samples
    assert torch.equal(scored(6.0), plain)
    assert not torch.equal(scored(2.0), plain)


def test_zeros_are_not_the_empty_prompt(ctx: NullContext) -> None:
    """Tokens and the pooled vector become zeros; the model still draws."""
    parts = CheckpointLoaderSimple(ckpt_name="xl").run(ctx)
    empty = prompted(parts, ctx, "")
    zeros = ConditioningZeroOut(conditioning=empty).run(ctx)
    assert zeros.whole.pooled is not None
    assert zeros.whole.tokens.count_nonzero() + zeros.whole.pooled.count_nonzero() == 0
    assert not torch.equal(drawn(parts, ctx, zeros).samples, drawn(parts, ctx, empty).samples)


def test_skipping_layers_counts_from_the_end_in_every_family(ctx: NullContext) -> None:
    """XL's habit is the last but one layer: -2 says what it does anyway."""
    parts = CheckpointLoaderSimple(ckpt_name="xl").run(ctx)

    def tokens(last: int) -> torch.Tensor:
        clip = CLIPSetLastLayer(clip=parts.clip, stop_at_clip_layer=last).run(ctx)
        return CLIPTextEncode(text="a cat", clip=clip).run(ctx).whole.tokens

    habit = prompted(parts, ctx, "a cat").whole.tokens
    assert torch.equal(tokens(-2), habit)
    assert not torch.equal(tokens(-1), habit)


def test_a_prompt_of_another_family_is_refused(ctx: NullContext) -> None:
    """XL wants a pooled vector, which version 2's prompts do not have."""
    xl = CheckpointLoaderSimple(ckpt_name="xl").run(ctx)
    version_2 = CheckpointLoaderSimple(ckpt_name="sd2").run(ctx)
    with pytest.raises(UnheardError, match=r"^Stable Diffusion XL wants a pooled vector beside"):
        drawn(xl, ctx, prompted(version_2, ctx, "a cat"))


def test_an_autoencoder_alone_serves_every_family_of_its_shape(
    ctx: NullContext, models: dict[str, Path]
) -> None:
    """The file does not say if it is version 1's or XL's; either decodes and encodes."""
    (ctx.folders.home / "models/vae/alone.safetensors").write_bytes(models["xl"].read_bytes())
    vae = VAELoader(vae_name="alone.safetensors").run(ctx)
    for name in ("xl", "sd2"):
        parts = CheckpointLoaderSimple(ckpt_name=name).run(ctx)
        latent = drawn(parts, ctx, prompted(parts, ctx, "a cat"))
        assert VAEDecode(samples=latent, vae=vae).run(ctx).pixels.shape == (1, 32, 64, 3)
        encoded = VAEEncode(pixels=Image(torch.rand(1, 32, 64, 3)), vae=vae).run(ctx)
        assert torch.equal(encoded.fitting(parts.model.format, "model"), encoded.samples)
    assert SD1_FAMILY.latent.fits(SDXL_FAMILY.latent) is False
