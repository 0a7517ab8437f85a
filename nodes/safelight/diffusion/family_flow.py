"""The rows of the families whose denoiser is a transformer: Stable Diffusion 3 and Flux.

They answer with the velocity of a rectified flow, on latents of 16 channels (a small one: of
4, those of Stable Diffusion 1), and differ in what they are told:

    version 3     CLIP-L's and bigG's vectors, then T5's; both pooled vectors
    Flux dev      T5's vectors, CLIP-L's pooled vector, the scale of the guidance
    Flux schnell  the same without the scale, and with four steps in mind
    Flux fill     what dev is told, with a picture and a mask as channels beside the latent
    Flux canny    (and depth) what dev is told, with an outline beside the latent

Files of version 3 may lack any of the text encoders; what is missing is taken for zeros.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.family import Family, Mark, Part, TextPart
from safelight.diffusion.family_unet import NETWORK, TEXT_LEFT_OVERS, VAE, clip_tower
from safelight.diffusion.flux import Flux
from safelight.diffusion.latent import FLUX, SD1, SD3
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.sentences import (
    FLUX_LENGTH,
    SD3_LENGTH,
    T5Tower,
    hear_beginning,
    hear_beside,
    hear_guided,
    hear_pooled,
    join_flux,
    join_sd3,
)
from safelight.diffusion.settings import Settings
from safelight.diffusion.t5 import T5Encoder
from safelight.diffusion.tables import bfl_flux, clip_text, sd3_mmdit, t5_text
from safelight.diffusion.texts import Tower, alone
from safelight.diffusion.tokens import Reading
from safelight.diffusion.weights import Checkpoint, Shapes

SD3_SHIFT = 3.0  # of all published models, for pictures of 1024 pixels
FLUX_MU = 1.15  # the shift of dev is e^mu, for pictures of 1024 pixels
FLUX_LEVELS = 10_000


def _clip_l_sizes(shapes: Shapes, s: Settings) -> TextConfig:
    """CLIP-L, whose pooled vector these families take as it is, without the projection."""
    sizes = clip_text.sizes(shapes, s.text_heads, s.text_head_width)
    return replace(sizes, pooled_width=None)


def _big_g_sizes(shapes: Shapes, s: Settings) -> TextConfig:
    """OpenCLIP's bigG under the names of transformers."""
    return clip_text.sizes(shapes, s.text_heads, s.text_head_width, activation="gelu")


def t5_tower(least: int) -> Callable[[T5Encoder, Checkpoint, Sequence[Path]], Tower]:
    """Return what makes a tower of T5 for a family that wants at least so many tokens."""

    def tower(network: T5Encoder, checkpoint: Checkpoint, folders: Sequence[Path]) -> Tower:
        return T5Tower(network, least, checkpoint.metadata, folders)

    return tower


MMDIT = Part(NETWORK, lambda shapes, s: sd3_mmdit.sizes(shapes), sd3_mmdit.table, MMDiT)
FLUX_NETWORK = Part(NETWORK, lambda shapes, s: bfl_flux.sizes(shapes), bfl_flux.table, Flux)
CLIP_L = Part(
    "text_encoders.clip_l.transformer.",
    _clip_l_sizes,
    clip_text.table,
    TextEncoder,
    ignored=re.compile(rf"{TEXT_LEFT_OVERS.pattern}|text_projection\.weight"),
)
CLIP_G = Part(
    "text_encoders.clip_g.transformer.",
    _big_g_sizes,
    clip_text.table,
    TextEncoder,
    ignored=TEXT_LEFT_OVERS,
)
T5 = Part(
    "text_encoders.t5xxl.transformer.",
    lambda shapes, s: t5_text.sizes(shapes),
    t5_text.table,
    T5Encoder,
    t5_text.cuts,
)
LEFT_OVERS = re.compile(r"text_encoders\.(clip_l|clip_g|t5xxl)\.logit_scale")

# What is seen of a latent, and whether queries and keys are normalised, or a second attention.
_NORM, _SECOND = (
    "joint_blocks.0.x_block.attn.ln_q.weight",
    "joint_blocks.0.x_block.attn2.qkv.weight",
)
_STEM: dict[str, Mark] = {"x_embedder.proj.weight": (None, 16, 2, 2), "pos_embed": (1, None, None)}

