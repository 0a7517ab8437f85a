"""Guidance refined: laws, recorded answers, and the formulas of diffusers."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.diffusion.guidance_parts import SCHEDULE, SIGMA, C, Fixed, U, X, drawn, plain
from tests.diffusion.peers import error
from torch import Tensor

from safelight.diffusion.changes.attention import identity
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import Denoiser, LatentModel
from safelight.diffusion.guidance import Look, Technique, both, guided
from safelight.diffusion.guides import (
    exposure,
    frequency,
    interval,
    projection,
    prompts,
    scale,
    weaker,
)

# Each technique at settings at which it does something.
ACTIVE: dict[str, Technique] = {
    "rescale": lambda d: scale.rescaled(d, 0.7),
    "norm": lambda d: scale.normed(d, 1.0),
    "threshold": lambda d: scale.thresholded(d, 0.995),
    "APG": lambda d: projection.projected(d, 0.2, 5.0, -0.5),
    "TCFG": projection.damped,
    "zero star": projection.zero_star,
    "FreSca": lambda d: frequency.frequency_scaled(d, 0.9, 1.4, 2),
    "direction": exposure.directed,
    "interval": lambda d: interval.within(d, 2.0, 0.5),
}
# Each technique at the settings at which it shall do nothing.
NEUTRAL: dict[str, Technique] = {
    "rescale": lambda d: scale.rescaled(d, 0.0),
    "APG": projection.projected,
    "FreSca": lambda d: frequency.frequency_scaled(d, 1.0, 1.0, 20),
    "epsilon": lambda d: exposure.epsilon_scaled(d, 1.0),
    "interval": lambda d: interval.within(d, float("inf"), 0.0),
    "weaker": lambda d: weaker.weakened(d, identity, 0.0),
}


@pytest.mark.parametrize("name", NEUTRAL)
def test_at_its_neutral_setting_a_technique_is_plain_guidance(name: str) -> None:
    """D = U + w (C - U)."""
    got = NEUTRAL[name](plain())(X, SIGMA)
    torch.testing.assert_close(got, plain()(X, SIGMA), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVE)
def test_a_technique_does_something(name: str) -> None:
    """Otherwise the laws here would be empty."""
    assert error(ACTIVE[name](plain())(X, SIGMA), plain()(X, SIGMA)) > 1e-3


@pytest.mark.parametrize("name", ACTIVE)
def test_scale_one_ignores_the_negative(name: str) -> None:
    """It is not even asked, and the prompt's own guess comes out."""
    unasked = Fixed(U)
    got = ACTIVE[name](guided(Fixed(C), unasked, 1.0))(X, SIGMA)
    torch.testing.assert_close(got, C, rtol=1e-6, atol=1e-6)
    assert unasked.asked == 0


@pytest.mark.parametrize("name", ACTIVE)
def test_each_picture_of_a_batch_is_guided_as_alone(name: str) -> None:
    """Nothing is measured across pictures."""
    together = ACTIVE[name](plain())(X, SIGMA)
    alone = ACTIVE[name](guided(Fixed(C[1:]), Fixed(U[1:]), 5.0))(X[1:], SIGMA)
    torch.testing.assert_close(together[1:], alone)


def test_rescaling_is_the_recorded_one(reference: Path) -> None:
    """In v, against the answers of a toy model."""
    recorded = load_file(reference / "guidance.safetensors")
    key = "rescale_0.7"
    ask = guided(Fixed(recorded[f"{key}.cond"]), Fixed(recorded[f"{key}.uncond"]), 7.0)
    got = scale.rescaled(ask, 0.7)(recorded["x"].double(), SIGMA)
    torch.testing.assert_close(got, recorded[f"{key}.denoised"], rtol=1e-10, atol=1e-10)


def velocity(guess: Tensor) -> Tensor:
    """What a v-network would have said."""
    c = (1 + SIGMA**2).rsqrt()
    return (c**2 * X - guess) / (c * SIGMA)


def test_rescaling_is_that_of_diffusers() -> None:
    """Their function works on what the network says."""
    peer: Any = import_module("diffusers.guiders.guider_utils").rescale_noise_cfg
    theirs = peer(velocity(plain()(X, SIGMA)), velocity(C), guidance_rescale=0.7)
    ours = velocity(scale.rescaled(plain(), 0.7)(X, SIGMA))
    assert error(ours, theirs) < 1e-10


def test_apg_is_that_of_diffusers_over_several_steps() -> None:
    """With projection, bound and momentum; their scale counts from 0."""
    peer: Any = import_module("diffusers.guiders.adaptive_projected_guidance")
    buffer = peer.MomentumBuffer(-0.5)
    positive, away = Fixed(C), Fixed(U)
    ask = projection.projected(guided(positive, away, 5.0), 0.2, 9.0, -0.5)
    for step in range(3):
        positive.guess, away.guess = drawn(10 + step), drawn(20 + step)
        theirs = peer.normalized_guidance(
            positive.guess, away.guess, 4.0, buffer, 0.2, 9.0, use_original_formulation=True
        )
        assert error(ask(X, SIGMA / (step + 1)), theirs) < 1e-10


def test_momentum_starts_anew_when_a_walk_does() -> None:
    """A sigma above the last one is the start of another walk."""
    ask = projection.projected(plain(), 1.0, 0.0, -0.5)
    first = ask(X, SIGMA)
    assert error(ask(X, SIGMA / 2), first) > 1e-3
    assert torch.equal(ask(X, SIGMA), first)


