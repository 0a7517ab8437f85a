"""Networks that compute otherwise: neutral settings, laws, and peers."""

from importlib import import_module
from typing import Any

import pytest
import torch
from tests.diffusion.networks import NARROW, SMALL, randomised, unet
from tests.diffusion.peers import diffusers_unet, error
from tests.diffusion.test_parity import file_of
from tests.diffusion.transformers import mmdit
from torch import Tensor, nn

from safelight.diffusion.attention import Attention
from safelight.diffusion.change import (
    CannotChange,
    Change,
    Changed,
    Moment,
    changed,
    during,
    timestep_at,
)
from safelight.diffusion.changes import attention, freeu, merging, shrinking, tiles
from safelight.diffusion.schedule import FlowSchedule, NoiseSchedule, scaled_linear

SCHEDULE = NoiseSchedule.of(scaled_linear())


def question(side: int = 16, width: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    """Two latents, a timestep and two prompts."""
    draw = torch.Generator().manual_seed(1)
    latent = torch.randn(2, 4, side, side, generator=draw)
    return latent, torch.tensor([500.0, 500.0]), torch.randn(2, 7, width, generator=draw)


def factors(b: float, s: float) -> freeu.Factors:
    """Of one width."""
    return freeu.Factors(float(b), float(s))


def multiply(network: nn.Module, moment: Moment) -> nn.Module:
    """Neutral factors."""
    return attention.multiplied(network, "to_pixels", (1.0, 1.0, 1.0, 1.0))


NEUTRAL: dict[str, Change] = {
    "FreeU": freeu.freeu(factors(1, 1), factors(1, 1), local=False),
    "FreeU 2": freeu.freeu(factors(1, 1), factors(1, 1), local=True),
    "whole tile": tiles.tiled(tiles.Tiling(side=2048, depth=3)),
    "no merging": merging.merging(0.0),
    "no shrinking": shrinking.shrinking(shrinking.Shrinking(factor=1.0)),
    "factors": multiply,
    "witness": attention.witnessed(attention.Witness()),
}


@pytest.mark.parametrize("name", NEUTRAL)
@torch.no_grad()
def test_at_its_neutral_setting_a_change_changes_nothing(name: str) -> None:
    """Bit for bit."""
    network = unet(NARROW)
    asked = question(width=64)
    assert torch.equal(changed(network, NEUTRAL[name])(*asked), network(*asked))


ACTIVE: dict[str, Change] = {
    "FreeU": freeu.freeu(factors(1.1, 0.9), factors(1.2, 0.2), local=False),
    "FreeU 2": freeu.freeu(factors(1.3, 0.9), factors(1.4, 0.2), local=True),
    "tiles": tiles.tiled(tiles.Tiling(side=32, choices=1, depth=1)),
    "merging": merging.merging(0.5),
    "shrinking": shrinking.shrinking(shrinking.Shrinking()),
    "shrinking before": shrinking.shrinking(shrinking.Shrinking(block=4, after_skip=False)),
    "identity": attention.identity,
}


@pytest.mark.parametrize("name", ACTIVE)
@torch.no_grad()
def test_a_change_leaves_the_network_alone(name: str) -> None:
    """It computes something else, on the very tensors of the network, which stays as it was."""
    network = unet(NARROW)
    asked = question(width=64)
    before = network(*asked)
    assert error(changed(network, ACTIVE[name])(*asked), before) > 1e-3
    assert torch.equal(network(*asked), before)
    moment = Moment(16, 16, asked[1])
    own = {id(tensor) for tensor in network.parameters()}
    assert {id(tensor) for tensor in ACTIVE[name](network, moment).parameters()} <= own


@torch.no_grad()
def test_changes_compose_in_any_order() -> None:
    """Those of different parts commute; each finds its parts inside of the others."""
    network = unet(NARROW)
    asked = question(width=64)
    names = ("FreeU 2", "identity", "shrinking")
    one = changed(network, *(ACTIVE[name] for name in names))(*asked)
    other = changed(network, *(ACTIVE[name] for name in names[::-1]))(*asked)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    for first, second in (("tiles", "merging"), ("merging", "tiles")):
        added = changed(changed(network, ACTIVE[first]), ACTIVE[second])
        assert isinstance(added, Changed)
        assert added(*asked).shape == asked[0].shape


@torch.no_grad()
def test_odd_latents_can_be_shrunk() -> None:
    """Sides that do not halve evenly meet their skips all the same."""
    latent, t, prompt = question(width=64)
    cut = latent[:, :, :13, :15]
    assert changed(unet(NARROW), ACTIVE["shrinking"])(cut, t, prompt).shape == cut.shape


@torch.no_grad()
def test_identity_attention_is_that_of_diffusers() -> None:
    """Their processor in the middle, through the same file."""
    network = unet(NARROW)
    peer = diffusers_unet(NARROW.unet, file_of(NARROW))
    processors: Any = import_module("diffusers.models.attention_processor")
    peer.mid_block.attentions[0].transformer_blocks[0].attn1.set_processor(
        processors.PAGIdentitySelfAttnProcessor2_0()
    )
    latent, t, prompt = question(width=64)
    # Their batch is half as it should be, half perturbed.
    double = [torch.cat([part, part]) for part in (latent, t, prompt)]
    theirs = peer(double[0], double[1], double[2]).sample[2:]
    assert error(changed(network, attention.identity)(latent, t, prompt), theirs) < 1e-4


def test_freeu_is_that_of_diffusers() -> None:
    """The first version, on one pair of feature maps."""
    peer: Any = import_module("diffusers.utils.torch_utils").apply_freeu
    draw = torch.Generator().manual_seed(2)
    h, skip = (torch.randn(2, 8, 12, 10, generator=draw) for _ in range(2))
    theirs = peer(0, h.clone(), skip.clone(), s1=0.9, s2=1.0, b1=1.3, b2=1.0)
    ours = freeu.Weighed(nn.Identity(), 8, factors(1.3, 0.9), local=False)(torch.cat([h, skip], 1))
    assert error(ours, torch.cat(theirs, dim=1)) < 1e-5


def test_local_freeu_is_strongest_where_the_map_is() -> None:
    """b at the highest mean over channels, 1 at the lowest, nothing in the other half."""
    h = torch.rand(1, 4, 3, 3) + 0.5
    out = freeu.Weighed(nn.Identity(), 4, factors(1.5, 1.0), local=True)(h)
    ratio, mean = (out / h)[0], h.mean(dim=1)[0].flatten()
    assert torch.allclose(ratio[0].flatten()[mean.argmax()], torch.tensor(1.5))
    assert torch.allclose(ratio[1].flatten()[mean.argmin()], torch.tensor(1.0))
    assert torch.equal(out[:, 2:], h[:, 2:])


@torch.no_grad()
def test_pixels_hear_only_their_tile() -> None:
    """Tiles of attention are attention on tiles."""
    heard = randomised(Attention(16, 2), 0)
    x = torch.randn(2, 6 * 4, 16)
    whole = tiles.Tiled(heard, (6, 4), (2, 1))(x)
    halves = [heard(part) for part in (x[:, :12], x[:, 12:])]
    torch.testing.assert_close(whole, torch.cat(halves, dim=1))
    squares = tiles.Tiled(heard, (6, 4), (3, 2))(x).reshape(2, 6, 4, 16)
    first = heard(x.reshape(2, 6, 4, 16)[:, :2, :2].flatten(1, 2))
    torch.testing.assert_close(squares[:, :2, :2].flatten(1, 2), first)


@torch.no_grad()
def test_merging_what_is_equal_changes_nothing() -> None:
    """In cells of equal pixels the three others give themselves to the one that receives."""
    heard = randomised(Attention(16, 2), 0)
    cells = torch.randn(2, 3, 4, 16).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    x = cells.flatten(1, 2)
    receiving = torch.tensor([0, 2, 4, 6, 16, 18, 20, 22, 32, 34, 36, 38])
    merged = merging.Merged(heard, 48, receiving, count=36)
    torch.testing.assert_close(merged(x), heard(x))


@torch.no_grad()
def test_merging_asks_for_fewer_pixels() -> None:
    """Half of the queries are gone; every pixel still has an answer."""
    seen: list[int] = []

    class Counted(nn.Module):
        """An attention that notes how many queries it gets."""

        def forward(self, x: Tensor, context: Tensor) -> Tensor:
            seen.append(x.shape[1])
            return x

    receiving = torch.arange(0, 64, 4)
    out = merging.Merged(Counted(), 64, receiving, count=32)(torch.randn(1, 64, 8))
    assert seen == [32]
    assert out.shape == (1, 64, 8)


@torch.no_grad()
def test_louder_queries_are_louder_keys() -> None:
    """Only their product counts."""
    network = unet(SMALL)
    asked = question()

    def times(*four: float) -> Tensor:
        def change(network: nn.Module, moment: Moment) -> nn.Module:
            return attention.multiplied(network, "to_prompt", tuple(map(float, four)))

        return changed(network, change)(*asked)

    torch.testing.assert_close(times(2, 1, 1, 1), times(1, 2, 1, 1), rtol=1e-4, atol=1e-5)
    assert error(times(2, 1, 1, 1), network(*asked)) > 1e-5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FreeU", "MMDiT is no U-Net, so it has no way up"),
        ("shrinking", "MMDiT is no U-Net, so it has no way down"),
        ("tiles", "MMDiT has no transformer layers of a U-Net"),
        ("merging", "MMDiT has no transformer layers of a U-Net"),
    ],
)
def test_a_network_without_the_part_is_refused(name: str, message: str) -> None:
    """By its name."""
    with pytest.raises(CannotChange, match=message):
        ACTIVE[name](mmdit(), Moment(8, 8, torch.tensor([0.0])))


@torch.no_grad()
def test_a_change_may_hold_for_a_part_of_the_walk() -> None:
    """From the first share to the last, both ends included."""
    network = unet(SMALL)
    latent, _, prompt = question()
    sometimes = changed(network, during(attention.identity, SCHEDULE, 0.0, 0.35))
    for share, holds in ((0.1, True), (0.35, True), (0.4, False), (1.0, False)):
        sigma = SCHEDULE.percent(share) if share < 1 else SCHEDULE.sigma_min
        t = SCHEDULE.timestep(torch.tensor(sigma)).float().expand(2)
        same = torch.equal(sometimes(latent, t, prompt), network(latent, t, prompt))
        assert same != holds


def test_shares_of_a_walk_are_timesteps() -> None:
    """Infinite at both ends, whatever the schedule."""
    assert timestep_at(SCHEDULE, 0.0) == float("inf")
    assert timestep_at(SCHEDULE, 1.0) == -float("inf")
    assert timestep_at(FlowSchedule(), 0.25) == pytest.approx(750)
