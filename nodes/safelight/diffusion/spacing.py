r"""Spacing: where to stop between the most noise and the least.

A solver of `steps` steps visits as many sigmas, from `top` down to `bottom`, and then 0.
Error is made where the direction bends, so the rules here differ in where they put the
short steps.  Each is a curve through both ends, read at even places u = 0 .. 1:

    exponential        ln sigma falls evenly: each step divides the noise by the same
    polyexponential    the same, with u^rho in place of u
    karras             sigma^(1/rho) falls evenly
    kl_optimal         arctan(sigma) falls evenly
    laplace            ln sigma follows the quantiles of a Laplace distribution
    linear_quadratic   sigma falls slowly along a line, then along a parabola

`variance_preserving` has its own ends, those of a continuous diffusion process.

Symbols: u place on the way, top and bottom the largest and smallest sigma.

Source: named in each function.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def exponential(steps: int, top: float, bottom: float) -> Float[Tensor, " sigmas"]:
    """Space evenly in ln sigma: each step divides the noise by the same number."""
    return polyexponential(steps, top, bottom, rho=1.0)


def polyexponential(
    steps: int, top: float, bottom: float, rho: float = 1.0
) -> Float[Tensor, " sigmas"]:
    """Space ln sigma along (1 - u)^rho; rho above 1 shortens the steps at low noise."""
    remaining = torch.linspace(1, 0, steps, dtype=torch.float64) ** rho
    sigmas = torch.exp(math.log(bottom) + remaining * (math.log(top) - math.log(bottom)))
    return ending_in_zero(sigmas)


def karras(steps: int, top: float, bottom: float, rho: float = 7.0) -> Float[Tensor, " sigmas"]:
    """Space evenly in sigma^(1/rho): short steps where detail forms, at low noise.

    Source: Karras et al. 2022 (arXiv:2206.00364), equation 5; rho = 7 is the paper's choice.
    """
    ends = top ** (1 / rho), bottom ** (1 / rho)
    return ending_in_zero(torch.linspace(*ends, steps, dtype=torch.float64) ** rho)


def kl_optimal(steps: int, top: float, bottom: float) -> Float[Tensor, " sigmas"]:
    """Space evenly in the angle arctan(sigma).

    Source: Sabour et al. 2024 (arXiv:2404.14507), section 3 (least Kullback-Leibler
    divergence between the walk and the process, for Gaussian data of unit variance).
    """
    # In single precision, like every table made so: the angle of a large sigma is rounded.
    ends = torch.tensor([top, bottom], dtype=torch.float32).atan()
    u = torch.arange(steps, dtype=torch.float32) / max(steps - 1, 1)
    angles = u * ends[1] + (1 - u) * ends[0]
    return ending_in_zero(angles.tan().double())


def linear_quadratic(steps: int, top: float, slow: float = 0.025) -> Float[Tensor, " sigmas"]:
    """Fall evenly through the first `slow` of the way in half the steps, then ever faster.

    The parabola of the second half goes on with the slope of the line and ends in 0.

    Source: Polyak et al. 2024 (arXiv:2410.13720, "Movie Gen"), section 3.4.
    """
    if steps == 1:
        return torch.tensor([top, 0.0], dtype=torch.float64)
    half = steps // 2
    slope, rest = slow / half, steps - half
    line = slope * torch.arange(steps + 1, dtype=torch.float64)
    beyond = (torch.arange(steps + 1, dtype=torch.float64) - half).clamp(min=0) / rest
    walked = line + (1 - slope * steps) * beyond**2
    sigmas = top * (1 - walked)
    sigmas[-1] = 0
    return sigmas


def laplace(
    steps: int, top: float, bottom: float, mu: float = 0.0, beta: float = 0.5
) -> Float[Tensor, " sigmas"]:
    """Space ln sigma by the quantiles of a Laplace distribution; does not end in 0.

    Most steps fall around sigma = e^mu, more so with a smaller `beta`.

    Source: Hang et al. 2024 (arXiv:2407.03297), table 1.
    """
    u = torch.linspace(0, 1, steps, dtype=torch.float64)
    width = torch.log(1 - 2 * (0.5 - u).abs() + 1e-5)  # finite at both ends
    return torch.exp(mu - beta * torch.sign(0.5 - u) * width).clamp(bottom, top)


def variance_preserving(
    steps: int, slope: float = 19.9, first: float = 0.1, stop: float = 1e-3
) -> Float[Tensor, " sigmas"]:
    """Space time evenly from 1 to `stop` in a process whose noise rate is first + slope t.

    sigma^2 = exp(slope t^2 / 2 + first t) - 1.

    Source: Song et al. 2020 (arXiv:2011.13456), appendix B (beta_min and beta_max - beta_min).
    """
    t = torch.linspace(1, stop, steps, dtype=torch.float64)
    return ending_in_zero(torch.expm1(slope * t**2 / 2 + first * t).sqrt())


def beta_quantiles(
    shares: Float[Tensor, " n"], alpha: float, beta: float, cells: int = 100_000
) -> Float[Tensor, " n"]:
    """Return where the Beta distribution has gathered the given shares of its mass.

    With x = 1 / (1 + e^-v) its density in v is x^alpha (1 - x)^beta, smooth and falling
    off on both sides, so that the trapezoid rule integrates it to seven digits.

    Raises:
        ValueError: alpha or beta is not positive.
    """
    if alpha <= 0 or beta <= 0:
        raise ValueError(f"a Beta distribution needs positive numbers, got {alpha} and {beta}")
    v = torch.linspace(-30 / alpha, 30 / beta, cells, dtype=torch.float64)
    density = torch.exp(alpha * torch.nn.functional.logsigmoid(v)) * torch.exp(
        beta * torch.nn.functional.logsigmoid(-v)
    )
    mass = torch.cumulative_trapezoid(density, v)
    mass = torch.cat([mass.new_zeros(1), mass]) / mass[-1]
    return torch.sigmoid(interpolated(shares.double(), mass, v))


def interpolated(
    at: Float[Tensor, " n"], places: Float[Tensor, " k"], values: Float[Tensor, " k"]
) -> Float[Tensor, " n"]:
    """Read a line through (places, values) at other places; `places` must rise."""
    right = torch.searchsorted(places, at).clamp(1, len(places) - 1)
    gap = places[right] - places[right - 1]
    share = (at - places[right - 1]) / gap.clamp(min=torch.finfo(gap.dtype).tiny)
    return torch.lerp(values[right - 1], values[right], share)


def ending_in_zero(sigmas: Float[Tensor, " n"]) -> Float[Tensor, " n_and_one"]:
    """Append the 0 at which the picture is clean."""
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def extended(
    sigmas: Float[Tensor, " n"], steps: int, span: tuple[float, float], way: str
) -> Float[Tensor, " m"]:
    """Cut each interval that begins within `span` (from the higher down) into several.

    `way` spaces them: "linear", "cosine" (closer at its end), "sine" (closer at its start).
    """
    shares = torch.linspace(0, 1, steps + 1, dtype=torch.float64)[1:-1]
    if way == "cosine":
        shares = torch.sin(shares * math.pi / 2)
    elif way == "sine":
        shares = 1 - torch.cos(shares * math.pi / 2)
    pieces: list[Tensor] = []
    for index in range(len(sigmas) - 1):
        here, there = sigmas[index], sigmas[index + 1]
        pieces.append(here[None])
        if span[0] >= float(here) >= span[1]:
            pieces.append((here + shares * (there - here)).to(sigmas))
    return torch.cat([*pieces, sigmas[-1:]])
