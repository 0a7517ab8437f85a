r"""A span of the walk: guide where it helps, and save the negative elsewhere.

    D = U + w (C - U)     from sigma_high down to sigma_low
    D = C                 before and after

At the highest noise guidance drives all pictures of a prompt to the same few compositions; at
the lowest it changes nothing that can be seen and only costs.  Outside the span the network is
asked once instead of twice.

Symbols: C guess with the prompt, U without, w scale, sigma noise.

Source: Kynkäänniemi et al. 2024 (arXiv:2404.07724), section 3.
"""

from dataclasses import replace

from safelight.diffusion.guidance import Guided


def within(denoise: Guided, high: float, low: float) -> Guided:
    """Guide only at sigmas from `high` down to `low`, both ends included."""
    return replace(denoise, span=(min(high, denoise.span[0]), max(low, denoise.span[1])))
