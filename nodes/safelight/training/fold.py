r"""Folding the scale of the latents into the autoencoder.

Diffusion wants latents of zero mean and unit deviation.  Stable Diffusion 1
multiplies its latents by 0.18215 to get there, and programs that read its
files do so too.  An autoencoder trained anew has another scale, so we change
the autoencoder instead: with m and s the mean and the deviation of each latent
channel, and S = 0.18215,

    mean'   = (mean - m) / (s S)          log-variance' = log-variance - 2 ln(s S)
    latent  = m + s S latent'

The first line goes into the 1x1 convolution after the encoder, the second into
the one before the decoder.  Pictures stay the same; S mean' has unit deviation.
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.latent import SD1
from safelight.diffusion.vae import AutoencoderKL


@torch.no_grad()
def fold_scale(
    autoencoder: AutoencoderKL,
    mean: Float[Tensor, " z"],
    std: Float[Tensor, " z"],
    scale: float = SD1.scale,
) -> AutoencoderKL:
    """Return an autoencoder of the same pictures whose latents times `scale` are standard.

    Args:
        autoencoder: left as it is.
        mean: the mean of each channel of its latents.
        std: the standard deviation of each channel of its latents.
        scale: what users of the latents will multiply them by.

    Raises:
        ValueError: if the autoencoder has no convolutions beside its latent.
    """
    folded = copy.deepcopy(autoencoder)
    unit, z = std * scale, len(mean)
    weight, bias = _convolution(folded.to_moments)
    weight[:z] /= unit[:, None, None, None]
    bias[:z] = (bias[:z] - mean) / unit
    bias[z:] -= 2 * unit.log()
    weight, bias = _convolution(folded.from_latent)
    bias += weight[:, :, 0, 0] @ mean
    weight *= unit[None, :, None, None]
    return folded


def _convolution(module: nn.Module) -> tuple[Tensor, Tensor]:
    """The weight and the bias that a scale can be folded into."""
    if not isinstance(module, nn.Conv2d) or module.bias is None:
        raise ValueError("only a convolution with a bias beside the latent can hold its scale")
    return module.weight, module.bias
