"""Transformers of Stable Diffusion 3 and Flux that compute otherwise: laws and peers."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import torch
from tests.diffusion.networks import SMALL
from tests.diffusion.peers import error
from tests.diffusion.test_parity_transformers import diffusers_mmdit
from tests.diffusion.transformers import FLUX, LATER, MMDIT, drawn, flux, mmdit, question
from torch import nn

from safelight.diffusion.attention import Listening
from safelight.diffusion.change import CannotChange, Change, Moment, changed
from safelight.diffusion.changes import attention, skipping
from safelight.diffusion.dit import DiT, DiTConfig
from safelight.diffusion.tables import sd3_mmdit
from safelight.diffusion.unet import UNet
from safelight.diffusion.weights import exported

NOW = Moment(8, 8, torch.tensor([0.0]))


@torch.no_grad()
def test_blocks_are_skipped_as_in_diffusers() -> None:
    """Stable Diffusion 3's transformer without its second and third block."""
    network = mmdit()
    ask = question(network)
    peer = diffusers_mmdit(network.config, exported(network, sd3_mmdit.table(network.config)))
    theirs = peer(ask.x, ask.words, ask.pooled, ask.time, skip_layers=[1, 2]).sample
    ours = changed(network, skipping.skipping([1, 2, 9]))(*ask.all)
    assert error(ours, theirs) < 1e-4


@torch.no_grad()
def test_all_blocks_of_flux_can_be_skipped() -> None:
    """Then the picture's tokens reach the end as they came in; numbers too high are ignored."""
    network = flux()
    ask, other = question(network), question(network, seed=2)
    skipped = changed(network, skipping.skipping([0, 1, 7], [0, 9]))
    same = replace(ask, words=other.words)
    assert torch.equal(skipped(*ask.all), skipped(*same.all))
    assert error(skipped(*ask.all), network(*ask.all)) > 1e-3


@torch.no_grad()
def test_identity_attention_is_that_of_diffusers() -> None:
    """Their processor in the third of four blocks, through the same file."""
    network = mmdit()
    ask = question(network)
    peer = diffusers_mmdit(network.config, exported(network, sd3_mmdit.table(network.config)))
    processors: Any = import_module("diffusers.models.attention_processor")
    peer.transformer_blocks[2].attn.set_processor(processors.PAGJointAttnProcessor2_0())
    # Their batch is half as it should be, half perturbed.
    asked = (ask.x, ask.words, ask.pooled, ask.time)
    theirs = peer(*(torch.cat([part, part]) for part in asked)).sample[2:]
    assert error(changed(network, attention.identity)(*ask.all), theirs) < 1e-4
    assert error(network(*ask.all), theirs) > 1e-4


@pytest.mark.parametrize(
    "network",
    [
        mmdit(replace(MMDIT, depth=1)),
        mmdit(replace(LATER, depth=1, doubled=0)),
        flux(replace(FLUX, double_depth=1, single_depth=0)),
    ],
    ids=["3", "3.5", "flux"],
)
@torch.no_grad()
def test_a_deaf_patch_hears_no_other(network: Any) -> None:
    """With a single block: what is elsewhere in the picture does not matter, the words do."""
    ask = question(network)
    deaf = changed(network, attention.identity)
    other = ask.x.clone()
    other[..., 2:] = drawn(2, 16, 8, 4, seed=9)
    elsewhere, otherwise = (
        replace(ask, x=other),
        replace(ask, words=question(network, seed=5).words),
    )
    column = deaf(*ask.all)[..., :2]
    torch.testing.assert_close(deaf(*elsewhere.all)[..., :2], column, rtol=1e-5, atol=1e-6)
    assert error(network(*elsewhere.all)[..., :2], network(*ask.all)[..., :2]) > 1e-4
    assert error(deaf(*otherwise.all)[..., :2], column) > 1e-4


@torch.no_grad()
def test_deaf_patches_listen_to_themselves_and_the_words() -> None:
    """One by one, by the formula; the words go on listening to all."""
    query, key, value = (drawn(1, 5, 8, seed=seed) for seed in range(3))
    deaf = attention.DeafPatches(2, patches=3)(query, key, value)
    everyone = Listening(2)
    torch.testing.assert_close(deaf[:, :2], everyone(query, key, value)[:, :2])
    for patch in (2, 3, 4):
        heard = [0, 1, patch]
        alone = everyone(query[:, patch : patch + 1], key[:, heard], value[:, heard])
        torch.testing.assert_close(deaf[:, patch : patch + 1], alone)


@pytest.mark.parametrize(
    ("network", "change", "message"),
    [
        (
            DiT(DiTConfig(side=4, width=16, depth=1, heads=1, labels=3)),
            attention.identity,
            "DiT has no middle with attention, as U-Nets have",
        ),
        (
            UNet(SMALL.unet),
            skipping.skipping([0]),
            "UNet has no blocks that could be left out",
        ),
    ],
    ids=["identity", "skipping"],
)
def test_a_network_without_the_part_is_refused(
    network: nn.Module, change: Change, message: str
) -> None:
    """By its name."""
    with pytest.raises(CannotChange, match=message):
        change(network, NOW)
