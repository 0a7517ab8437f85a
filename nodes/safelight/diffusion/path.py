r"""Paths: the two ways in which a picture turns into noise.

A noisy latent is x = a x_0 + sigma n, and networks differ in what becomes of the
picture's share a while sigma grows:

    added    a = 1              noise is laid over the picture (SD 1, 2 and XL)
    faded    a = 1 - sigma      the picture fades into noise (SD 3, Flux: "rectified flow")

All that a solver needs to know of it is the ratio S = sigma / a of noise to picture, or
its logarithm turned round, lam = ln(a / sigma): half the log of the signal-to-noise
ratio, in which exponential integrators take their steps.  At sigma = 1 a faded picture
is gone, and lam is minus infinity.

Symbols: a the picture's share, sigma noise, S noise per picture, lam log of picture per
noise; B C h w latent axes.

Source: Karras et al. 2022 (arXiv:2206.00364), section 2; Liu et al. 2022
(arXiv:2209.03003), section 2; Lu et al. 2022 (arXiv:2206.00927), section 2.2.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Path:
    """How pictures turn into noise; all methods take sigmas of any shape."""

    kind: Literal["added", "faded"]

    def picture(self, sigma: Tensor) -> Tensor:
        """Return a, the share of the picture that is left."""
        return torch.ones_like(sigma) if self.kind == "added" else 1 - sigma

    def ratio(self, sigma: Tensor) -> Tensor:
        """Return S = sigma / a, the noise per picture."""
        return sigma / self.picture(sigma)

    def of_ratio(self, ratio: Tensor) -> Tensor:
        """Return the sigma at which there is `ratio` times as much noise as picture."""
        return ratio if self.kind == "added" else ratio / (1 + ratio)

    def lam(self, sigma: Tensor) -> Tensor:
        """Return lam = ln(a / sigma)."""
        return torch.log(self.picture(sigma) / sigma)

    def of_lam(self, lam: Tensor) -> Tensor:
        """Return the sigma of a lam."""
        return self.of_ratio(torch.exp(-lam))

    def noised(
        self,
        latent: Float[Tensor, "B C h w"],
        noise: Float[Tensor, "B C h w"],
        sigma: Float[Tensor, ""],
    ) -> Float[Tensor, "B C h w"]:
        """Drown a clean latent in noise up to `sigma`."""
        return self.picture(sigma) * latent + sigma * noise

    def start(
        self,
        latent: Float[Tensor, "B C h w"],
        noise: Float[Tensor, "B C h w"],
        sigma: Float[Tensor, ""],
        sigma_max: float,
    ) -> Float[Tensor, "B C h w"]:
        """Return the first state of a walk from `sigma`; an empty latent is zeros.

        At the most noise the network knows, a state of an added path has the variance
        1 + sigma^2 that noisy pictures had in training, though there is no picture in it.
        """
        at_most = math.isclose(float(sigma), sigma_max, rel_tol=1e-5)
        if self.kind == "added" and (at_most or float(sigma) > sigma_max):
            return noise * (1 + sigma**2).sqrt() + latent
        return self.noised(latent, noise, sigma)

    def end(
        self, x: Float[Tensor, "B C h w"], sigma: Float[Tensor, ""]
    ) -> Float[Tensor, "B C h w"]:
        """Return what a walk that stopped at `sigma` hands on: the picture in full.

        `noised` undoes it when the next walk takes over at the same sigma.
        """
        return x / self.picture(sigma)


ADDED = Path("added")
FADED = Path("faded")
