import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from pathlib import Path as File
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.diffusion.mixture import Mixture
from torch import Tensor

from safelight.diffusion.denoiser import Denoiser
from safelight.diffusion.guidance import Guided
from safelight.diffusion.inpainting import repainting
from safelight.diffusion.noise import independent, initial
from safelight.diffusion.path import ADDED, FADED, Path
from safelight.diffusion.samplers.ode import Churn
from safelight.diffusion.sampling import SAMPLERS, Sampler, Step, bound, reachable
from safelight.diffusion.schedule import (
    FlowSchedule,
    NoiseSchedule,
    Schedule,
    karras,
    scaled_linear,
)

FOLDER = File(__file__).parent.parent / "references"
ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "samplers.json").read_text())["entries"]
SCHEDULES: Mapping[str, Schedule] = {
    "eps": NoiseSchedule.of(scaled_linear()),
    "flow": FlowSchedule(shift=3.0),
}
# Where the reference integrates in single precision, or ends at 0.001 in place of 0.
TOLERANCES = {"deis": 1e-5, "er_sde": 1e-5, "uni_pc": 1e-6, "uni_pc_bh2": 1e-6}
MIXTURE = ("w", "mu", "s")
RENAMED = {"s_noise": "noise_scale", "solver_type": "correction", "ge_gamma": "gamma"}


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    """The recorded states and noises."""
    return load_file(FOLDER / "samplers.safetensors")


def configured(entry: dict[str, Any]) -> Sampler:
    """Return the sampler with the recorded options as our parameters."""
    sampler: Callable[..., Iterator[Step]] = SAMPLERS[entry["sampler"]]
    options: dict[str, Any] = dict(entry.get("options", {}))
    if "s_churn" in options:
        churn = Churn(options.pop("s_churn"), scale=options.pop("s_noise", 1.0))
        return partial(sampler, churn=churn)
    known = signature(sampler).parameters
    ours = {RENAMED.get(name, name): value for name, value in options.items()}
    return partial(sampler, **{name: value for name, value in ours.items() if name in known})


def recorded_noise(entry: dict[str, Any], tensors: dict[str, Tensor]) -> Callable[..., Tensor]:
    """Hand out the recorded draws in order; nobody may ask for more."""
    if "noise" not in entry:  # recorded as without influence on the result
        return lambda begin, end: torch.zeros_like(tensors["start.seed0"], dtype=torch.float64)
    draws = iter(tensors[entry["noise"]][: entry["noise_draws"]].double())
    return lambda begin, end: next(draws)


