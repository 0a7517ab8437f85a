"""Every published layout of the flow families, loaded strictly from its shapes alone."""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.layouts import layout, shadow
from torch import nn

from safelight.diffusion.conditioning import Conditioning, Frame
from safelight.diffusion.family import Family, Part, below
from safelight.diffusion.family_flow import (
    FLOW_FAMILIES,
    FLUX_CANNY,
    FLUX_DEV,
    FLUX_FILL,
    FLUX_SCHNELL,
    SD3_FAMILY,
    SD35_LARGE,
    SD35_MEDIUM,
    T5,
)
from safelight.diffusion.family_unet import NETWORK
from safelight.diffusion.flux import FluxConfig
from safelight.diffusion.mmdit import MMDiTConfig
from safelight.diffusion.settings import Settings
from safelight.diffusion.split import ENCODERS
from safelight.diffusion.t5 import T5Config
from safelight.diffusion.vae import VAEConfig
from safelight.diffusion.weights import Checkpoint, CheckpointError

SIXTEEN = VAEConfig(latent_channels=16, mixed=False)
WHOLE = {
    "sd3-medium": (SD3_FAMILY, MMDiTConfig()),
    "sd3-medium-incl-clips-t5xxl": (SD3_FAMILY, MMDiTConfig()),
    "sd35-medium": (SD35_MEDIUM, MMDiTConfig(side=384, normalised=True, doubled=13)),
    "sd35-large": (SD35_LARGE, MMDiTConfig(width=2432, depth=38, heads=38, normalised=True)),
}
TINY = {
    "sd3-tiny": SD3_FAMILY,
    "sd35-medium-tiny": SD35_MEDIUM,
    "sd35-large-tiny": SD35_LARGE,
}


Opener = Callable[[str], Checkpoint]


@pytest.fixture
def published(reference: Path) -> Opener:
    """Open a published layout by name."""
    return lambda name: shadow(layout(reference, name))


def part(checkpoint: Checkpoint, one: Part[Any, Any]) -> Any:
    """Load one network of a file."""
    return one.load(checkpoint, Settings())


def family_of(checkpoint: Checkpoint, prefix: str = NETWORK) -> Family:
    """The only row whose marks a file bears."""
    denoiser = below(prefix, checkpoint.shapes)
    (family,) = (family for family in FLOW_FAMILIES if family.matches(denoiser))
    return family


def strays(checkpoint: Checkpoint, family: Family) -> list[str]:
    """The tensors that belong to no network and are not left-overs."""
    return [
        name
        for name in checkpoint.shapes
        if not name.startswith(family.homes) and not family.ignored.fullmatch(name)
    ]


def numbers(network: nn.Module) -> int:
    """How many numbers a network holds."""
    return sum(tensor.numel() for tensor in network.state_dict().values())


def count(checkpoint: Checkpoint, names: Iterable[str]) -> int:
    """How many numbers the tensors of these names hold."""
    return sum(math.prod(checkpoint.shapes[name]) for name in names)


@pytest.mark.parametrize("name", WHOLE)
def test_published_files_of_version_3_load_whole(name: str, published: Opener) -> None:
    """One family each, published sizes, nothing missing and nothing left over."""
    checkpoint = published(name)
    family, sizes = WHOLE[name]
    assert family_of(checkpoint) is family
    assert part(checkpoint, family.network).config == sizes
    assert part(checkpoint, family.vae).config == SIXTEEN
    assert strays(checkpoint, family) == []


def test_all_three_text_encoders_of_version_3_load(published: Opener) -> None:
    """CLIP-L without its projection, bigG with it, T5 though its words are there twice."""
    checkpoint = published("sd3-medium-incl-clips-t5xxl")
    towers = {name: part(checkpoint, text.part).config for name, text in SD3_FAMILY.texts.items()}
    assert (towers["l"].width, towers["l"].heads, towers["l"].pooled_width) == (768, 12, None)
    assert (towers["g"].width, towers["g"].heads, towers["g"].pooled_width) == (1280, 20, 1280)
    assert (towers["g"].layers, towers["g"].activation) == (32, "gelu")
    assert towers["t5"] == T5Config()


@pytest.mark.parametrize("name", TINY)
def test_scaled_down_files_load_by_the_same_rows(name: str, published: Opener) -> None:
    """Sizes come from the shapes, for every network that is in the file."""
    checkpoint = published(name)
    family = family_of(checkpoint)
    assert family is TINY[name]
    assert strays(checkpoint, family) == []
    found = [family.network, family.vae, *(text.part for text in family.texts.values())]
    loaded = [one for one in found if one.lies_in(checkpoint.shapes)]
    total = sum(numbers(part(checkpoint, one)) for one in loaded)
    ignored = [
        name
        for name in checkpoint.shapes
        if re.search(r"logit_scale|clip_l\S*text_projection|embed_tokens", name)
    ]
    assert total == count(checkpoint, checkpoint.shapes) - count(checkpoint, ignored)


