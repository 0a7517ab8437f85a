"""How fast each solver's error falls, on pictures whose walk is known in closed form."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature

import pytest
import torch
from torch import Tensor

from safelight.diffusion.noise import independent
from safelight.diffusion.samplers.er_sde import er_sde
from safelight.diffusion.sampling import SAMPLERS, Sampler, Step

STD, FROM, DOWN_TO = 0.5, 2.0, 0.1


def gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """The exact denoiser of pictures drawn from N(0, STD^2)."""
    return x * STD**2 / (STD**2 + sigma**2)


def end_of(sampler: Sampler, steps: int) -> float:
    """Walk from x = 1 in equal steps of ln sigma, so that steps are fine everywhere."""
    sigmas = torch.logspace(math.log10(FROM), math.log10(DOWN_TO), steps + 1, dtype=torch.float64)
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    noise = independent(0, x, sigmas)
    return float([*sampler(gaussian, x, sigmas, noise=noise)][-1].x)


EXACT = math.sqrt((STD**2 + DOWN_TO**2) / (STD**2 + FROM**2))  # x keeps its share of the spread

# Order of convergence without fresh noise, seen between two numbers of steps.  A multistep
# method begins with Euler, whose one error bounds it to the second order.  The numbers of
# dpm_fast are those that end in a jump of order 2 and double the jumps.
ORDERS: Mapping[str, tuple[int, int, int]] = {
    "euler": (1, 200, 400),
    "ddim": (1, 200, 400),
    "euler_cfg_pp": (1, 200, 400),
    "euler_ancestral": (1, 200, 400),
    "euler_ancestral_cfg_pp": (1, 200, 400),
    "heunpp2": (1, 200, 400),
    "gradient_estimation": (1, 200, 400),
    "gradient_estimation_cfg_pp": (1, 200, 400),
    "heun": (2, 200, 400),
    "dpm_2": (2, 200, 400),
    "dpm_2_ancestral": (2, 200, 400),
    "dpmpp_2s_ancestral": (2, 200, 400),
    "dpmpp_sde": (2, 200, 400),
    "dpmpp_2m": (2, 200, 400),
    "dpmpp_2m_cfg_pp": (2, 200, 400),
    "dpmpp_2m_sde": (2, 200, 400),
    "dpmpp_2m_sde_heun": (2, 200, 400),
    "dpmpp_3m_sde": (2, 200, 400),
    "res_multistep": (2, 200, 400),
    "res_multistep_cfg_pp": (2, 200, 400),
    "res_multistep_ancestral": (2, 200, 400),
    "res_multistep_ancestral_cfg_pp": (2, 200, 400),
    "seeds_2": (2, 200, 400),
    "lms": (2, 200, 400),
    "ipndm": (2, 200, 400),
    "uni_pc": (2, 100, 200),
    "uni_pc_bh2": (2, 100, 200),
    "seeds_3": (3, 50, 100),
    "dpm_fast": (3, 53, 107),
}


@pytest.mark.parametrize("name", ORDERS)
def test_error_falls_with_the_order_of_the_method(name: str) -> None:
    """Halving the step divides the error by 2^order."""
    order, coarse, fine = ORDERS[name]
    ratio = error_of(name, coarse) / error_of(name, fine)
    assert ratio == pytest.approx(2**order, rel=0.12)


@pytest.mark.parametrize(("name", "coarse"), [("deis", 20), ("sa_solver", 50), ("ipndm_v", 800)])
def test_error_falls_at_least_with_the_square_of_the_step(name: str, coarse: int) -> None:
    """Errors that partly cancel fall faster, but none falls more slowly."""
    assert error_of(name, coarse) / error_of(name, 2 * coarse) > 3.5


def error_of(name: str, steps: int) -> float:
    """How far a walk without fresh noise ends from where it should."""
    sampler: Callable[..., Iterator[Step]] = SAMPLERS[name]
    if "eta" in signature(sampler).parameters:
        sampler = partial(sampler, eta=0.0)
    return abs(end_of(sampler, steps) - EXACT)


def test_the_extended_solver_without_noise_solves_the_equation() -> None:
    """With the law of power 1 and no noise, ER-SDE is a second-order solver of the ODE."""
    sampler = partial(er_sde, power=1.0, noise_scale=0.0)
    coarse, fine = (abs(end_of(sampler, steps) - EXACT) for steps in (20, 40))
    assert coarse / fine > 3.5