class Run:
    """One recorded walk: its denoiser and where it starts."""

    def __init__(self, entry: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.schedule = SCHEDULES[entry["parameterisation"]]
        self.calls: list[float] = []
        path, case = self.schedule.path, entry.get("case", "")
        self.sigmas = torch.tensor(entry["sigmas"], dtype=torch.float64)
        noise = tensors[f"start.seed{entry['seed']}"].double()
        picture = tensors["image.latent"].double()
        starts_from_picture = case in ("img2img", "inpaint") or "cut" in entry
        latent = picture if starts_from_picture else torch.zeros_like(picture)
        if not entry.get("cut", {}).get("add_noise", True):
            noise = torch.zeros_like(noise)
        self.x = path.start(latent, noise, self.sigmas[0], self.schedule.sigma_max)

        def mixture(name: str) -> Mixture:
            weights, means, deviations = (tensors[f"mixture.{name}.{part}"] for part in MIXTURE)
            return Mixture(weights, means, deviations, path)

        def watched(x: Tensor, sigma: Tensor) -> Tensor:
            self.calls.append(float(sigma))
            return mixture("cond")(x, sigma.double())

        self.denoise: Denoiser = watched
        if entry.get("guided"):
            self.denoise = Guided(watched, mixture("uncond"), 1.5)
        if case == "inpaint":
            if entry["sampler"] == "ddim":
                noise = initial(entry["seed"] + 1, (2, 4, 8, 8))[:, :2, :4, :4].double()
            mask = tensors["image.mask"].double()
            self.denoise = repainting(watched, mask, latent, noise, path)

    def end(self, entry: dict[str, Any], tensors: dict[str, Tensor]) -> Tensor:
        """Walk, and return what is handed on."""
        sigmas = reachable(entry["sampler"], self.schedule, self.sigmas)
        sampler = bound(configured(entry), self.schedule)
        noise = recorded_noise(entry, tensors)
        *_, last = sampler(self.denoise, self.x, sigmas, noise=noise)
        end = sigmas[-1]
        if entry["sampler"] in ("uni_pc", "uni_pc_bh2"):
            end = end.clamp(min=0.001)  # the reference then divides flows by 0.999
        return self.schedule.path.end(last.x, end)


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["key"] for entry in ENTRIES])
def test_sampler_ends_where_the_recorded_run_did(
    entry: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """With the recorded noise, in float64, every walk ends in the recorded state."""
    run = Run(entry, tensors)
    final = run.end(entry, tensors)
    rtol, atol = 1e-7, 1e-9
    if entry["sampler"] in TOLERANCES:
        rtol = atol = TOLERANCES[entry["sampler"]]
    torch.testing.assert_close(final, tensors[f"{entry['key']}.final"], rtol=rtol, atol=atol)
    assert len(run.calls) == entry["calls"]


def test_adaptive_sampler_ends_where_the_recorded_runs_did(reference: File) -> None:
    """Its error is a mean over the whole state, so it needs the whole recorded states."""
    whole = load_file(reference / "samplers.safetensors")
    entries = json.loads((reference / "samplers.json").read_text())["entries"]
    adaptive = [entry for entry in entries if entry["sampler"] == "dpm_adaptive"]
    assert len(adaptive) == 10
    for entry in adaptive:
        run = Run(entry, whole)
        final = run.end(entry, whole)
        torch.testing.assert_close(final, whole[f"{entry['key']}.final"], rtol=1e-6, atol=1e-6)
        # A step taken again looks from its start only once.
        assert list(dict.fromkeys(run.calls)) == pytest.approx(
            list(dict.fromkeys(entry["model_calls"])), rel=1e-6
        )


STD = 0.5


def gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """The exact denoiser of pictures drawn from N(0, STD^2)."""
    return x * STD**2 / (STD**2 + sigma**2)


# lcm jumps to the mean guess, which has less spread by design.  dpmpp_2s_ancestral_cfg_pp
# takes its second carry from two different guesses: without guidance it is not exact.
SPREAD_OTHERWISE = {"lcm", "dpmpp_2s_ancestral_cfg_pp"}


@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - SPREAD_OTHERWISE))
def test_every_sampler_draws_the_distribution_it_is_told_of(name: str) -> None:
    """Walks of many elements end with the spread of the pictures: noise is rightly measured."""
    sigmas = karras(NoiseSchedule.of(scaled_linear()), 150)
    unit = torch.randn(1, 1, 150, 150, generator=torch.Generator().manual_seed(1))
    x = unit.double() * sigmas[0]
    *_, last = SAMPLERS[name](gaussian, x, sigmas, noise=independent(2, x, sigmas))
    assert float(last.x.std()) == pytest.approx(STD, rel=0.03)


