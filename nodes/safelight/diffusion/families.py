r"""Families: which published model is this file, and how is it put together?

Each family is one row of data (`family.Family`), kept with its like in a module
`family_*`.  `identify` finds the single row whose marks a file's denoiser carries; a
`Bundle` then assembles the networks, each when it is first asked for.

To support another family, add a row (and tables for names not yet known).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.containers import open_container
from safelight.diffusion.denoiser import LatentModel, Prediction
from safelight.diffusion.family import Family, below
from safelight.diffusion.family_flow import FLOW_FAMILIES
from safelight.diffusion.family_unet import (
    DIFFUSERS_VAE,
    SD1_FAMILY,
    UNET_FAMILIES,
    VAE,
    sd1_single_file,
)
from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.schedule import Schedule
from safelight.diffusion.settings import Settings
from safelight.diffusion.taesd import TinyAutoencoder
from safelight.diffusion.taesd_file import holds_tiny, load_tiny
from safelight.diffusion.texts import Texts, Tower
from safelight.diffusion.tokenizer import Tokenizer, clip_tokenizer
from safelight.diffusion.unet import UNet
from safelight.diffusion.vae import AutoencoderKL
from safelight.diffusion.weights import Checkpoint, CheckpointError, MisfitError, open_checkpoint

__all__ = [
    "FAMILIES",
    "SD1_FAMILY",
    "Bundle",
    "identify",
    "load_checkpoint",
    "load_vae",
    "sd1_single_file",
]

FAMILIES: Sequence[Family] = (*UNET_FAMILIES, *FLOW_FAMILIES)
# How names of tensors end in files that only change a model.
LORA = (".lora_down.weight", ".lora_A.weight", ".lora.down.weight", ".hada_w1_a", ".lokr_w1")
NETWORK = "model.diffusion_model."  # where a file with several networks keeps the denoiser


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model file opened: its family and its networks, each assembled when first asked for."""

    checkpoint: Checkpoint
    family: Family
    settings: Settings
    tokenizer_folders: Sequence[Path] = field(default=())

    @cached_property
    def network(self) -> nn.Module:
        """The denoising network, its tensors mapped from the file."""
        network: nn.Module = self.family.network.load(self.checkpoint, self.settings)
        return network

    @cached_property
    def texts(self) -> Texts:
        """The text encoders that the file holds; `Texts.lacking` says if some are missing."""
        towers: dict[str, Tower] = {}
        lacking: list[str] = []
        for name, text in self.family.texts.items():
            if text.part.lies_in(self.checkpoint.shapes):
                network = text.part.load(self.checkpoint, self.settings)
                towers[name] = text.tower(network, self.checkpoint, self.tokenizer_folders)
            elif text.required:
                lacking.append(f"{text.part.prefix}*")
        reason = f"{self.checkpoint.path}: it holds no text encoder ({', '.join(lacking)})"
        return Texts(towers, self.family.join, reason if lacking else "")

    @cached_property
    def vae(self) -> AutoencoderKL:
        """The autoencoder, its tensors mapped from the file."""
        return self.family.vae.load(self.checkpoint, self.settings)

    @property
    def unet(self) -> UNet:
        """The denoising network of a family that has a U-Net."""
        return _of(UNet, self.network)

    @property
    def text_encoder(self) -> TextEncoder:
        """The first text encoder, one of CLIP's."""
        return _of(TextEncoder, next(iter(self.texts.towers.values())).network)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer: the file's own, or CLIP's from the tokenizer folders."""
        return clip_tokenizer(self.checkpoint.metadata, self.tokenizer_folders)

    @property
    def prediction(self) -> Prediction:
        """What the network predicts: as the file says or shows, or by the family's rule."""
        said = self.settings.prediction or self.family.tell(self.checkpoint)
        return said or self.family.prediction

    @cached_property
    def schedule(self) -> Schedule:
        """The noise levels the network was trained on."""
        return self.family.schedule()

    @cached_property
    def latent(self) -> LatentFormat:
        """How latents are scaled, and how to preview them."""
        own = self.settings
        return self.family.latent.with_preview(own.preview_rgb, own.preview_decoder)

    def model(self, network: nn.Module | None = None) -> LatentModel:
        """Return the network (or a `resident` copy of it) ready to denoise."""
        own = network or self.network
        listen, name = self.family.listen, self.family.name
        return LatentModel(own, self.schedule, self.prediction, _dtype(own), listen, name)


