"""Published layouts, loaded strictly from their shapes alone."""

import json
import math
from pathlib import Path

import pytest
from tests.diffusion.layouts import layout, shadow

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.families import bundle
from safelight.diffusion.family import below
from safelight.diffusion.family_unet import DIFFUSERS_VAE, SD1_FAMILY, SDXL_FAMILY, of_diffusers
from safelight.diffusion.settings import Settings
from safelight.diffusion.unet import UNetConfig

PUBLISHED = {
    "sd15": "Stable Diffusion 1",
    "sd15-inpaint": "Stable Diffusion 1 inpaint",
    "sd21": "Stable Diffusion 2",
    "sdxl-base": "Stable Diffusion XL",
    "sdxl-refiner": "Stable Diffusion XL refiner",
}
TINY = {
    "sd15-tiny": ("Stable Diffusion 1", Settings(unet_heads=4, text_head_width=16)),
    "sd15-inpaint-tiny": ("Stable Diffusion 1 inpaint", Settings(unet_heads=4, text_head_width=16)),
    "sd21-tiny": ("Stable Diffusion 2", Settings(unet_head_width=16, text_head_width=16)),
    "sdxl-tiny": ("Stable Diffusion XL", Settings(unet_head_width=16, text_head_width=16)),
}
CASES = [
    *[pytest.param(name, family, Settings(), id=name) for name, family in PUBLISHED.items()],
    *[pytest.param(name, *case, id=name) for name, case in TINY.items()],
]


@pytest.mark.parametrize(("name", "family", "settings"), CASES)
def test_a_published_layout_loads_strictly(
    name: str, family: str, settings: Settings, reference: Path
) -> None:
    """Nothing is missing, left over or misshapen, in any network of the file."""
    shapes = layout(reference, name)
    opened = bundle(shadow(shapes, {"safelight.config": settings.to_json()}))
    assert opened.family.name == family
    texts = [tower.network for tower in opened.texts.towers.values()]
    assert opened.texts.lacking == ""
    ours = sum(
        tensor.numel()
        for network in (opened.network, *texts, opened.vae)
        for tensor in network.state_dict().values()
    )
    needless = sum(math.prod(shape) for key, shape in shapes.items() if _is_needless(key))
    assert ours == sum(math.prod(shape) for shape in shapes.values()) - needless


@pytest.mark.parametrize(("name", "family", "settings"), CASES)
def test_sizes_are_those_of_the_published_config(
    name: str, family: str, settings: Settings, reference: Path
) -> None:
    """What is read from the shapes is what the network was built with."""
    index = json.loads((reference / "layouts" / "index.json").read_text())[name]["config"]
    shapes = layout(reference, name)
    opened = bundle(shadow(shapes, {"safelight.config": settings.to_json()}))
    config, wanted = opened.unet.config, index["unet"]
    levels = len(wanted["channel_mult"])
    assert config == UNetConfig(
        channels_in=wanted["in_channels"],
        width=wanted["model_channels"],
        multipliers=tuple(wanted["channel_mult"]),
        blocks=wanted["num_res_blocks"][0],
        depths=tuple(wanted["transformer_depth"][2 * level] for level in range(levels)),
        middle_depth=wanted["transformer_depth_middle"],
        context_width=wanted["context_dim"],
        heads=settings.unet_heads,
        head_width=None if wanted["num_heads"] > 0 else wanted["num_head_channels"],
        linear=wanted["use_linear_in_transformer"],
        vector_width=wanted.get("adm_in_channels"),
    )
    for short, tower in opened.texts.towers.items():
        if f"clip_{short}" in index:
            assert isinstance(tower.network, TextEncoder)
            assert tower.network.config == _text_config(index[f"clip_{short}"])


DIFFUSERS = {
    "sd15": (SD1_FAMILY, Settings()),
    "sd15-tiny": (SD1_FAMILY, Settings(unet_heads=4)),
    "sdxl": (SDXL_FAMILY, Settings()),
    "sdxl-tiny": (SDXL_FAMILY, Settings(unet_head_width=16)),
}


@pytest.mark.parametrize("name", DIFFUSERS)
def test_a_layout_of_diffusers_is_the_same_network(name: str, reference: Path) -> None:
    """Another dialect of names: same family, same sizes, nothing missing or left over."""
    family, settings = DIFFUSERS[name]
    shapes = layout(reference, f"diffusers/{name}/unet")
    found = of_diffusers(shapes)
    assert found is not None
    assert found.name == family.name
    network = found.network.load(shadow(shapes), settings)
    single = layout(reference, "sdxl-base" if name == "sdxl" else name)
    below_prefix = below(family.network.prefix, single)
    assert network.config == family.network.sizes(below_prefix, settings)
    assert len(network.state_dict()) == len(shapes)


@pytest.mark.parametrize(
    "name", ["sd15/vae", "sd15/vae-legacy", "sd15-tiny/vae", "sdxl/vae", "sd3/vae", "flux/vae"]
)
def test_an_autoencoder_of_diffusers_is_the_same_network(name: str, reference: Path) -> None:
    """Nothing is missing or left over, by today's words and by older ones."""
    shapes = layout(reference, f"diffusers/{name}")
    (part,) = (part for mark, part in DIFFUSERS_VAE.items() if mark in shapes)
    network = part.load(shadow(shapes), Settings())
    assert len(network.state_dict()) == len(shapes)
    assert network.config.width == (32 if "tiny" in name else 128)
    assert network.config.mixed == (name.startswith("sd15") or name == "sdxl/vae")


def test_other_dialects_are_not_taken_for_diffusers(reference: Path) -> None:
    """A single file's own names match nothing there."""
    assert of_diffusers(layout(reference, "sdxl-base")) is None
    assert of_diffusers({}) is None


def _text_config(published: dict[str, int | str]) -> TextConfig:
    """The config of a text tower as the index gives it."""
    width, openai = int(published["hidden_size"]), published["hidden_act"] == "quick_gelu"
    return TextConfig(
        width=width,
        layers=int(published["num_hidden_layers"]),
        heads=int(published["num_attention_heads"]),
        activation="quick_gelu" if openai else "gelu",
        pooled_width=None if openai else width,
    )


def _is_needless(name: str) -> bool:
    """Whether a tensor is a left-over: the schedule written down, positions, a temperature."""
    inside = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.")
    return not name.startswith(inside) or name.endswith(("position_ids", "logit_scale"))
