r"""Noise: where every picture starts, and what stochastic samplers stir in on the way.

A seed must give the same picture everywhere, so the initial noise is always drawn on the
CPU, in float32, for the whole batch at once.

Two sources of fresh noise exist.  `independent` draws a new tensor each time.  A
`brownian` source gives increments of one fixed path W of Brownian motion:

    z(a, b) = (W(b) - W(a)) / sqrt(|b - a|),   sign following the order of a and b

so a walk with twice as many steps still follows the same path, and the picture changes
little when the number of steps does.

Source: Li et al. 2020 (arXiv:2001.01328), section 4 and appendix E (the virtual tree).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
import torchsde
from jaxtyping import Float
from torch import Tensor

# (sigma the step starts from, sigma it goes to) -> unit noise in the shape of the latent.
Noise = Callable[[Tensor, Tensor], Tensor]

# (seed, latent, sigmas of the whole walk) -> a source for that walk.
NoiseSource = Callable[[int, Tensor, Tensor], Noise]


def initial(
    seed: int, shape: tuple[int, ...], numbers: Sequence[int] | None = None
) -> Float[Tensor, "..."]:
    """Draw the noise that pictures are developed from: float32, on the CPU.

    The pictures of a batch follow one another in one stream.  `numbers` says which place in
    it each has (the first ones, if None), so that one of a batch can be made again alone.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    if numbers is None:
        return torch.randn(shape, generator=generator)
    stream = [torch.randn(shape[1:], generator=generator) for _ in range(max(numbers) + 1)]
    return torch.stack([stream[number] for number in numbers])


def independent(seed: int, x: Float[Tensor, "B C h w"], sigmas: Float[Tensor, " sigmas"]) -> Noise:
    """Return a source that draws anew at each call, on the latent's device.

    Its first draw on a CPU equals `initial` with the same seed: a convention of the
    programs that users bring their seeds from.
    """
    generator = torch.Generator(x.device).manual_seed(seed)

    def draw(_from: Tensor, _to: Tensor) -> Tensor:
        fresh = torch.randn(x.shape, generator=generator, device=x.device)
        return fresh.to(x.dtype)

    return draw


def brownian(seed: int, x: Float[Tensor, "B C h w"], sigmas: Float[Tensor, " sigmas"]) -> Noise:
    """Return increments of one Brownian path over the positive sigmas of a walk.

    The path is built on the CPU in float32, whatever the device of `x`.
    """
    return _path_on(torch.device("cpu"), seed, x, sigmas)


def brownian_there(
    seed: int, x: Float[Tensor, "B C h w"], sigmas: Float[Tensor, " sigmas"]
) -> Noise:
    """Return increments of a path that is built where `x` lies.

    That is faster, but another device means another path and so another picture.
    """
    return _path_on(x.device, seed, x, sigmas)


def _path_on(
    device: torch.device,
    seed: int,
    x: Float[Tensor, "B C h w"],
    sigmas: Float[Tensor, " sigmas"],
) -> Noise:
    """Build a path of float32 on a device."""
    positive = sigmas[sigmas > 0].float().to(device)
    if len(positive) < 2:  # a walk of one step goes to 0 at once and draws nothing
        return independent(seed, x, sigmas)
    start = torch.zeros(x.shape, device=device)
    tree: Any = torchsde.BrownianTree(positive.min(), start, positive.max(), entropy=seed)

    def draw(begin: Tensor, end: Tensor) -> Tensor:
        a, b = begin.detach().float().to(device), end.detach().float().to(device)
        sign = 1.0 if a < b else -1.0
        # The tree rounds its own ends; a query must not stick out of them by a rounding.
        first, last = (round(float(time), TREE_DIGITS) for time in sorted((a, b)))
        path: Tensor = tree(first, last)
        return (sign * path / (b - a).abs().sqrt()).to(x)

    return draw


TREE_DIGITS = 6  # decimals in which the tree keeps time (its tolerance of 1e-6)

# Samplers not named here draw independently, or not at all.
NOISE_SOURCES: Mapping[str, NoiseSource] = MappingProxyType(
    {
        "dpmpp_sde": brownian,
        "dpmpp_sde_gpu": brownian_there,
        "dpmpp_2m_sde": brownian,
        "dpmpp_2m_sde_gpu": brownian_there,
        "dpmpp_2m_sde_heun": brownian,
        "dpmpp_2m_sde_heun_gpu": brownian_there,
        "dpmpp_3m_sde": brownian,
        "dpmpp_3m_sde_gpu": brownian_there,
    }
)


def noise_for(
    sampler: str, seed: int, x: Float[Tensor, "B C h w"], sigmas: Float[Tensor, " sigmas"]
) -> Noise:
    """Return the source of fresh noise that `sampler` is defined with."""
    return NOISE_SOURCES.get(sampler, independent)(seed, x, sigmas)
