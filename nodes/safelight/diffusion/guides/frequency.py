r"""Frequencies: guide large shapes and fine texture by different amounts.

    C' = U + IFFT(m FFT(C - U))         m = low within k of the zero frequency, high beyond

Low frequencies of the difference decide what is where, high ones how crisp it is; a little
more of the latter sharpens without changing the picture.

Symbols: C guess with the prompt, U without; k half the side of the square of low frequencies.

Source: Huang et al. 2025 (arXiv:2504.02154), section 3.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.guidance import Guided, Look


def frequency_scaled(denoise: Guided, low: float, high: float, cutoff: int) -> Guided:
    """Multiply the low and the high frequencies of the difference; at 1 and 1 nothing changes."""

    def scale(look: Look) -> Look:
        difference = filtered(look.wanted - look.unwanted, low, high, cutoff)
        return replace(look, wanted=look.unwanted + difference)

    return denoise if low == high == 1 else replace(denoise, before=(*denoise.before, scale))


def filtered(
    x: Float[Tensor, "B C h w"], low: float, high: float, cutoff: int
) -> Float[Tensor, "B C h w"]:
    """Multiply the square of frequencies below `cutoff` by `low`, the others by `high`."""
    spectrum = torch.fft.fftshift(torch.fft.fft2(x.float()), dim=(-2, -1))
    mask = torch.full(x.shape[-2:], high, device=x.device)
    top, left = (max(side // 2 - cutoff, 0) for side in mask.shape)
    mask[top : mask.shape[0] // 2 + cutoff, left : mask.shape[1] // 2 + cutoff] = low
    back = torch.fft.ifft2(torch.fft.ifftshift(spectrum * mask, dim=(-2, -1)))
    return back.real.to(x.dtype)