def test_zero_star_is_that_of_diffusers() -> None:
    """On velocities of a flow: s v_U + w (v_C - s v_U)."""
    peer: Any = import_module("diffusers.guiders.classifier_free_zero_star_guidance")
    ours, theirs = X - C, X - U
    best = peer.cfg_zero_star_scale(ours.flatten(1), theirs.flatten(1)).reshape(-1, 1, 1, 1)
    wished = best * theirs + 5.0 * (ours - best * theirs)
    assert error(X - projection.zero_star(plain())(X, SIGMA), wished) < 1e-6


def test_tangential_damping_is_that_of_diffusers() -> None:
    """Both project the negative's noise on the main direction of the two."""
    name = "diffusers.guiders.tangential_classifier_free_guidance"
    peer: Any = import_module(name).normalized_guidance
    theirs = peer(X - C, X - U, 4.0, use_original_formulation=True)
    assert error(X - projection.damped(plain())(X, SIGMA), theirs) < 1e-5


def test_no_pixel_is_longer_than_without_guidance() -> None:
    """What the norm promises."""
    lengths = scale.normed(plain(), 1.0)(X, SIGMA).norm(dim=1)
    assert bool((lengths <= C.norm(dim=1) * (1 + 1e-9)).all())


def test_thresholding_keeps_the_range_of_the_prompt_alone() -> None:
    """At quantile 1 nothing reaches further from the mean than in C."""
    centred = scale.thresholded(plain(), 1.0)(X, SIGMA) - C.mean(dim=(1, 2, 3), keepdim=True)
    reach = (C - C.mean(dim=(1, 2, 3), keepdim=True)).abs().amax(dim=(1, 2, 3))
    torch.testing.assert_close(centred.abs().amax(dim=(1, 2, 3)), reach)


@pytest.mark.parametrize(("sigma", "asked"), [(3.0, 0), (2.0, 1), (0.5, 1), (0.4, 0)])
def test_outside_its_span_guidance_asks_once(sigma: float, asked: int) -> None:
    """Both ends belong to it."""
    away = Fixed(U)
    interval.within(guided(Fixed(C), away, 5.0), 2.0, 0.5)(X, torch.tensor(sigma))
    assert away.asked == asked


def test_frequencies_add_up() -> None:
    """What is low and what is high is all there is."""
    low, high = (frequency.filtered(X, a, b, 2) for a, b in ((1.0, 0.0), (0.0, 1.0)))
    torch.testing.assert_close(low + high, X, rtol=1e-5, atol=1e-5)
    assert low.std() > 0.01


def test_dual_guidance_is_two_steps() -> None:
    """U + w2 (M - U) + w1 (C - M), or the second nested in the first."""
    middle = drawn(3)
    wanted, between, away = Fixed(C), Fixed(middle), Fixed(U)
    regular = prompts.dual(wanted, between, away, (3.0, 2.0))(X, SIGMA)
    torch.testing.assert_close(regular, U + 2 * (middle - U) + 3 * (C - middle))
    nested = prompts.dual(wanted, between, away, (3.0, 2.0), nested=True)(X, SIGMA)
    torch.testing.assert_close(nested, U + 2 * (middle + 3 * (C - middle) - U))


@pytest.mark.parametrize("nested", [False, True])
def test_dual_guidance_with_scale_one_is_plain(nested: bool) -> None:
    """Second scale 1: the negative is not asked."""
    middle, unasked = drawn(3), Fixed(U)
    got = prompts.dual(Fixed(C), Fixed(middle), unasked, (3.0, 1.0), nested=nested)(X, SIGMA)
    torch.testing.assert_close(got, middle + 3 * (C - middle))
    assert unasked.asked == 0


def test_a_perpendicular_negative_loses_what_the_positive_shares() -> None:
    """A negative equal to the positive does nothing; strength 0 is plain guidance."""
    empty = drawn(3)
    plainly = empty + 5 * (C - empty)
    same = prompts.perpendicular(Fixed(C), Fixed(C), Fixed(empty), 5.0, 1.0)(X, SIGMA)
    torch.testing.assert_close(same, plainly)
    none = prompts.perpendicular(Fixed(C), Fixed(U), Fixed(empty), 5.0, 0.0)(X, SIGMA)
    torch.testing.assert_close(none, plainly)
    kept = prompts.perpendicular(Fixed(C), Fixed(U), Fixed(empty), 5.0, 1.0)(X, SIGMA)
    across = ((kept - plainly) * (C - empty)).sum(dim=(1, 2, 3))
    torch.testing.assert_close(across, torch.zeros_like(across), rtol=0, atol=1e-9)


def test_three_prompts_share_a_batch() -> None:
    """Two pictures, asked three times: one call of six."""
    sizes: list[int] = []

    def network(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        sizes.append(len(z))
        return z * tokens.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)

    model = LatentModel(network, SCHEDULE, "eps")
    told = [model.told(Conditioning(torch.full((1, 7, 3), float(i)))) for i in range(3)]
    prompts.dual(told[0], told[1], told[2], (3.0, 2.0))(X, SIGMA)
    assert sizes == [6]


def test_samplers_that_measure_noise_get_the_mended_negative() -> None:
    """`both` gives D, and U as it was mended before the comparison."""
    ask: Denoiser = projection.zero_star(plain())
    guesses = both(ask, X, SIGMA)
    assert torch.equal(guesses.guided, ask(X, SIGMA))
    assert error(guesses.unguided, U) > 1e-3


def test_techniques_come_in_their_order_whatever_was_added_first() -> None:
    """Mends of C and U, then the rule, then mends of D."""
    one = exposure.epsilon_scaled(projection.damped(plain()), 1.02)(X, SIGMA)
    other = projection.damped(exposure.epsilon_scaled(plain(), 1.02))(X, SIGMA)
    assert torch.equal(one, other)
    assert Look(X, SIGMA, C, U, 5.0).others == ()
