"""The tiny autoencoder as its author names it: numbers of a sequence of layers.

Encoder and decoder come in files of their own, whose names begin at 0; the decoder's first
layer, which only bounds the latent, has no weights.  Diffusers keeps both in one file, and
counts the decoder's from the second.
"""

from safelight.diffusion.tables import side
from safelight.diffusion.taesd import BLOCKS, LEVELS, TinyConfig
from safelight.diffusion.weights import Shapes, Table, under

BLOCK: Table = {"conv.0": "conv1", "conv.2": "conv2", "conv.4": "conv3"}
DECODER_STEM, ENCODER_STEM = 1, 0
GROW = BLOCKS + 1  # place of the convolution after a level's blocks and its enlargement
ENCODER_END = 2 + LEVELS * (BLOCKS + 1)


def decoder(first: int = 0) -> Table:
    """Return the decoder's names; `first` is taken off every number."""
    step = BLOCKS + 2  # blocks, enlargement, convolution
    start = DECODER_STEM + 2 - first  # after the stem and its relu
    table = {str(DECODER_STEM - first): "stem"}
    for level in range(LEVELS):
        at = start + level * step
        for block in range(BLOCKS):
            table |= under(str(at + block), f"levels.{level}.{block}", BLOCK)
        table[str(at + GROW)] = f"levels.{level}.{GROW}"
    end = start + LEVELS * step
    return table | under(str(end), "last", BLOCK) | {str(end + 1): "conv_out"}


def encoder() -> Table:
    """Return the encoder's names."""
    step = BLOCKS + 1
    table = {str(ENCODER_STEM): "stem", **under("1", "first", BLOCK)}
    for level in range(LEVELS):
        at = 2 + level * step
        table[str(at)] = f"levels.{level}.0"
        for block in range(1, BLOCKS + 1):
            table |= under(str(at + block), f"levels.{level}.{block}", BLOCK)
    return table | {str(ENCODER_END): "conv_out"}


def decoder_sizes(shapes: Shapes, first: int = 0) -> TinyConfig:
    """Read the sizes from a decoder's stem.

    Raises:
        KeyError: it is not there.
        ValueError: it tells no size.
    """
    stem = f"{DECODER_STEM - first}.weight"
    return TinyConfig(side(shapes, stem, 1), side(shapes, stem, 0))


def encoder_sizes(shapes: Shapes) -> TinyConfig:
    """Read the sizes from an encoder's two ends.

    Raises:
        KeyError: one is not there.
        ValueError: it tells no size.
    """
    last, stem = f"{ENCODER_END}.weight", f"{ENCODER_STEM}.weight"
    return TinyConfig(side(shapes, last, 0), side(shapes, stem, 0))


def is_decoder(shapes: Shapes) -> bool:
    """Tell whether a file holds a decoder under its author's names."""
    return "3.conv.0.weight" in shapes and f"{DECODER_STEM}.weight" in shapes


def is_encoder(shapes: Shapes) -> bool:
    """Tell whether a file holds an encoder under its author's names."""
    return "1.conv.0.weight" in shapes and f"{ENCODER_STEM}.weight" in shapes
