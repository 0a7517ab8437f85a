"""The rows of the families whose denoiser is a U-Net: Stable Diffusion 1, 2 and XL.

They share one autoencoder's shape and differ in what they listen to:

    version 1        CLIP-L's 77 vectors
    version 2        OpenCLIP-H's, one layer before the last; some models answer with v
    XL               CLIP-L's and OpenCLIP-bigG's side by side, bigG's pooled vector, sizes
    XL's refiner     bigG's alone, and how beautiful the picture is

Each also exists for inpainting, with five more channels beside the latent: where to paint
(1 there), and what is seen of the picture elsewhere.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.denoiser import Prediction
from safelight.diffusion.family import Family, Mark, Part, TextPart
from safelight.diffusion.hearing import (
    hear_editing,
    hear_inpainting,
    hear_inpainting_xl,
    hear_refiner,
    hear_xl,
    join_refiner,
    join_xl,
)
from safelight.diffusion.latent import SD1, SDXL
from safelight.diffusion.settings import Settings
from safelight.diffusion.tables import (
    clip_text,
    diffusers_unet,
    diffusers_vae,
    ldm_unet,
    ldm_vae,
    openclip_text,
)
from safelight.diffusion.texts import ClipTower, Tower, alone
from safelight.diffusion.tokenizer import clip_tokenizer
from safelight.diffusion.tokens import Reading
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import Checkpoint, Shapes

NETWORK = "model.diffusion_model."
FIRST_STAGE = "first_stage_model."
TEXT = "cond_stage_model.transformer."
HEAD_WIDTH = 64  # of the U-Nets of version 2 and XL

# Left-overs of training outside all networks: a running average of the U-Net, kept for more
# training; the schedule, worked out; how alike pictures and captions should be; a flag.
LEFT_OVERS = re.compile(
    r"model_ema\..*|(alphas|betas|log_one_minus|posterior|sqrt)[a-z0-9_]*"
    r"|(cond_stage_model|conditioner\.embedders\.\d)\.logit_scale|denoiser\.sigmas|v_pred"
)
# Inside text encoders: 0, 1, 2 ... written down; which word may hear which.
TEXT_LEFT_OVERS = re.compile(r"text_model\.embeddings\.position_ids|logit_scale|attn_mask")
# How version 2's v models are told from its others, as other programs do: the spread of one
# bias, which lies well below this in models that predict noise.
V_SPREAD = 0.09
V_TENSOR = f"{NETWORK}output_blocks.11.1.transformer_blocks.0.norm1.bias"
V_FLAG = "v_pred"  # an empty tensor by which fine-tunes of XL say that they answer with v


def _sizes_1(shapes: Shapes, s: Settings) -> UNetConfig:
    """Version 1 has as many heads at every level."""
    return ldm_unet.sizes(shapes, heads=s.unet_heads, groups=s.unet_groups)


def _sizes_2(shapes: Shapes, s: Settings) -> UNetConfig:
    """Later versions have heads of the same width at every level."""
    width = s.unet_head_width or HEAD_WIDTH
    return ldm_unet.sizes(shapes, heads=s.unet_heads, groups=s.unet_groups, head_width=width)


def _sizes_1_diffusers(shapes: Shapes, s: Settings) -> UNetConfig:
    return diffusers_unet.sizes(shapes, heads=s.unet_heads, groups=s.unet_groups)


def _sizes_2_diffusers(shapes: Shapes, s: Settings) -> UNetConfig:
    width = s.unet_head_width or HEAD_WIDTH
    return diffusers_unet.sizes(shapes, heads=s.unet_heads, groups=s.unet_groups, head_width=width)


def _vae_sizes_diffusers(shapes: Shapes, s: Settings) -> VAEConfig:
    return diffusers_vae.sizes(shapes, groups=s.vae_groups)


def _clip_sizes(shapes: Shapes, s: Settings) -> TextConfig:
    return clip_text.sizes(shapes, s.text_heads, s.text_head_width)


def _openclip_sizes(shapes: Shapes, s: Settings) -> TextConfig:
    return openclip_text.sizes(shapes, s.text_heads, s.text_head_width)


def clip_tower(reading: Reading) -> Callable[[TextEncoder, Checkpoint, Sequence[Path]], Tower]:
    """Return what makes a tower of a text encoder that its family reads like this."""

    def tower(network: TextEncoder, checkpoint: Checkpoint, folders: Sequence[Path]) -> Tower:
        return ClipTower(network, clip_tokenizer(checkpoint.metadata, folders), reading)

    return tower


UNET_1 = Part(NETWORK, _sizes_1, ldm_unet.table, UNet)
UNET_2 = Part(NETWORK, _sizes_2, ldm_unet.table, UNet)
# The same networks in files of the diffusers library, which hold one each.
DIFFUSERS: Mapping[str, Part[UNetConfig, UNet]] = {
    "1": Part("", _sizes_1_diffusers, diffusers_unet.table, UNet),
    "2": Part("", _sizes_2_diffusers, diffusers_unet.table, UNet),
}
CLIP_L = Part(TEXT, _clip_sizes, clip_text.table, TextEncoder, ignored=TEXT_LEFT_OVERS)
OPENCLIP = Part(
    "cond_stage_model.model.",
    _openclip_sizes,
    openclip_text.table,
    TextEncoder,
    openclip_text.cuts,
    TEXT_LEFT_OVERS,
)
VAE = Part(
    FIRST_STAGE,
    lambda shapes, s: ldm_vae.sizes(shapes, groups=s.vae_groups),
    ldm_vae.table,
    AutoencoderKL,
    ignored=re.compile(r"(loss|model_ema)\..*"),  # the judge it learnt from
)
# The same in files of the diffusers library, by a name that tells their age.
DIFFUSERS_VAE: Mapping[str, Part[VAEConfig, AutoencoderKL]] = {
    "decoder.mid_block.attentions.0.to_q.weight": Part(
        "", _vae_sizes_diffusers, diffusers_vae.table, AutoencoderKL, diffusers_vae.cuts
    ),
    "decoder.mid_block.attentions.0.query.weight": Part(
        "", _vae_sizes_diffusers, diffusers_vae.old_table, AutoencoderKL, diffusers_vae.old_cuts
    ),
}


def _v_by_spread(checkpoint: Checkpoint) -> Prediction | None:
    """Look at the bias that gives version 2's v models away."""
    if V_TENSOR not in checkpoint.shapes:
        return None
    return "v" if checkpoint.tensors[V_TENSOR].float().std() > V_SPREAD else "eps"


