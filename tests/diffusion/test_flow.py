"""Rectified flow: what a network answers, and the latents it works on."""

import pytest
import torch
from tests.diffusion.networks import randomised
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.dit import DiT, DiTConfig, whole_patches
from safelight.diffusion.flux import Flux, FluxConfig
from safelight.diffusion.latent import FLUX, SD3, LatentFormat
from safelight.diffusion.mmdit import MMDiT, MMDiTConfig
from safelight.diffusion.rotary import coordinates, turn_for, turned
from safelight.diffusion.schedule import FlowSchedule

NARROW = MMDiTConfig(side=8, width=64, depth=2, heads=1, context_width=12, pooled_width=10)
SLIM = FluxConfig(
    width=32,
    hidden=64,
    heads=2,
    double_depth=1,
    single_depth=1,
    axes=(4, 6, 6),
    context_width=12,
    pooled_width=10,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sigma", [0.03, 0.5, 1.0])
def test_a_perfect_velocity_gives_the_clean_latent(sigma: float) -> None:
    """A network that knows noise minus picture denoises exactly, and sees the latent as it is."""
    clean, noise = drawn(2, 16, 4, 4).double(), drawn(2, 16, 4, 4, seed=1).double()
    x = (1 - sigma) * clean + sigma * noise
    seen: list[tuple[Tensor, float]] = []

    def network(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        seen.append((z, float(timestep[0])))
        return noise - clean

    model = LatentModel(network, FlowSchedule(shift=3.0), "flow")
    told = model.told(Conditioning(torch.zeros(1, 77, 8)))
    denoised = told(x, torch.tensor(sigma, dtype=torch.float64))
    torch.testing.assert_close(denoised, clean, rtol=1e-12, atol=1e-12)
    assert torch.equal(seen[0][0], x)
    assert seen[0][1] == pytest.approx(1000 * sigma)


@pytest.mark.parametrize(
    ("format", "scale", "shift"), [(SD3, 1.5305, 0.0609), (FLUX, 0.3611, 0.1159)]
)
def test_later_latents_are_shifted_and_scaled(
    format: LatentFormat, scale: float, shift: float
) -> None:
    """By the published constants, and back."""
    raw = drawn(1, 16, 2, 2)
    torch.testing.assert_close(format.to_diffusion(raw), (raw - shift) * scale)
    torch.testing.assert_close(format.to_autoencoder(format.to_diffusion(raw)), raw)


def test_a_preview_without_fitted_colours_is_grey() -> None:
    """All three colours are the same function of the latent."""
    preview = FLUX.preview(drawn(1, 16, 5, 7))
    assert preview.shape == (1, 5, 7, 3)
    assert torch.equal(preview[..., 0], preview[..., 1])
    assert torch.equal(preview[..., 1], preview[..., 2])
    assert float(preview.std()) > 0.1


def test_a_preview_draws_each_channel_in_its_colour() -> None:
    """As published with version 3: zeros are grey, and a channel of 1 adds its colour."""
    assert torch.equal(SD3.preview(torch.zeros(1, 16, 2, 2)), torch.full((1, 2, 2, 3), 0.5))
    third = torch.zeros(1, 16, 1, 1)
    third[:, 2] = 1
    wished = torch.tensor([1.1848, 1.0762, 1.0360]) / 2
    torch.testing.assert_close(SD3.preview(third)[0, 0, 0], wished)


@torch.no_grad()
def test_positions_of_smaller_pictures_are_the_middle_of_the_table() -> None:
    """A table shifted by a patch on every side serves a smaller picture just the same."""
    small, large = MMDiT(NARROW), randomised(MMDiT(NARROW), 1)
    small.load_state_dict(large.state_dict())
    table = small.get_buffer("pos_embed").reshape(8, 8, -1)
    table[2:6, 1:7] = 0
    x, time = drawn(1, 16, 8, 12), torch.tensor([10.0])
    context, pooled = drawn(1, 3, 12), drawn(1, 10)
    without = MMDiT(NARROW)
    without.load_state_dict(large.state_dict())
    without.get_buffer("pos_embed").zero_()
    torch.testing.assert_close(small(x, time, context, pooled), without(x, time, context, pooled))
    assert not torch.allclose(large(x, time, context, pooled), without(x, time, context, pooled))


@torch.no_grad()
def test_odd_latents_keep_their_size() -> None:
    """The picture is continued to whole patches and cut again."""
    odd = drawn(1, 16, 5, 7)
    time, context, pooled = torch.tensor([0.5]), drawn(1, 3, 12), drawn(1, 10)
    mmdit, flux = randomised(MMDiT(NARROW), 1), randomised(Flux(SLIM), 1)
    even = whole_patches(odd, 2)
    assert even.shape == (1, 16, 6, 8)
    assert torch.equal(even[..., 5, :7], odd[..., 0, :])
    cut = mmdit(even, time, context, pooled)[..., :5, :7]
    assert torch.equal(mmdit(odd, time, context, pooled), cut)
    guidance = torch.tensor([3.5])
    cut = flux(even, time, context, pooled, guidance)[..., :5, :7]
    assert torch.equal(flux(odd, time, context, pooled, guidance), cut)


def test_a_latent_beyond_the_table_of_positions_is_refused() -> None:
    """The message has the size and the limit, width first."""
    with pytest.raises(
        ValueError, match=r"^a latent of 20x4 is too large for this transformer: at most 16x16$"
    ):
        MMDiT(NARROW)(drawn(1, 16, 4, 20), torch.tensor([1.0]), drawn(1, 3, 12), drawn(1, 10))


def test_a_guided_transformer_wants_a_scale() -> None:
    """Without it there is nothing sensible to do."""
    with pytest.raises(ValueError, match=r"^this transformer wants to be told a guidance scale$"):
        Flux(SLIM)(drawn(1, 16, 4, 4), torch.tensor([1.0]), drawn(1, 3, 12), drawn(1, 10))


def test_a_class_transformer_draws_the_size_it_was_trained_on() -> None:
    """Its table of positions fits no other."""
    network = DiT(DiTConfig(side=4, width=16, depth=1, heads=1, labels=3))
    with pytest.raises(ValueError, match=r"^this transformer draws latents of 8x8, not 10x8$"):
        network(drawn(1, 4, 8, 10), torch.tensor([1.0]), torch.tensor([0]))


@pytest.mark.parametrize("moved", [(0, 0, 0), (0, 3, 5), (2, 1, 0)])
def test_turned_vectors_meet_by_their_distance_alone(moved: tuple[int, int, int]) -> None:
    """The scores of words and patches stay when all of them move together."""
    axes = (4, 6, 6)
    here = coordinates(2, 2, 3)
    there = here + torch.tensor(moved)
    query, key = drawn(1, 8, 2, 16), drawn(1, 8, 2, 16, seed=1)
    scores = [
        torch.einsum(
            "bnhd,bmhd->bhnm", turned(query, turn_for(p, axes)), turned(key, turn_for(p, axes))
        )
        for p in (here, there)
    ]
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-5, atol=1e-5)


def test_words_stand_at_zero_and_patches_where_they_are() -> None:
    """Row by row, with a spare coordinate first."""
    places = coordinates(1, 2, 2)
    assert places.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]]


@torch.no_grad()
def test_a_fresh_transformer_guesses_nothing() -> None:
    """Gates and the last projection are born zero."""
    args = (drawn(1, 3, 12), drawn(1, 10))
    x, time = drawn(1, 16, 4, 4), torch.tensor([0.5])
    assert MMDiT(NARROW)(x, time, *args).abs().max() == 0
    assert Flux(SLIM)(x, time, *args, torch.tensor([3.5])).abs().max() == 0