def identify(checkpoint: Checkpoint, prefix: str = NETWORK) -> Family:
    """Return the one family whose marks the file carries below `prefix`.

    Raises:
        CheckpointError: none does, or more than one; names the candidates.
    """
    denoiser = below(prefix, checkpoint.shapes)
    matching = [family for family in FAMILIES if family.matches(denoiser)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = ", ".join(family.name for family in matching)
        raise CheckpointError(checkpoint.path, f"it could be any of these: {names}")
    if any(name.endswith(LORA) for name in checkpoint.shapes):
        raise CheckpointError(
            checkpoint.path, "this is a LoRA, not a model; open it with Load LoRA"
        )
    known = ", ".join(family.name for family in FAMILIES)
    marks = ", ".join(dict.fromkeys(mark for family in FAMILIES for mark in family.marks))
    place = f"below {prefix} " if prefix else ""
    raise CheckpointError(
        checkpoint.path,
        f"none of its {len(checkpoint.shapes)} tensors mark it as a model known here; known are "
        f"{known}; they are told apart by the tensors {place}named {marks}",
    )


def load_checkpoint(path: Path, tokenizer_folders: Sequence[Path] = ()) -> Bundle:
    """Open a single-file checkpoint; nothing is read but its header.

    Raises:
        CheckpointError: it cannot be opened, is of no known family, or holds tensors that
            belong to nothing.
    """
    return bundle(open_container(path), tokenizer_folders)


def bundle(checkpoint: Checkpoint, tokenizer_folders: Sequence[Path] = ()) -> Bundle:
    """Find the family of an opened file.

    Raises:
        CheckpointError: it is of no known family, or holds tensors that belong to nothing.
    """
    family = identify(checkpoint)
    strays = [
        name
        for name in checkpoint.shapes
        if not name.startswith(family.homes) and not family.ignored.fullmatch(name)
    ]
    if strays:
        misfits = MisfitError(f"{name}: unknown to {family.name}" for name in sorted(strays))
        raise CheckpointError(checkpoint.path, str(misfits))
    return Bundle(checkpoint, family, Settings.read(checkpoint), tokenizer_folders)


def load_vae(path: Path) -> AutoencoderKL | TinyAutoencoder:
    """Open the autoencoder of a file that holds one alone, or of a whole checkpoint.

    A tiny one may be in two files that lie side by side; either names both.

    Raises:
        CheckpointError: the file cannot be opened or holds no autoencoder known here.
    """
    checkpoint = open_checkpoint(path)
    if holds_tiny(checkpoint.shapes):
        return load_tiny(checkpoint)
    for name, part in DIFFUSERS_VAE.items():
        if name in checkpoint.shapes:
            return part.load(checkpoint, Settings.read(checkpoint))
    for prefix in ("", *dict.fromkeys(family.vae.prefix for family in FAMILIES)):
        if f"{prefix}decoder.conv_in.weight" in checkpoint.shapes:
            return VAE.at(prefix).load(checkpoint, Settings.read(checkpoint))
    raise CheckpointError(path, "it holds no autoencoder known here (decoder.conv_in.weight)")


def _of(kind: type[Any], network: nn.Module) -> Any:
    """Return the network if it is of that kind.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(network, kind):
        raise TypeError(f"the family has a {type(network).__name__} and no {kind.__name__}")
    return network


def _dtype(network: nn.Module) -> torch.dtype:
    """Return the number format that a network's weights are in."""
    return next(network.parameters()).dtype