@pytest.mark.parametrize(
    ("name", "family", "sizes"),
    [
        ("flux-dev", FLUX_DEV, FluxConfig()),
        ("flux-schnell", FLUX_SCHNELL, FluxConfig(guided=False)),
        (
            "flux-dev-tiny",
            FLUX_DEV,
            FluxConfig(
                width=128,
                hidden=512,
                heads=4,
                double_depth=2,
                single_depth=2,
                axes=(4, 14, 14),
                context_width=192,
                pooled_width=64,
            ),
        ),
    ],
)
def test_published_transformers_of_flux_load_alone(
    name: str, family: Family, sizes: FluxConfig, published: Opener
) -> None:
    """Their files hold the transformer and nothing else, without a prefix."""
    checkpoint = published(name)
    assert family_of(checkpoint, "") is family
    network = part(checkpoint, family.network.at(""))
    assert network.config == sizes
    assert numbers(network) == count(checkpoint, checkpoint.shapes)


@pytest.mark.parametrize(("channels", "family"), [(96, FLUX_FILL), (32, FLUX_CANNY)])
def test_what_is_seen_beside_the_latent_tells_flux_s_tools(
    channels: int, family: Family, published: Opener
) -> None:
    """They are Flux dev with a wider first layer, and answer with sixteen channels."""
    shapes = {**published("flux-dev-tiny").shapes, "img_in.weight": (128, 4 * channels)}
    checkpoint = shadow(shapes)
    assert family_of(checkpoint, "") is family
    network = part(checkpoint, family.network.at(""))
    assert (network.config.channels, network.config.out_channels) == (channels, 16)
    told = Conditioning(torch.zeros(1, 3, 192), torch.zeros(1, 64))
    heard = family.listen(told, Frame(4, 6))
    assert heard.beside is not None
    assert heard.beside.shape == (1, channels - 16, 4, 6)
    assert heard.beside[:, :16].eq(0).all()
    assert heard.beside[:, 16:].eq(1).all()
    said = torch.ones(1, channels - 16, 4, 6)
    again = family.listen(told.with_beside(said), Frame(4, 6)).beside
    assert again is not None
    assert torch.equal(again, said)


def test_the_autoencoder_of_flux_loads_alone(published: Opener) -> None:
    """Sixteen channels, and no convolutions around the latent."""
    network = part(published("vae-flux"), FLUX_DEV.vae.at(""))
    assert network.config == SIXTEEN
    assert numbers(network) == 83_819_683


@pytest.mark.parametrize("missing", ["", "shared.weight", "encoder.embed_tokens.weight"])
def test_t5_loads_with_one_copy_of_its_words_or_two(missing: str, published: Opener) -> None:
    """Published files differ in which one they kept."""
    shapes = {n: s for n, s in published("t5xxl-encoder").shapes.items() if n != missing}
    assert part(shadow(shapes), T5.at("")).config == T5Config()


def test_a_flow_file_with_a_tensor_too_many_is_refused(published: Opener) -> None:
    """Strict means both ways; the message names the file and the tensor."""
    shapes = {**published("flux-dev-tiny").shapes, "double_blocks.0.extra.weight": (1,)}
    wanted = (
        r"^shadow\.safetensors: 1 tensors do not fit:\n  double_blocks\.0\.extra\.weight: unknown$"
    )
    with pytest.raises(CheckpointError, match=wanted):
        part(shadow(shapes), FLUX_DEV.network.at(""))


@pytest.mark.parametrize(
    ("name", "short", "width", "layers"),
    [
        ("clip_l", "l", 768, 12),
        ("clip_g", "g", 1280, 32),
        ("t5xxl-encoder", "t5", 4096, 24),
        ("diffusers/sd3/text_encoder", "l", 768, 12),
        ("diffusers/sd3/text_encoder_2", "g", 1280, 32),
        ("diffusers/sd3/text_encoder_3", "t5", 4096, 24),
    ],
)
def test_text_encoders_load_alone(
    name: str, short: str, width: int, layers: int, published: Opener
) -> None:
    """Under the names of transformers, without a prefix; nothing is left over but copies."""
    checkpoint = published(name)
    network = part(checkpoint, ENCODERS[short][1])
    assert (network.config.width, network.config.layers) == (width, layers)
    needless = {"text_projection.weight"} if short == "l" else set()
    if "shared.weight" in checkpoint.shapes:
        needless |= {"encoder.embed_tokens.weight"}
    dropped = count(checkpoint, needless & checkpoint.shapes.keys())
    assert numbers(network) == count(checkpoint, checkpoint.shapes) - dropped
