"""What several nodes do with pictures: resample them, make them alike."""

import torch
from torch import Tensor

from safelight.diffusion.darkroom.geometry import repeated, same_channels
from safelight.diffusion.resample import crop_to_aspect, resize
from safelight.library.pictures import lanczos
from safelight.library.values import Image


def resampled(image: Image, height: int, width: int, method: str, *, crop: bool = False) -> Image:
    """Resize pictures, with "lanczos" in 8 bits; `crop` cuts to the new shape first."""
    planes = image.all_planes
    if crop:
        planes = crop_to_aspect(planes, height, width)
    if method == "lanczos":
        return Image(lanczos(planes.movedim(1, -1), height, width))
    return Image.from_planes(resize(planes, height, width, method))


def alike(
    first: Image, second: Image, method: str = "bilinear", *, batch: bool = True
) -> tuple[Tensor, Tensor]:
    """Return planes of one size, number of channels and, if asked, number of pictures.

    The second picture follows the first; where it has another shape it is cut.
    """
    if second.size != first.size:
        second = resampled(second, *first.size, method, crop=True)
    a, b = same_channels(first.all_planes, second.all_planes)
    return a, repeated(b, len(a)) if batch else b


def flat(colour: tuple[float, ...], batch: int, height: int, width: int) -> Tensor:
    """Return planes [batch, channels, height, width] of one colour."""
    return torch.tensor(colour)[None, :, None, None].expand(batch, -1, height, width)