def _v_by_flag(checkpoint: Checkpoint) -> Prediction | None:
    """Look for the flag of XL's fine-tunes."""
    return "v" if V_FLAG in checkpoint.shapes else None


def _marks(channels: int, *, linear: bool = False, vector: bool = False) -> dict[str, Mark]:
    """Return marks: channels of the stem, kind of the transformers' ends, a vector or none."""
    return {
        "input_blocks.0.0.weight": (None, channels, 3, 3),
        "middle_block.1.proj_in.weight": (None, None) if linear else (None, None, 1, 1),
        "label_emb.0.0.weight": (None, None) if vector else None,
    }


_BIG_G = Reading(skip_last=1, normed=False, padding=0)

SD1_FAMILY = Family(
    name="Stable Diffusion 1",
    marks=_marks(4),
    network=UNET_1,
    texts={"l": TextPart(CLIP_L, clip_tower(Reading()))},
    join=alone,
    vae=VAE,
    latent=SD1,
    prediction="eps",
    ignored=LEFT_OVERS,
)
SD1_INPAINT = replace(
    SD1_FAMILY, name="Stable Diffusion 1 inpaint", marks=_marks(9), listen=hear_inpainting
)
SD1_EDIT = replace(SD1_FAMILY, name="Stable Diffusion 1 edit", marks=_marks(8), listen=hear_editing)
SD2_FAMILY = Family(
    name="Stable Diffusion 2",
    marks=_marks(4, linear=True),
    network=UNET_2,
    texts={"h": TextPart(OPENCLIP, clip_tower(Reading(skip_last=1, padding=0)))},
    join=alone,
    vae=VAE,
    latent=SD1,
    prediction="eps",
    tell=_v_by_spread,
    ignored=LEFT_OVERS,
)
SD2_INPAINT = replace(
    SD2_FAMILY,
    name="Stable Diffusion 2 inpaint",
    marks=_marks(9, linear=True),
    listen=hear_inpainting,
)

