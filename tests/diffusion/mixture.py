"""A picture distribution whose best denoiser is known in closed form.

Every element is a mixture of three Gaussians with weights w, means mu and deviations s.
For x = a x_0 + sigma n:

    var_k = a^2 s_k^2 + sigma^2
    r_k   = softmax_k(ln w_k - ln(var_k)/2 - (x - a mu_k)^2 / (2 var_k))
    D     = sum_k r_k (mu_k + a s_k^2 / var_k (x - a mu_k))
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from safelight.diffusion.path import Path


@dataclass(frozen=True, eq=False)
class Mixture:
    """A denoiser for the mixture; `path` gives the picture's share a."""

    weights: Tensor
    means: Tensor
    deviations: Tensor
    path: Path

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the expected clean latent."""
        a = self.path.picture(sigma)
        axes = (-1, *[1] * (self.means.ndim - 1))
        s2 = (self.deviations**2).reshape(axes)[:, None]
        mu, logw = self.means[:, None], self.weights.log().reshape(axes)[:, None]
        var = a**2 * s2 + sigma**2
        off = x[None] - a * mu
        share = torch.softmax(logw - var.log() / 2 - off**2 / (2 * var), dim=0)
        return (share * (mu + a * s2 / var * off)).sum(0)
