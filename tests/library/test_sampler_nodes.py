"""Nodes for samplers with their settings."""

from typing import Any

import pytest
import torch
from tests.library.test_custom_sampling import UNTAUGHT, named, walk

from safelight.graph.node import NullContext
from safelight.library import custom_sampling, euler_samplers, samplers
from safelight.library.loading import Parts
from safelight.library.values import Conditioning
from safelight.library.walks import Guider

CTX = NullContext()


SETTINGS: list[Any] = [
    pytest.param(euler_samplers.SamplerEulerAncestral(), "euler_ancestral", id="euler_ancestral"),
    pytest.param(
        euler_samplers.SamplerEulerAncestralCFGPP(), "euler_ancestral_cfg_pp", id="cfg_pp"
    ),
    pytest.param(
        euler_samplers.SamplerEulerCFGpp(rule="regular"), "euler_cfg_pp", id="euler_cfg_pp"
    ),
    pytest.param(samplers.SamplerLCMUpscale(upscale_method="bislerp"), "lcm", id="lcm_growing"),
    pytest.param(samplers.SamplerLMS(), "lms", id="lms"),
    pytest.param(samplers.SamplerDPMPP_3M_SDE(noise_device="cpu"), "dpmpp_3m_sde", id="3m"),
    pytest.param(
        samplers.SamplerDPMPP_2M_SDE(solver_type="midpoint", noise_device="cpu"),
        "dpmpp_2m_sde",
        id="2m",
    ),
    pytest.param(
        samplers.SamplerDPMPP_2M_SDE(solver_type="heun", noise_device="gpu"),
        "dpmpp_2m_sde_heun_gpu",
        id="2m_heun_gpu",
    ),
    pytest.param(samplers.SamplerDPMPP_SDE(noise_device="gpu"), "dpmpp_sde_gpu", id="sde"),
    pytest.param(samplers.SamplerDPMPP_2S_Ancestral(), "dpmpp_2s_ancestral", id="2s"),
    pytest.param(samplers.SamplerDPMAdaptative(), "dpm_adaptive", id="adaptive"),
    pytest.param(samplers.SamplerER_SDE(solver_type="ER-SDE"), "er_sde", id="er_sde"),
    pytest.param(samplers.SamplerSASolver(model=UNTAUGHT), "sa_solver", id="sa_solver"),
    pytest.param(
        samplers.SamplerSASolver(model=UNTAUGHT, use_pece=True), "sa_solver_pece", id="pece"
    ),
]


@pytest.mark.parametrize(("node", "name"), SETTINGS)
def test_a_sampler_node_with_its_defaults_is_the_sampler_of_the_menu(
    node: Any, name: str, guider: Guider, ctx: NullContext
) -> None:
    """The settings that a node offers begin where the plain sampler stands."""
    own, _ = walk(guider, ctx, sampler=node.run(CTX))
    plain, _ = walk(guider, ctx, sampler=named(name))
    assert torch.equal(own.samples, plain.samples)


@pytest.mark.parametrize(
    ("node", "other"),
    [
        (euler_samplers.SamplerEulerAncestral(eta=0.5), euler_samplers.SamplerEulerAncestral()),
        (samplers.SamplerLMS(order=1), samplers.SamplerLMS(order=2)),
        (
            samplers.SamplerER_SDE(solver_type="ODE"),
            samplers.SamplerER_SDE(solver_type="Reverse-time SDE"),
        ),
        (
            samplers.SamplerSASolver(model=UNTAUGHT, sde_start_percent=0.0, sde_end_percent=1.0),
            samplers.SamplerSASolver(model=UNTAUGHT, sde_start_percent=1.0, sde_end_percent=1.0),
        ),
    ],
)
def test_settings_of_a_sampler_node_reach_the_walk(
    node: Any, other: Any, guider: Guider, ctx: NullContext
) -> None:
    """Another setting, another picture."""
    own, _ = walk(guider, ctx, sampler=node.run(CTX))
    its, _ = walk(guider, ctx, sampler=other.run(CTX))
    assert not torch.allclose(own.samples, its.samples)


def test_the_alternative_rule_adds_what_guidance_adds_twice(
    parts: Parts, prompts: tuple[Conditioning, Conditioning], ctx: NullContext
) -> None:
    """2 D - U = U + 2 w (C - U): it is Euler with twice the scale."""
    once, twice = (
        custom_sampling.CFGGuider(
            model=parts.model, positive=prompts[0], negative=prompts[1], cfg=scale
        ).run(CTX)
        for scale in (1.5, 3.0)
    )
    beyond = euler_samplers.SamplerEulerCFGpp(rule="alternative").run(CTX)
    own, _ = walk(once, ctx, sampler=beyond)
    plain, _ = walk(twice, ctx, sampler=named("euler"))
    torch.testing.assert_close(own.samples, plain.samples, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("steps", "sizes"), [(-1, (16, 8)), (0, (8, 4)), (4, (16, 8))])
def test_a_picture_grows_on_its_walk(
    steps: int, sizes: tuple[int, int], guider: Guider, ctx: NullContext
) -> None:
    """To the size that was asked for, unless it has no step to grow in."""
    node = samplers.SamplerLCMUpscale(
        scale_ratio=2.0, scale_steps=steps, upscale_method="nearest-exact"
    )
    grown, guess = walk(guider, ctx, sampler=node.run(CTX))
    assert grown.samples.shape == (1, 4, sizes[1], sizes[0])
    assert torch.isfinite(guess.samples).all()
