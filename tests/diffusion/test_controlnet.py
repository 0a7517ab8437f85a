"""ControlNets against the reference implementation, same weights; and what steering means."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.layouts import layout, shadow
from tests.diffusion.networks import randomised
from tests.diffusion.peers import diffusers_unet, error
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.control import Control, ControlMismatch, Residuals
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig, copied
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.family_control import (
    DIFFUSERS,
    ORIGINAL,
    load_control,
    opened,
    single_file,
)
from safelight.diffusion.family_unet import UNET_1, UNET_2
from safelight.diffusion.guidance import guided
from safelight.diffusion.region import Box, Region
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.weights import CheckpointError, save_checkpoint

POOLED = 24
SD1 = UNetConfig(width=32, context_width=48, heads=4)
SD2 = UNetConfig(width=32, context_width=48, head_width=16, linear=True)
XL = UNetConfig(
    width=32,
    multipliers=(1, 2, 4),
    depths=(0, 1, 2),
    middle_depth=2,
    context_width=48,
    head_width=16,
    linear=True,
    vector_width=POOLED + 6 * 256,
)
SMALL = UNetConfig(
    width=16, multipliers=(1, 2), blocks=1, depths=(1, 1), context_width=12, heads=2, groups=4
)
CASES = [
    pytest.param(SD1, id="version 1"),
    pytest.param(SD2, id="version 2"),
    pytest.param(XL, id="XL"),
]


def made(config: UNetConfig, seed: int = 6) -> ControlNet:
    """A ControlNet with random weights, its zeros too."""
    network = ControlNet(ControlNetConfig(config))
    randomised(network, seed)
    return network


def unet(config: UNetConfig) -> UNet:
    """A U-Net with random weights."""
    network = UNet(config)
    randomised(network, 4)
    return network


def diffusers_controlnet(ours: ControlNet) -> Any:
    """Diffusers' ControlNet of these sizes, with the weights read under its own names."""
    config = ours.config
    diffusers: Any = import_module("diffusers")
    vector, heads = config.vector_width, tuple(map(config.heads_at, config.widths))
    reference = diffusers.ControlNetModel(
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        down_block_types=tuple(
            "CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in config.depths
        ),
        cross_attention_dim=config.context_width,
        attention_head_dim=heads,
        transformer_layers_per_block=tuple(depth or config.middle_depth for depth in config.depths),
        use_linear_projection=config.linear,
        addition_embed_type="text_time" if vector else None,
        addition_time_embed_dim=256 if vector else None,
        projection_class_embeddings_input_dim=vector,
        norm_num_groups=config.groups,
    )
    reference.load_state_dict(DIFFUSERS.exported(ours, ours.sizes))
    return reference.eval()


def question(config: UNetConfig) -> dict[str, Tensor]:
    """What both networks are asked."""
    generator = torch.Generator().manual_seed(0)
    asked = {
        "x": torch.randn(2, 4, 8, 16, generator=generator),
        "t": torch.tensor([3.0, 950.0]),
        "context": torch.randn(2, 7, config.context_width, generator=generator),
        "hint": torch.rand(2, 3, 64, 128, generator=generator),
        "pooled": torch.randn(2, POOLED, generator=generator),
    }
    numbers = torch.tensor([[64.0, 128.0, 0.0, 8.0, 64.0, 128.0]] * 2)
    return asked | {"numbers": numbers}


def vector_of(config: UNetConfig, asked: dict[str, Tensor]) -> Tensor | None:
    """XL's vector, from what diffusers is told."""
    if config.vector_width is None:
        return None
    sinusoids: Any = import_module("safelight.diffusion.embedding").sinusoids
    hands = sinusoids(asked["numbers"].flatten(), 256).reshape(len(asked["pooled"]), -1)
    return torch.cat([asked["pooled"], hands], dim=1)