# These walk to the last positive sigma, or to 0.001.
END_ABOVE_ZERO = {"dpm_fast", "dpm_adaptive", "uni_pc", "uni_pc_bh2"}


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in END_ABOVE_ZERO])
def test_last_step_to_zero_is_finite_and_is_the_guess(name: str) -> None:
    """With a next sigma of 0 a sampler lands on its own guess of the clean latent."""
    sigmas = torch.tensor([1.0, 0.5, 0.0])
    x = torch.ones(1, 1, 2, 2)
    last = [*SAMPLERS[name](gaussian, x, sigmas, noise=independent(3, x, sigmas))][-1]
    torch.testing.assert_close(last.x, last.denoised)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_walk_of_no_step_yields_nothing(name: str) -> None:
    """An empty schedule, or a single sigma, is no walk."""
    x = torch.ones(1, 1, 2, 2)
    for sigmas in (torch.empty(0), torch.tensor([1.0])):
        noise = independent(0, x, sigmas)
        assert [*SAMPLERS[name](gaussian, x, sigmas, noise=noise)] == []


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_is_walked(name: str) -> None:
    """From noise to 0 at once: one finite state, near the guess."""
    sigmas = torch.tensor([2.0, 0.0])
    x = torch.ones(1, 1, 2, 2)
    steps = [*SAMPLERS[name](gaussian, x, sigmas, noise=independent(0, x, sigmas))]
    if name not in ("dpm_fast", "dpm_adaptive"):  # there is nothing for them between sigmas
        torch.testing.assert_close(steps[-1].x, gaussian(x, sigmas[0]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name.endswith("cfg_pp")])
def test_guidance_plus_plus_asks_for_both_guesses_even_at_scale_1(name: str) -> None:
    """Noise is measured without guidance, so the negative is always asked."""
    asked: list[str] = []

    def told(what: str) -> Callable[[Tensor, Tensor], Tensor]:
        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            asked.append(what)
            return gaussian(x, sigma)

        return denoise

    sigmas = torch.tensor([1.0, 0.5, 0.0])
    x = torch.ones(1, 1, 2, 2)
    denoise = Guided(told("positive"), told("negative"), 1.0)
    assert [*SAMPLERS[name](denoise, x, sigmas, noise=independent(3, x, sigmas))]
    assert asked.count("positive") == asked.count("negative") >= 2


def test_samplers_that_step_in_lam_start_below_noise_alone() -> None:
    """Only where pictures fade, and only at the very top."""
    flow, sigmas = SCHEDULES["flow"], torch.tensor([1.0, 0.5, 0.0])
    assert reachable("seeds_2", flow, sigmas)[0] == pytest.approx(flow.percent(0.0001))
    assert reachable("seeds_2", flow, sigmas[1:])[0] == 0.5
    assert reachable("euler", flow, sigmas)[0] == 1
    assert reachable("seeds_2", SCHEDULES["eps"], sigmas)[0] == 1


def test_start_keeps_the_picture_when_less_than_all_noise_is_added() -> None:
    """Below the most noise the latent is under the noise; at it, the variance is training's."""
    latent, noise = torch.full((1, 4, 2, 2), 3.0), torch.ones(1, 4, 2, 2)
    low = ADDED.start(latent, noise, torch.tensor(2.0), sigma_max=14.6)
    top = ADDED.start(torch.zeros_like(latent), noise, torch.tensor(14.6), sigma_max=14.6)
    torch.testing.assert_close(low, torch.full_like(latent, 5.0))
    torch.testing.assert_close(top, torch.full_like(latent, math.sqrt(1 + 14.6**2)))


@pytest.mark.parametrize("path", [ADDED, FADED])
def test_what_a_cut_walk_hands_on_starts_the_next_one(path: Path) -> None:
    """`end` and a start without noise at the same sigma undo each other."""
    x, sigma = torch.randn(1, 4, 2, 2), torch.tensor(0.4)
    again = path.start(path.end(x, sigma), torch.zeros_like(x), sigma, sigma_max=1.0)
    torch.testing.assert_close(again, x)


@pytest.mark.parametrize("path", [ADDED, FADED])
def test_lam_and_ratio_are_undone_by_their_inverses(path: Path) -> None:
    """sigma -> lam -> sigma, and sigma -> S -> sigma."""
    sigmas = torch.tensor([0.01, 0.3, 0.99], dtype=torch.float64)
    torch.testing.assert_close(path.of_lam(path.lam(sigmas)), sigmas)
    torch.testing.assert_close(path.of_ratio(path.ratio(sigmas)), sigmas)
