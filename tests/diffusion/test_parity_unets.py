"""Stable Diffusion 2 and XL against the reference implementations, same weights, float32.

As in `test_parity`, the reference reads the weights under the names of published files.
"""

from importlib import import_module
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.peers import diffusers_unet, error

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.conditioning import Conditioning, Frame, Size
from safelight.diffusion.family_unet import DIFFUSERS, OPENCLIP, UNET_2
from safelight.diffusion.hearing import hear_refiner, hear_xl
from safelight.diffusion.unet import UNet, UNetConfig

POOLED = 24  # width of the pooled vector
VERSION_2 = UNetConfig(width=32, context_width=48, head_width=16, linear=True)
BASE = UNetConfig(
    width=32,
    multipliers=(1, 2, 4),
    depths=(0, 1, 2),
    middle_depth=2,
    context_width=48,
    head_width=16,
    linear=True,
    vector_width=POOLED + 6 * 256,
)
REFINER = UNetConfig(
    width=32,
    depths=(0, 2, 2, 0),
    middle_depth=2,
    context_width=48,
    head_width=16,
    linear=True,
    vector_width=POOLED + 5 * 256,
)
TOWER = TextConfig(vocabulary=300, width=48, layers=4, heads=3, activation="gelu", pooled_width=48)
END = 299
SIZE = Size(768, 1344, 16, 8, 512, 640)


def made(config: UNetConfig) -> UNet:
    """A U-Net with random weights."""
    network = UNet(config)
    randomised(network, 4)
    return network


def tower() -> TextEncoder:
    """A text tower with random weights."""
    network = TextEncoder(TOWER)
    randomised(network, 5)
    return network


def transformers_tower(ours: TextEncoder) -> Any:
    """Build transformers' tower and let diffusers read OpenCLIP's names into it."""
    transformers: Any = import_module("transformers")
    utilities: Any = import_module("diffusers.loaders.single_file_utils")
    reference = transformers.CLIPTextModelWithProjection(
        transformers.CLIPTextConfig(
            vocab_size=TOWER.vocabulary,
            hidden_size=TOWER.width,
            intermediate_size=4 * TOWER.width,
            num_hidden_layers=TOWER.layers,
            num_attention_heads=TOWER.heads,
            hidden_act="gelu",
            projection_dim=TOWER.pooled_width,
            bos_token_id=END - 1,
            eos_token_id=END,
        )
    )
    part = OPENCLIP.at("conditioner.embedders.1.model.")  # for version 2 the projection is skipped
    tensors = part.exported(ours, TOWER)
    named = utilities.convert_open_clip_checkpoint(reference, tensors, prefix=part.prefix)
    reference.load_state_dict(named)
    return reference.eval()


@torch.no_grad()
def test_version_2_equals_diffusers() -> None:
    """Heads of one width, matrices around the transformers."""
    ours = made(VERSION_2)
    reference = diffusers_unet(VERSION_2, UNET_2.exported(ours, VERSION_2))
    generator = torch.Generator().manual_seed(0)
    x, context = torch.randn(2, 4, 16, 24, generator=generator), torch.randn(2, 7, 48)
    t = torch.tensor([3.0, 950.0])
    assert error(ours(x, t, context), reference(x, t, context).sample) < 1e-4


@pytest.mark.parametrize(
    "config", [pytest.param(BASE, id="base"), pytest.param(REFINER, id="refiner")]
)
@torch.no_grad()
def test_xl_equals_diffusers(config: UNetConfig) -> None:
    """Sizes and scores become the same vector, and reach every block."""
    ours = made(config)
    reference = diffusers_unet(config, UNET_2.exported(ours, config))
    generator = torch.Generator().manual_seed(0)
    x, tokens, pooled = (
        torch.randn(2, *shape, generator=generator) for shape in ((4, 8, 12), (7, 48), (POOLED,))
    )
    said = Conditioning(tokens, pooled, SIZE, score=5.5)
    base = config is BASE
    inputs = (hear_xl if base else hear_refiner)(said, Frame(8, 12))
    numbers = SIZE.numbers if base else (*SIZE.numbers[:4], 5.5)
    added = {"text_embeds": pooled, "time_ids": torch.tensor([numbers, numbers])}
    t = torch.tensor([3.0, 950.0])
    theirs = reference(x, t, tokens, added_cond_kwargs=added).sample
    assert error(ours(x, t, inputs.tokens, inputs.vector), theirs) < 1e-4


@torch.no_grad()
def test_the_library_s_own_names_lead_to_the_same_weights() -> None:
    """Written in the dialect of diffusers, our weights are loaded without its converter."""
    ours = made(BASE)
    reference = diffusers_unet(BASE, UNET_2.exported(ours, BASE))
    converted = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    direct = DIFFUSERS["2"].exported(ours, BASE)
    assert direct.keys() == converted.keys()
    assert all(torch.equal(direct[name], converted[name]) for name in direct)


@torch.no_grad()
def test_openclip_equals_transformers() -> None:
    """Every position with and without the last norm, and the pooled vector of each chunk."""
    ours = tower()
    reference = transformers_tower(ours)
    ids = torch.randint(0, END, (3, 77), generator=torch.Generator().manual_seed(0))
    ids[0, 5] = ids[1, 76] = ids[2, 1] = ids[2, 9] = END  # the first end counts
    theirs = reference(ids, output_hidden_states=True)
    penultimate, pooled = ours.read(ids, END, skip_last=1, normed=False)
    assert error(penultimate, theirs.hidden_states[-2]) < 1e-4
    assert error(pooled, theirs.text_embeds) < 1e-4
    normed, _ = ours.read(ids, END, skip_last=1)
    final = getattr(reference, "text_model", reference).final_layer_norm
    assert error(normed, final(theirs.hidden_states[-2])) < 1e-4
    assert error(ours(ids), theirs.last_hidden_state) < 1e-4
