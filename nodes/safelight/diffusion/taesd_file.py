"""Opening tiny autoencoders: two files under their author's names, or one of diffusers.

    taesd_encoder, taesd_decoder     Stable Diffusion 1 and 2
    taesdxl_*, taesd3_*, taef1_*     XL, version 3, Flux: the same shapes, other latents

A decoder alone will do to look at latents; whoever asks for the missing half is told so.
"""

from collections.abc import Mapping
from pathlib import Path

from safelight.diffusion.family import Part
from safelight.diffusion.latent import FLUX, SD1, SD3, SDXL, LatentFormat, lone_format
from safelight.diffusion.settings import Settings
from safelight.diffusion.tables import taesd
from safelight.diffusion.taesd import TinyAutoencoder, TinyConfig, TinyDecoder, TinyEncoder
from safelight.diffusion.weights import Checkpoint, CheckpointError, Shapes, open_checkpoint

# The names under which both halves are known together -> whose latents they are of.
TINY: Mapping[str, LatentFormat] = {"taesd": SD1, "taesdxl": SDXL, "taesd3": SD3, "taef1": FLUX}

DECODER: Part[TinyConfig, TinyDecoder] = Part(
    "", lambda shapes, _: taesd.decoder_sizes(shapes), lambda _: taesd.decoder(), TinyDecoder
)
ENCODER: Part[TinyConfig, TinyEncoder] = Part(
    "", lambda shapes, _: taesd.encoder_sizes(shapes), lambda _: taesd.encoder(), TinyEncoder
)
# The same in a file of diffusers.
WHOLE_DECODER: Part[TinyConfig, TinyDecoder] = Part(
    "decoder.layers.",
    lambda shapes, _: taesd.decoder_sizes(shapes, first=1),
    lambda _: taesd.decoder(first=1),
    TinyDecoder,
)
WHOLE_ENCODER = ENCODER.at("encoder.layers.")


def load_tiny_decoder(path: Path) -> TinyDecoder:
    """Open a decoder alone, which draws scaled latents in 0..1.

    Raises:
        CheckpointError: it cannot be opened, or is no tiny decoder.
    """
    checkpoint = open_checkpoint(path)
    if not taesd.is_decoder(checkpoint.shapes):
        raise CheckpointError(path, "it holds no tiny decoder (1.weight, 3.conv.0.weight ...)")
    return DECODER.load(checkpoint, Settings())


def holds_tiny(shapes: Shapes) -> bool:
    """Tell whether a file holds a tiny autoencoder, or a half of one."""
    return (
        taesd.is_decoder(shapes) or taesd.is_encoder(shapes) or "decoder.layers.0.weight" in shapes
    )


def load_tiny(checkpoint: Checkpoint) -> TinyAutoencoder:
    """Assemble a tiny autoencoder: of diffusers, or a half with the other that lies beside it.

    Raises:
        CheckpointError: a file cannot be opened or does not fit.
    """
    shapes, path = checkpoint.shapes, checkpoint.path
    if taesd.is_decoder(shapes):
        beside = _beside(path, "decoder", "encoder")
        encoder = None if beside is None else ENCODER.load(beside, Settings())
        return _joined(path, encoder, DECODER.load(checkpoint, Settings()))
    if taesd.is_encoder(shapes):
        beside = _beside(path, "encoder", "decoder")
        decoder = None if beside is None else DECODER.load(beside, Settings())
        return _joined(path, ENCODER.load(checkpoint, Settings()), decoder)
    return _joined(
        path,
        WHOLE_ENCODER.load(checkpoint, Settings()),
        WHOLE_DECODER.load(checkpoint, Settings()),
    )


def _beside(path: Path, half: str, other: str) -> Checkpoint | None:
    """Open the file that is called as `path`, but for the other half; None if there is none."""
    place = path.with_name(path.name.replace(half, other))
    return open_checkpoint(place) if place != path and place.is_file() else None


def _joined(
    path: Path, encoder: TinyEncoder | None, decoder: TinyDecoder | None
) -> TinyAutoencoder:
    """Join both halves; their name says whose latents they are of, or else their channels."""
    (config, *_) = [half.config for half in (decoder, encoder) if half is not None]
    channels = config.latent_channels
    format = TINY.get(path.stem.partition("_")[0]) or lone_format(channels)
    return TinyAutoencoder(encoder, decoder, format).requires_grad_(False).eval()
