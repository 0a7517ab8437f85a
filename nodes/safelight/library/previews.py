"""What a picture looks like on the way: drawn by a tiny decoder, or by the colours of a latent."""

import io
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.memory import Placement
from safelight.diffusion.taesd import TinyDecoder
from safelight.diffusion.taesd_file import load_tiny_decoder
from safelight.diffusion.weights import CheckpointError
from safelight.graph.folders import FolderError, Folders
from safelight.library.pictures import PREVIEW_QUALITY, as_pillow, preview_jpeg

KIND = "vae_approx"
LARGEST_ON_CPU = 32 * 32  # latent pixels; beyond it a look costs as much as a step


@dataclass(frozen=True, eq=False)
class Preview:
    """How latents of a format are shown; the decoder is opened at the first look."""

    form: LatentFormat
    folders: Folders
    place: Placement

    def jpeg(self, latent: Tensor) -> bytes:
        """Draw the first of some scaled latents as a JPEG."""
        slow = self.place.device.type == "cpu" and latent[0, 0].numel() > LARGEST_ON_CPU
        if slow or self.decoder is None:
            return preview_jpeg(self.form, latent)
        place = self.place.for_pictures
        with memory.resident(self.decoder, place) as decoder:
            drawn = decoder(memory.converted(latent[:1], place)).float().cpu()
        buffer = io.BytesIO()
        picture = as_pillow(drawn[0].clamp(0, 1).movedim(0, -1))
        picture.save(buffer, "JPEG", quality=PREVIEW_QUALITY)
        return buffer.getvalue()

    @cached_property
    def decoder(self) -> TinyDecoder | None:
        """The format's tiny decoder; None where there is none that can be used."""
        if not self.form.decoder:
            return None
        try:
            found = load_tiny_decoder(
                self.folders.resolve(KIND, f"{self.form.decoder}.safetensors")
            )
        except (FolderError, CheckpointError):
            return None  # a look is not worth a failed run
        return found if found.config.latent_channels == self.form.channels else None