@pytest.mark.parametrize("config", CASES)
@torch.no_grad()
def test_residuals_and_the_steered_answer_equal_diffusers(config: UNetConfig) -> None:
    """Every residual, and what the U-Net makes of two ControlNets' sum."""
    first, second, base = made(config), made(config, seed=9), unet(config)
    asked = question(config)
    x, t, context = asked["x"], asked["t"], asked["context"]
    vector = vector_of(config, asked)
    added = {"text_embeds": asked["pooled"], "time_ids": asked["numbers"]}
    total, theirs_down, theirs_middle = Residuals(), [], []
    for ours, strength in ((first, 1.0), (second, 0.6)):
        got = ours(x, t, context, asked["hint"], vector)
        down, middle = diffusers_controlnet(ours)(
            x, t, context, asked["hint"], strength, added_cond_kwargs=added, return_dict=False
        )
        weighed = got.each(lambda one, s=strength: one * s)
        for own, their in zip((*weighed.kept, weighed.middle), (*down, middle), strict=True):
            assert own is not None
            assert error(own, their) < 1e-4
        total = total + weighed
        theirs_down.append(down)
        theirs_middle.append(middle)
    part = UNET_1 if config is SD1 else UNET_2
    reference = diffusers_unet(config, part.exported(base, config))
    theirs = reference(
        x,
        t,
        context,
        added_cond_kwargs=added,
        down_block_additional_residuals=[a + b for a, b in zip(*theirs_down, strict=True)],
        mid_block_additional_residual=sum(theirs_middle),
    ).sample
    assert error(base(x, t, context, vector, residuals=total), theirs) < 1e-4


@pytest.mark.parametrize("config", CASES)
@torch.no_grad()
def test_both_dialects_lead_to_the_same_weights(config: UNetConfig, tmp_path: Path) -> None:
    """A file under either library's names gives the network back, with its sizes."""
    ours = made(config)
    settings = Settings(unet_heads=config.heads, unet_head_width=16)
    files = {
        "whole.safetensors": single_file(ours),
        "bare.safetensors": ORIGINAL.exported(ours, ours.sizes),
        "diffusers.safetensors": DIFFUSERS.exported(ours, ours.sizes),
    }
    for name, tensors in files.items():
        save_checkpoint(tmp_path / name, tensors, checkpoint_metadata(settings))
        loaded = load_control(tmp_path / name).source.on(unet(config))
        assert isinstance(loaded, ControlNet)
        assert loaded.sizes == ours.sizes
        for key, tensor in ours.state_dict().items():
            assert loaded.state_dict()[key].equal(tensor), key


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("controlnet-sd15", "Stable Diffusion 1"),
        ("controlnet-sd15-bare", "Stable Diffusion 1"),
        ("diffusers/controlnet-sd15", "Stable Diffusion 1"),
        ("diffusers/controlnet-sdxl", "Stable Diffusion XL"),
    ],
)
def test_a_published_layout_loads_strictly(name: str, family: str, reference: Path) -> None:
    """Nothing is missing, left over or misshapen, and the family is known."""
    shapes = layout(reference, name)
    found = opened(shadow(shapes))
    assert found.family == family
    assert isinstance(found.source, ControlNet)
    wanted = sum(torch.Size(shape).numel() for shape in shapes.values())
    assert sum(one.numel() for one in found.source.state_dict().values()) == wanted


def model(base: UNet) -> LatentModel:
    """A small model of version 1."""
    return LatentModel(base, NoiseSchedule.of(scaled_linear()), "eps", family="Stable Diffusion 1")


@torch.no_grad()
def guess(base: UNet, *controls: Control) -> Tensor:
    """What is guessed of a latent of 8 x 16 pixels, guided, with these controls."""
    generator = torch.Generator().manual_seed(1)
    x, wanted, unwanted = (
        torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 16), (1, 5, 12), (1, 5, 12))
    )
    said = Conditioning(wanted, control=controls)
    other = Conditioning(unwanted, control=tuple(one for one in controls if not one.shared))
    asked = model(base)
    told = asked.told(said), asked.told(other, wanted=False)
    return guided(*told, 3.0)(x, torch.tensor(2.0))


@torch.no_grad()
def said_of_area(base: UNet, control: Control, region: Region) -> Tensor:
    """What is guessed of a latent when something is said of an area only."""
    generator = torch.Generator().manual_seed(1)
    x, tokens = (torch.randn(*shape, generator=generator) for shape in ((1, 4, 8, 16), (1, 5, 12)))
    said = Conditioning(tokens, control=(control,), region=region)
    return model(base).told(said)(x, torch.tensor(2.0))