# XL's base has three levels, its refiner four, whose first listens to nothing.
_BASE: dict[str, Mark] = {"input_blocks.9.0.op.weight": None}
_REFINER: dict[str, Mark] = {
    "input_blocks.9.0.op.weight": (None, None, 3, 3),
    "input_blocks.1.1.norm.weight": None,
}

SDXL_FAMILY = Family(
    name="Stable Diffusion XL",
    marks=_marks(4, linear=True, vector=True) | _BASE,
    network=UNET_2,
    texts={
        "l": TextPart(
            CLIP_L.at("conditioner.embedders.0.transformer."),
            clip_tower(Reading(skip_last=1, normed=False)),
        ),
        "g": TextPart(OPENCLIP.at("conditioner.embedders.1.model."), clip_tower(_BIG_G)),
    },
    join=join_xl,
    vae=VAE,
    latent=SDXL,
    prediction="eps",
    tell=_v_by_flag,
    listen=hear_xl,
    ignored=LEFT_OVERS,
)
SDXL_INPAINT = replace(
    SDXL_FAMILY,
    name="Stable Diffusion XL inpaint",
    marks=_marks(9, linear=True, vector=True) | _BASE,
    listen=hear_inpainting_xl,
)
SDXL_REFINER = replace(
    SDXL_FAMILY,
    name="Stable Diffusion XL refiner",
    marks=_marks(4, linear=True, vector=True) | _REFINER,
    texts={"g": TextPart(OPENCLIP.at("conditioner.embedders.0.model."), clip_tower(_BIG_G))},
    join=join_refiner,
    listen=hear_refiner,
)

UNET_FAMILIES: Sequence[Family] = (
    SD1_FAMILY,
    SD1_INPAINT,
    SD1_EDIT,
    SD2_FAMILY,
    SD2_INPAINT,
    SDXL_FAMILY,
    SDXL_INPAINT,
    SDXL_REFINER,
)


def of_diffusers(shapes: Shapes) -> Family | None:
    """Return the family of a U-Net named as diffusers does, which then loads such files."""
    marked = diffusers_unet.marked(shapes)
    matching = [family for family in UNET_FAMILIES if family.matches(marked)]
    if len(matching) != 1:
        return None
    (family,) = matching
    return replace(family, network=DIFFUSERS["1" if family.network is UNET_1 else "2"])


def single_file(
    family: Family, unet: UNet, texts: Mapping[str, TextEncoder], vae: AutoencoderKL
) -> dict[str, Tensor]:
    """Return the tensors of a family's networks under the names of a single-file checkpoint.

    `texts` has the family's text encoders by name.  Write the result with
    `weights.save_checkpoint` and `settings.checkpoint_metadata`.
    """
    tensors = family.network.exported(unet, unet.config) | family.vae.exported(vae, vae.config)
    for name, text in family.texts.items():
        tensors |= text.part.exported(texts[name], texts[name].config)
    return tensors


def sd1_single_file(unet: UNet, text_encoder: TextEncoder, vae: AutoencoderKL) -> dict[str, Tensor]:
    """Return the tensors of three networks as a checkpoint of Stable Diffusion 1 names them."""
    return single_file(SD1_FAMILY, unet, {"l": text_encoder}, vae)
