"""Walks taken apart: every part chosen by a node of its own."""

from typing import Any

import pytest
import torch
from torch import nn

from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.latent import SD1
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.graph.node import NullContext
from safelight.library import custom_sampling, samplers, schedulers
from safelight.library.latent import EmptyLatentImage
from safelight.library.sampling import KSampler, KSamplerAdvanced
from safelight.library.values import Conditioning, Latent, Mask, Model
from safelight.library.walks import Guider, Noise, Sampler, Sigmas

CTX = NullContext()
UNTAUGHT = Model(
    nn.Identity(),
    LatentModel(nn.Identity(), NoiseSchedule.of(scaled_linear()), "eps"),
    SD1,
    "a model of which only the levels of noise are asked",
)


def empty(batch: int = 1) -> Latent:
    """An empty latent of a small picture."""
    return EmptyLatentImage(width=64, height=32, batch_size=batch).run(CTX)


def named(name: str) -> Sampler:
    """A sampler of the menu."""
    return samplers.KSamplerSelect(sampler_name=name).run(CTX)


def levels(model: Model, steps: int = 4, scheduler: str = "karras") -> Sigmas:
    """Sigmas of a schedule."""
    return schedulers.BasicScheduler(model=model, scheduler=scheduler, steps=steps).run(CTX)


def walk(guider: Guider, ctx: NullContext, **parts: Any) -> tuple[Latent, Latent]:
    """Run SamplerCustomAdvanced with euler, four steps and seed 7 unless told otherwise."""
    chosen: dict[str, Any] = {
        "noise": Noise(7),
        "sampler": named("euler"),
        "sigmas": levels(guider.model),
        "latent_image": empty(),
    }
    chosen |= parts
    return custom_sampling.SamplerCustomAdvanced(guider=guider, **chosen).run(ctx)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m_sde", "euler_cfg_pp", "sa_solver"])
def test_a_walk_in_parts_is_the_walk_of_the_plain_node(
    name: str,
    guider: Guider,
    prompts: tuple[Conditioning, Conditioning],
    ctx: NullContext,
) -> None:
    """The same seed, schedule and sampler give the same latent, bit for bit."""
    whole = KSampler(
        model=guider.model,
        seed=7,
        steps=4,
        cfg=3.0,
        sampler_name=name,
        scheduler="karras",
        positive=prompts[0],
        negative=prompts[1],
        latent_image=empty(),
    ).run(ctx)
    output, denoised = walk(guider, ctx, sampler=named(name))
    assert torch.equal(output.samples, whole.samples)
    assert torch.allclose(denoised.samples, whole.samples, atol=1e-5)


def advanced(
    guider: Guider,
    prompts: tuple[Conditioning, Conditioning],
    ctx: NullContext,
    latent: Latent,
    **settings: Any,
) -> Latent:
    """Run KSamplerAdvanced over six steps of heun unless told otherwise."""
    chosen: dict[str, Any] = {
        "add_noise": "enable",
        "noise_seed": 7,
        "steps": 6,
        "cfg": 3.0,
        "sampler_name": "heun",
        "scheduler": "normal",
        "return_with_leftover_noise": "disable",
    }
    chosen |= settings
    return KSamplerAdvanced(
        model=guider.model,
        positive=prompts[0],
        negative=prompts[1],
        latent_image=latent,
        **chosen,
    ).run(ctx)


def test_two_parts_of_the_way_are_the_whole_way(
    guider: Guider, prompts: tuple[Conditioning, Conditioning], ctx: NullContext
) -> None:
    """Handing on what is left of the noise loses nothing."""
    whole = advanced(guider, prompts, ctx, empty())
    first = advanced(
        guider, prompts, ctx, empty(), end_at_step=2, return_with_leftover_noise="enable"
    )
    second = advanced(guider, prompts, ctx, first, start_at_step=2, add_noise="disable")
    torch.testing.assert_close(second.samples, whole.samples, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(first.samples, whole.samples, atol=0.1)


def test_a_part_without_steps_leaves_the_latent_alone(
    guider: Guider, prompts: tuple[Conditioning, Conditioning], ctx: NullContext
) -> None:
    """Starting behind the last step there is nothing to walk."""
    latent = empty()
    assert advanced(guider, prompts, ctx, latent, start_at_step=6) is latent


def test_split_sigmas_walked_one_after_the_other_are_the_whole(
    guider: Guider, ctx: NullContext
) -> None:
    """The second sampler starts without noise, where the first stopped."""
    whole, _ = walk(guider, ctx)
    cut = schedulers.SplitSigmas(sigmas=levels(guider.model), step=2).run(CTX)
    half, guess = walk(guider, ctx, sigmas=cut.high)
    rest, _ = walk(
        guider,
        ctx,
        sigmas=cut.low,
        latent_image=half,
        noise=custom_sampling.DisableNoise().run(CTX),
    )
    torch.testing.assert_close(rest.samples, whole.samples, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(guess.samples, half.samples)  # the guess has no noise in it


def test_a_mask_of_zeros_returns_the_latent_bit_for_bit(guider: Guider, ctx: NullContext) -> None:
    """And one of ones changes nothing about the walk."""
    latent = Latent(torch.randn(1, 4, 4, 8), SD1)
    results = []
    for value in (0.0, 1.0):
        mask = Mask(torch.full((1, 32, 64), value))
        masked = custom_sampling.SetLatentNoiseMask(samples=latent, mask=mask).run(CTX)
        results.append(walk(guider, ctx, latent_image=masked)[0].samples)
    assert torch.equal(results[0], latent.samples)
    assert torch.equal(results[1], walk(guider, ctx, latent_image=latent)[0].samples)


def test_a_mask_keeps_one_half_and_repaints_the_other(guider: Guider, ctx: NullContext) -> None:
    """The white half changes, the black one does not."""
    latent = Latent(torch.randn(2, 4, 4, 8), SD1)
    pixels = torch.zeros(1, 32, 64)
    pixels[..., 32:] = 1
    masked = latent.with_mask(Mask(pixels))
    result = walk(guider, ctx, latent_image=masked)[0].samples
    assert torch.equal(result[..., :4], latent.samples[..., :4])
    assert not torch.isclose(result[..., 4:], latent.samples[..., 4:]).any()


def test_guidance_of_one_prompt_ignores_negatives(
    guider: Guider, prompts: tuple[Conditioning, Conditioning], ctx: NullContext
) -> None:
    """It is the guidance of two prompts at scale 1."""
    alone = custom_sampling.BasicGuider(model=guider.model, conditioning=prompts[0]).run(CTX)
    both = custom_sampling.CFGGuider(
        model=guider.model, positive=prompts[0], negative=prompts[1], cfg=1.0
    ).run(CTX)
    assert torch.equal(walk(alone, ctx)[0].samples, walk(both, ctx)[0].samples)
