"""What travels on wires: each kind of value is one frozen class, and its `wire` is its name.

A value carries what is needed to interpret it: a latent knows which family's format it has,
a model which family it belongs to, so that what does not fit is refused with both names.
Pictures are float32 tensors in 0..1 with the channels last, as other programs expect them.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from safelight.diffusion import conditioning
from safelight.diffusion.change import Change, Moment
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import Technique
from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.taesd import TinyAutoencoder
from safelight.diffusion.texts import Texts
from safelight.diffusion.vae import AutoencoderKL

SOME = 64  # latent pixels along a latent on which changes are tried


class FormatMismatch(ValueError):
    """A latent was given to a model or an autoencoder of another family."""


@dataclass(frozen=True, eq=False)
class Model:
    """A network, how to read its answers, and the format of the latents it works on."""

    wire: ClassVar[str] = "MODEL"
    network: nn.Module
    denoiser: LatentModel
    format: LatentFormat
    family: str
    changes: tuple[Change, ...] = ()  # to what the network computes
    guidance: tuple[Technique, ...] = ()  # beyond the plain one; in the order they were added
    edge: float = 0.0  # how far masks are read as levels of noise; see `inpainting`
    precision: str | None = None  # the number format to compute in; None: as everywhere

    def changed(self, change: Change) -> "Model":
        """Return it with a network that computes otherwise.

        Raises:
            CannotChange: the network has no part that could be changed so.
        """
        change(self.network, Moment(SOME, SOME, torch.zeros(1)))
        return replace(self, changes=(*self.changes, change))

    def guided(self, technique: Technique) -> "Model":
        """Return it with guidance that does something more."""
        return replace(self, guidance=(*self.guidance, technique))


@dataclass(frozen=True, eq=False)
class Clip:
    """The text encoders of a model, with their tokenizers."""

    wire: ClassVar[str] = "CLIP"
    texts: Texts


@dataclass(frozen=True, eq=False)
class Vae:
    """An autoencoder and the format of the latents it makes."""

    wire: ClassVar[str] = "VAE"
    network: AutoencoderKL | TinyAutoencoder
    format: LatentFormat


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What a sampler is told."""

    wire: ClassVar[str] = "CONDITIONING"
    whole: conditioning.Conditioning


@dataclass(frozen=True, eq=False)
class Latent:
    """Latents as the autoencoder gives them (unscaled), float32 [B, C, h, w] on the CPU.

    `format` is None for an empty latent, which fits every family.
    """

    wire: ClassVar[str] = "LATENT"
    samples: Tensor
    format: LatentFormat | None = None
    mask: Tensor | None = None  # [B, H, W] of any size: 1 where to paint anew; None: everywhere
    batch_index: tuple[int, ...] | None = None  # whose noise each takes; None: 0, 1, 2 ...

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of each latent, by which its noise is drawn."""
        return self.batch_index or tuple(range(len(self.samples)))

    def fitting(self, wanted: LatentFormat, user: str) -> Tensor:
        """Return the samples for `user`, a model or an autoencoder of that format.

        An empty latent takes on the number of channels that is wanted, and is zero in the
        scale of diffusion.

        Raises:
            FormatMismatch: they are latents of another family.
        """
        if self.format is None:
            batch, _, height, width = self.samples.shape
            return self.samples.new_full((batch, wanted.channels, height, width), wanted.shift)
        if not self.format.fits(wanted):
            raise FormatMismatch(
                f"this latent is of {self.format.name}, but the {user} is of {wanted.name}"
            )
        return self.samples

    def with_samples(self, samples: Tensor, format: LatentFormat | None = None) -> "Latent":
        """Return the same kind of latent with other samples, perhaps of a format now known."""
        return replace(self, samples=samples, format=format or self.format)

    def with_mask(self, mask: "Mask") -> "Latent":
        """Return the same latent, to be painted anew where the mask is 1."""
        return replace(self, mask=mask.pixels)


@dataclass(frozen=True, eq=False)
class Image:
    """Pictures, float32 [B, H, W, 3] in 0..1, or with opacity as a fourth channel."""

    wire: ClassVar[str] = "IMAGE"
    pixels: Tensor

    @classmethod
    def from_planes(cls, planes: Tensor) -> "Image":
        """Take pictures [B, 3 or 4, H, W] in 0..1, clamping what lies a little beyond."""
        return cls(planes.float().clamp(0, 1).movedim(1, -1).contiguous().cpu())

    @property
    def planes(self) -> Tensor:
        """The pictures as networks want them: [B, 3, H, W]."""
        return self.pixels[..., :3].movedim(-1, 1)

    @property
    def all_planes(self) -> Tensor:
        """The same with opacity as a fourth channel, if there is one: [B, 3 or 4, H, W]."""
        return self.pixels.movedim(-1, 1)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]


@dataclass(frozen=True, eq=False)
class Mask:
    """Where something applies, float32 [B, H, W]: 1 there, 0 elsewhere."""

    wire: ClassVar[str] = "MASK"
    pixels: Tensor


def size_in_bytes(value: object) -> int:
    """Return about how much memory a value on a wire keeps alive.

    Networks count for nothing here: they are mapped from their files.
    """
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, tuple | list):
        return 64 + sum(size_in_bytes(part) for part in value)
    if isinstance(value, Latent):
        return size_in_bytes((value.samples, value.mask))
    if isinstance(value, Image | Mask):
        return size_in_bytes(value.pixels)
    if isinstance(value, Conditioning):
        told = value.whole
        hints = [control.hint for control in told.control]
        return sum(size_in_bytes(part) for part in (told.tokens, told.pooled, told.beside, hints))
    return len(value) + 64 if isinstance(value, str | bytes) else 64


def empty_latent(batch: int, height: int, width: int) -> Latent:
    """Return latents without a picture: zeros of a size in latent pixels."""
    return Latent(torch.zeros(batch, 4, height, width))