HINT = torch.rand(1, 3, 64, 128, generator=torch.Generator().manual_seed(2))


def test_strength_nought_changes_no_bit() -> None:
    """The control network is not even asked."""
    base, network = unet(SMALL), made(SMALL)
    assert guess(base, Control(network, HINT, strength=0.0)).equal(guess(base))
    assert not guess(base, Control(network, HINT)).allclose(guess(base))


def test_a_fresh_copy_changes_nothing() -> None:
    """Its zero convolutions answer with zeros until they have learnt."""
    base = unet(SMALL)
    fresh = copied(base)
    assert fresh.stem.weight.equal(base.stem.weight)
    torch.testing.assert_close(guess(base, Control(fresh, HINT)), guess(base))


def test_a_control_counts_only_in_its_span() -> None:
    """Sigma 2 lies in the first half of the walk."""
    base, network = unet(SMALL), made(SMALL)
    whole = guess(base, Control(network, HINT))
    assert guess(base, Control(network, HINT, end=0.5)).equal(whole)
    assert guess(base, Control(network, HINT, start=0.5)).equal(guess(base))


def test_masks_say_where_a_control_counts() -> None:
    """A white mask is none, a black one no control; half of one lies between."""
    base, network = unet(SMALL), made(SMALL)
    whole, none = guess(base, Control(network, HINT)), guess(base)
    white, black = torch.ones(1, 8, 16), torch.zeros(1, 8, 16)
    torch.testing.assert_close(guess(base, Control(network, HINT, mask=white)), whole)
    torch.testing.assert_close(guess(base, Control(network, HINT, mask=black)), none)
    left = white.clone()
    left[..., 8:] = 0
    changed = (guess(base, Control(network, HINT, mask=left)) - none).abs().mean(dim=(0, 1, 2))
    assert changed[:8].mean() > 2 * changed[8:].mean()


def test_several_controls_add_up_and_two_halves_are_one() -> None:
    """Twice the same at half strength is once at full."""
    base, network = unet(SMALL), made(SMALL)
    half = Control(network, HINT, strength=0.5)
    both = guess(base, half, Control(network, HINT, strength=0.5))
    torch.testing.assert_close(both, guess(base, Control(network, HINT)))


def test_a_shared_control_is_heard_by_what_is_unwanted_too() -> None:
    """Then it is as if both had been given it."""
    base, network = unet(SMALL), made(SMALL)
    shared = guess(base, Control(network, HINT, shared=True))
    torch.testing.assert_close(shared, guess(base, Control(network, HINT)))


def test_an_area_sees_its_part_of_the_hint() -> None:
    """Asked about the right half, the network is shown the right half."""
    base, network = unet(SMALL), made(SMALL)
    region = Region(area=Box(8, 8, 0, 8))
    unseen, seen = HINT.clone(), HINT.clone()
    unseen[..., :64], seen[..., 64:] = 0, 0
    kept = said_of_area(base, Control(network, HINT), region)
    assert said_of_area(base, Control(network, unseen), region).equal(kept)
    assert not said_of_area(base, Control(network, seen), region).allclose(kept)


def test_another_family_s_control_is_refused_with_both_names() -> None:
    """The sizes that differ are named too."""
    other = made(XL)
    with pytest.raises(ControlMismatch) as refusal:
        guess(unet(SMALL), Control(other, HINT, family="Stable Diffusion XL"))
    assert str(refusal.value) == (
        "this control network is of Stable Diffusion XL: the sizes differ (width 32 against 16, "
        "multipliers (1, 2, 4) against (1, 2), blocks 2 against 1, context width 48 against 12, "
        "vector width 1560 against None); the model is of Stable Diffusion 1"
    )


def test_a_file_that_is_no_control_network_is_refused(tmp_path: Path) -> None:
    """It says by what tensors they are known."""
    path = tmp_path / "cat.safetensors"
    save_checkpoint(path, {"cat": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError, match="no control network known here"):
        load_control(path)