SD3_FAMILY = Family(
    name="Stable Diffusion 3 medium",
    marks=_STEM | {_NORM: None, _SECOND: None, "joint_blocks.0.x_block.attn.qkv.bias": (None,)},
    network=MMDIT,
    texts={
        "l": TextPart(CLIP_L, clip_tower(Reading(skip_last=1, normed=False)), required=False),
        "g": TextPart(
            CLIP_G, clip_tower(Reading(skip_last=1, normed=False, padding=0)), required=False
        ),
        "t5": TextPart(T5, t5_tower(SD3_LENGTH), required=False),
    },
    join=join_sd3,
    vae=VAE,
    latent=SD3,
    prediction="flow",
    schedule=lambda: FlowSchedule(SD3_SHIFT),
    listen=hear_pooled,
    ignored=LEFT_OVERS,
)
SD35_MEDIUM = replace(
    SD3_FAMILY,
    name="Stable Diffusion 3.5 medium",
    marks=_STEM | {_NORM: (None,), _SECOND: (None, None)},
)
SD35_LARGE = replace(
    SD3_FAMILY,
    name="Stable Diffusion 3.5 large",
    marks=_STEM | {_NORM: (None,), _SECOND: None},
)

# A version 3 small enough to be trained on a processor: it shares the autoencoder and the text
# encoder with a U-Net of version 1, so a file may hold it alone.
SD3_SMALL = replace(
    SD3_FAMILY,
    name="Stable Diffusion 3, small",
    marks={
        "x_embedder.proj.weight": (None, 4, 2, 2),
        "context_embedder.weight": (None, None),
        "pos_embed": (1, None, None),
    },
    texts={"l": TextPart(CLIP_L, clip_tower(Reading()))},
    join=alone,
    latent=SD1,
    schedule=lambda: FlowSchedule(1.0),
    listen=hear_beginning,
)

# Channels of a latent, of a mask at 8 x 8 pixels to a latent pixel, and pixels of a patch.
_SEEN, _MASK, _PATCH = 16, 64, 4
_TOLD = "guidance_in.in_layer.weight"


def _flux_marks(channels: int, *, told: bool = True) -> dict[str, Mark]:
    """Return marks: the channels that are seen, and whether the scale of guidance is told."""
    return {
        "img_in.weight": (None, channels * _PATCH),
        "txt_in.weight": (None, None),
        _TOLD: (None, None) if told else None,
    }


FLUX_DEV = Family(
    name="Flux dev",
    marks=_flux_marks(_SEEN),
    network=FLUX_NETWORK,
    texts={
        "l": TextPart(CLIP_L, clip_tower(Reading())),
        "t5": TextPart(T5, t5_tower(FLUX_LENGTH)),
    },
    join=join_flux,
    vae=VAE.at("vae."),
    latent=FLUX,
    prediction="flow",
    schedule=lambda: FlowSchedule(math.exp(FLUX_MU), FLUX_LEVELS, scale=1.0),
    listen=hear_guided,
    ignored=LEFT_OVERS,
)
FLUX_SCHNELL = replace(
    FLUX_DEV,
    name="Flux schnell",
    marks=_flux_marks(_SEEN, told=False),
    schedule=lambda: FlowSchedule(1.0, scale=1.0),
    listen=hear_pooled,
)

FLUX_FILL = replace(
    FLUX_DEV,
    name="Flux fill",
    marks=_flux_marks(2 * _SEEN + _MASK),
    listen=hear_beside(_SEEN, _MASK),
)
FLUX_CANNY = replace(
    FLUX_DEV,
    name="Flux canny or depth",
    marks=_flux_marks(2 * _SEEN),
    listen=hear_beside(_SEEN),
)

FLOW_FAMILIES: Sequence[Family] = (
    SD3_FAMILY,
    SD35_MEDIUM,
    SD35_LARGE,
    SD3_SMALL,
    FLUX_DEV,
    FLUX_SCHNELL,
    FLUX_FILL,
    FLUX_CANNY,
)
