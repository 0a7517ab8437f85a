"""What several nodes do with two latents: see that they fit together."""

from torch import Tensor

from safelight.diffusion.darkroom.geometry import repeated
from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.resample import crop_to_aspect, resize
from safelight.library.values import FormatMismatch, Latent


def together(first: Latent, second: Latent) -> tuple[Tensor, Tensor, LatentFormat | None]:
    """Return both samples and the format they share; an empty latent takes the other's.

    Raises:
        FormatMismatch: they are latents of two families.
    """
    form = first.format or second.format
    if form is None:
        return first.samples, second.samples, None
    if second.format is not None and not second.format.fits(form):
        raise FormatMismatch(
            f"the first latent is of {form.name}, the second of {second.format.name}"
        )
    return first.fitting(form, "other latent"), second.fitting(form, "other latent"), form


def matched(
    first: Latent, second: Latent, method: str = "bilinear"
) -> tuple[Tensor, Tensor, LatentFormat | None]:
    """Return both samples with the second resized (cut to shape) and repeated to the first.

    Raises:
        FormatMismatch: they are latents of two families.
    """
    a, b, form = together(first, second)
    return a, repeated(resized_to(a, b, method), len(a)), form


def resized_to(a: Tensor, b: Tensor, method: str = "bilinear") -> Tensor:
    """Return `b` in the height and width of `a`, cut to its shape first."""
    if a.shape[2:] == b.shape[2:]:
        return b
    height, width = a.shape[2:]
    return resize(crop_to_aspect(b, height, width), height, width, method)
