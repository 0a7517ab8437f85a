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

from safelight.diffusion.control import Residuals
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig
from safelight.diffusion.family_control import (
    DIFFUSERS,
    ORIGINAL,
    load_control,
    opened,
    single_file,
)
from safelight.diffusion.family_unet import UNET_1, UNET_2
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


def test_a_file_that_is_no_control_network_is_refused(tmp_path: Path) -> None:
    """It says by what tensors they are known."""
    path = tmp_path / "cat.safetensors"
    save_checkpoint(path, {"cat": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError, match="no control network known here"):
        load_control(path)
