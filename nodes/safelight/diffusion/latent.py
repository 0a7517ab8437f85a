r"""Latent formats: how a family scales its latents, and a quick look at them.

Diffusion wants numbers of about unit variance; an autoencoder's latents have whatever
variance it learnt.  A family therefore fixes a scale (and later ones a shift):

    l = (raw - shift) * scale                 from the autoencoder to diffusion

The channels of a latent are nearly linear in colour, so a 4 x 3 matrix and an offset,
fitted once by least squares, draw a small preview without the decoder.

Symbols: B batch, z latent channels, h w latent pixels.

Where nobody has fitted the colours, the mean of all channels gives a grey preview.

Source: Rombach et al. 2022 (arXiv:2112.10752), appendix D.1 (rescaling).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

Colours = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class LatentFormat:
    """One family's latents; `rgb` has a row for each channel and one more, the offset."""

    name: str
    channels: int
    scale: float
    shift: float
    downscale: int  # picture pixels along one side of a latent pixel
    rgb: Colours
    certain: bool = True  # False: guessed from the shape of an autoencoder alone
    decoder: str = ""  # the file of a tiny decoder that draws them (`taesd`); empty: none known

    def fits(self, wanted: "LatentFormat") -> bool:
        """Tell whether latents of this format can be taken for those of another."""
        alike = self.channels == wanted.channels and self.downscale == wanted.downscale
        return self.name == wanted.name or (alike and not (self.certain and wanted.certain))

    def guessed(self) -> "LatentFormat":
        """Return the format of an autoencoder that came alone: some family of this shape."""
        return replace(self, name=f"{self.name} or its like", certain=False)

    def to_diffusion(self, raw: Float[Tensor, "B z h w"]) -> Float[Tensor, "B z h w"]:
        """Scale what the autoencoder gave."""
        return (raw - self.shift) * self.scale

    def to_autoencoder(self, latent: Float[Tensor, "B z h w"]) -> Float[Tensor, "B z h w"]:
        """Undo `to_diffusion`."""
        return latent / self.scale + self.shift

    def preview(self, latent: Float[Tensor, "B z h w"]) -> Float[Tensor, "B h w 3"]:
        """Draw scaled latents as small pictures in 0..1, by the colour of each channel."""
        table = torch.tensor(self.rgb, dtype=torch.float32, device=latent.device)
        colours = latent.float().movedim(1, -1) @ table[:-1] + table[-1]  # B h w 3
        return ((colours + 1) / 2).clamp(0, 1)

    def with_rgb(self, rgb: Colours | None) -> "LatentFormat":
        """Return the format with colours of its own, if there are any."""
        return self if rgb is None else replace(self, rgb=rgb)

    def with_preview(self, rgb: Colours | None, decoder: str | None) -> "LatentFormat":
        """Return the format with a look of its own, if there is any.

        Who has colours of their own has an autoencoder of their own: the family's tiny decoder
        would not understand it.
        """
        if decoder is None:
            decoder = self.decoder if rgb is None else ""
        return replace(self.with_rgb(rgb), decoder=decoder)


SD1 = LatentFormat(
    name="Stable Diffusion 1",
    decoder="taesd_decoder",
    channels=4,
    scale=0.18215,  # 1 / standard deviation of the published autoencoder's latents
    shift=0.0,
    downscale=8,
    # A least-squares fit to version 1.4, from the diffusers forum: "Decoding latents to RGB
    # without upscaling" (2022).
    rgb=(
        (0.298, 0.207, 0.208),
        (0.187, 0.286, 0.173),
        (-0.158, 0.189, 0.264),
        (-0.184, -0.271, -0.473),
        (0.0, 0.0, 0.0),
    ),
)

CHANNELS = 16  # of the later autoencoders
# The mean of 16 channels of unit variance varies by 1/4; twice that fills the range of greys.
GREY: Colours = ((2 / CHANNELS, 2 / CHANNELS, 2 / CHANNELS),) * CHANNELS + ((0.0, 0.0, 0.0),)

SD3 = LatentFormat(
    name="Stable Diffusion 3",
    decoder="taesd3_decoder",
    channels=CHANNELS,
    scale=1.5305,  # this and the shift: the published model's configuration
    shift=0.0609,
    downscale=8,
    # Published with the model: github.com/Stability-AI/sd3.5, sd3_impls.py.
    rgb=(
        (-0.0645, 0.0177, 0.1052),
        (0.0028, 0.0312, 0.0650),
        (0.1848, 0.0762, 0.0360),
        (0.0944, 0.0360, 0.0889),
        (0.0897, 0.0506, -0.0364),
        (-0.0020, 0.1203, 0.0284),
        (0.0855, 0.0118, 0.0283),
        (-0.0539, 0.0658, 0.1047),
        (-0.0057, 0.0116, 0.0700),
        (-0.0412, 0.0281, -0.0039),
        (0.1106, 0.1171, 0.1220),
        (-0.0248, 0.0682, -0.0481),
        (0.0815, 0.0846, 0.1207),
        (-0.0120, -0.0055, -0.0867),
        (-0.0749, -0.0634, -0.0456),
        (-0.1418, -0.1457, -0.1259),
        (0.0, 0.0, 0.0),
    ),
)

FLUX = LatentFormat(
    name="Flux",
    decoder="taef1_decoder",
    channels=CHANNELS,
    scale=0.3611,  # this and the shift: the published model's configuration
    shift=0.1159,
    downscale=8,
    rgb=GREY,
)

SDXL = LatentFormat(
    name="Stable Diffusion XL",
    decoder="taesdxl_decoder",
    channels=4,
    scale=0.13025,  # 1 / standard deviation of the published autoencoder's latents
    shift=0.0,
    downscale=8,
    # From T. A. Vass, "Explaining the SDXL latent space" (2023), there in 0..255.
    rgb=(
        (0.471, 0.471, 0.471),
        (-0.471, -0.039, 0.078),
        (0.196, 0.118, -0.039),
        (-0.549, -0.392, -0.275),
        (0.176, 0.098, 0.020),
    ),
)


def lone_format(channels: int) -> LatentFormat:
    """Return the format of an autoencoder that came alone, as far as its channels tell."""
    return (SD3 if channels == CHANNELS else SD1).guessed()
