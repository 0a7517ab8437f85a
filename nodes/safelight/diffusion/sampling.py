r"""Sampling: walking from noise to a picture, a step at a time.

A latent x at noise sigma has the direction in which its noise grows,

    dx/dsigma = d(x, sigma) = (x - D(x, sigma)) / sigma,

where D guesses the clean latent (see `denoiser`).  Following d from sigma_max down to 0
turns noise into a picture.  That is an ordinary differential equation, so samplers are
solvers.  They are told in `samplers/`, best read in this order:

    step            what all share: a straight step to the guess, and noise on top of it
    ode             Euler, Heun, the midpoint: look around within a step
    ancestral       step lower than asked and stir fresh noise in, which forgives errors
    multistep       remember the slopes of earlier steps (Adams, DEIS)
    exponential     solve what is linear exactly (DPM-Solver++, RES)
    sde, seeds      the same with noise; er_sde and sa_solver are variations on it
    dpm_solver      jumps of order 3, and steps that choose their own length
    uni_pc          predict and correct with one formula
    cfg_pp          all of these again, for small guidance

A sampler is a generator of `Step`s.  Showing progress, previewing and stopping belong to
whoever runs the loop.  All take (denoise, x, sigmas, *, noise): `sigmas` fall and
normally end in 0, `noise(s, n)` gives unit noise for the step from s to n.  A sampler that
also asks for `path` steps differently where pictures fade; `bound` gives it.

Notation: s = sigma_i, n = sigma_{i+1}, D = D(x, s), z fresh noise, a(sigma) the picture's
share in x (see `path`); lam = ln(a / sigma), h = lam_n - lam_s.

Source: Karras et al. 2022 (arXiv:2206.00364); named in each file.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from safelight.diffusion.samplers.ancestral import (
    ddpm,
    dpm_2_ancestral,
    dpmpp_2s_ancestral,
    euler_ancestral,
    lcm,
)
from safelight.diffusion.samplers.cfg_pp import (
    dpmpp_2m_cfg_pp,
    dpmpp_2s_ancestral_cfg_pp,
    euler_ancestral_cfg_pp,
    euler_cfg_pp,
    gradient_estimation_cfg_pp,
    res_multistep_ancestral_cfg_pp,
    res_multistep_cfg_pp,
)
from safelight.diffusion.samplers.dpm_solver import dpm_adaptive, dpm_fast
from safelight.diffusion.samplers.er_sde import er_sde
from safelight.diffusion.samplers.exponential import (
    dpmpp_2m,
    res_multistep,
    res_multistep_ancestral,
)
from safelight.diffusion.samplers.multistep import deis, gradient_estimation, ipndm, ipndm_v, lms
from safelight.diffusion.samplers.ode import ddim, dpm_2, euler, heun, heunpp2
from safelight.diffusion.samplers.sa_solver import sa_solver, sa_solver_pece
from safelight.diffusion.samplers.sde import (
    dpmpp_2m_sde,
    dpmpp_2m_sde_heun,
    dpmpp_3m_sde,
    dpmpp_sde,
)
from safelight.diffusion.samplers.seeds import seeds_2, seeds_3
from safelight.diffusion.samplers.step import Sampler as Sampler
from safelight.diffusion.samplers.step import Step as Step
from safelight.diffusion.samplers.uni_pc import uni_pc, uni_pc_bh2
from safelight.diffusion.schedule import Schedule

# The order is that of the menu.  Names in _gpu differ in where their noise is drawn.
SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        "euler": euler,
        "euler_cfg_pp": euler_cfg_pp,
        "euler_ancestral": euler_ancestral,
        "euler_ancestral_cfg_pp": euler_ancestral_cfg_pp,
        "heun": heun,
        "heunpp2": heunpp2,
        "dpm_2": dpm_2,
        "dpm_2_ancestral": dpm_2_ancestral,
        "lms": lms,
        "dpm_fast": dpm_fast,
        "dpm_adaptive": dpm_adaptive,
        "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
        "dpmpp_2s_ancestral_cfg_pp": dpmpp_2s_ancestral_cfg_pp,
        "dpmpp_sde": dpmpp_sde,
        "dpmpp_sde_gpu": dpmpp_sde,
        "dpmpp_2m": dpmpp_2m,
        "dpmpp_2m_cfg_pp": dpmpp_2m_cfg_pp,
        "dpmpp_2m_sde": dpmpp_2m_sde,
        "dpmpp_2m_sde_gpu": dpmpp_2m_sde,
        "dpmpp_2m_sde_heun": dpmpp_2m_sde_heun,
        "dpmpp_2m_sde_heun_gpu": dpmpp_2m_sde_heun,
        "dpmpp_3m_sde": dpmpp_3m_sde,
        "dpmpp_3m_sde_gpu": dpmpp_3m_sde,
        "ddpm": ddpm,
        "lcm": lcm,
        "ipndm": ipndm,
        "ipndm_v": ipndm_v,
        "deis": deis,
        "res_multistep": res_multistep,
        "res_multistep_cfg_pp": res_multistep_cfg_pp,
        "res_multistep_ancestral": res_multistep_ancestral,
        "res_multistep_ancestral_cfg_pp": res_multistep_ancestral_cfg_pp,
        "gradient_estimation": gradient_estimation,
        "gradient_estimation_cfg_pp": gradient_estimation_cfg_pp,
        "er_sde": er_sde,
        "seeds_2": seeds_2,
        "seeds_3": seeds_3,
        "sa_solver": sa_solver,
        "sa_solver_pece": sa_solver_pece,
        "ddim": ddim,
        "uni_pc": uni_pc,
        "uni_pc_bh2": uni_pc_bh2,
    }
)

# Samplers that step in lam from the start, where lam must be finite.
STARTS_BELOW_NOISE = frozenset(
    {
        *(name for name in SAMPLERS if name.startswith(("dpmpp_sde", "dpmpp_2m_sde"))),
        *("dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "er_sde", "seeds_2", "seeds_3"),
        *("sa_solver", "sa_solver_pece"),
    }
)


@dataclass(frozen=True, eq=False)
class Method:
    """A sampler by its name, with its options bound to it."""

    name: str
    sampler: Sampler

    @classmethod
    def named(cls, name: str) -> "Method":
        """Return a sampler of the menu as it is.

        Raises:
            ValueError: there is no such sampler.
        """
        if name not in SAMPLERS:
            raise ValueError(f"no sampler {name!r}; there are {', '.join(SAMPLERS)}")
        return cls(name, SAMPLERS[name])


def bound(sampler: Sampler, schedule: Schedule) -> Sampler:
    """Tell a sampler what it asks for of a model's levels of noise.

    That is the `path` along which pictures turn into noise, and the `band` of sigmas in
    the middle of the way (20 to 80 percent) in which noise may be stirred in.  What was
    bound before stays.
    """
    already: Mapping[str, object] = sampler.keywords if isinstance(sampler, partial) else {}
    asked = inspect.signature(sampler).parameters.keys() - already.keys()
    told: Callable[..., Iterator[Step]] = sampler
    if "path" in asked:
        told = partial(told, path=schedule.path)
    if "band" in asked:
        told = partial(told, band=(schedule.percent(0.2), schedule.percent(0.8)))
    return told


def reachable(name: str, schedule: Schedule, sigmas: Tensor) -> Tensor:
    """Return `sigmas` as a sampler can walk them.

    Where pictures fade, noise alone has a lam of minus infinity.  Samplers that step in
    lam start a hair below it: at 0.01 percent of the way.
    """
    if name not in STARTS_BELOW_NOISE or schedule.path.picture(sigmas[0]) > 0:
        return sigmas
    return torch.cat([sigmas.new_tensor([schedule.percent(0.0001)]), sigmas[1:]])
