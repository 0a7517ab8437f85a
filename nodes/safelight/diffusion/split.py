"""Split files: a denoiser alone, text encoders alone.

Large models come in parts, so that what many have in common is kept once.  A denoiser's file
is recognised by the same marks as a whole checkpoint's, with or without its prefix, and under
the names of the diffusers library too.  A text
encoder's file is recognised by what is in it:

    T5        encoder blocks with relative positions
    CLIP-L    12 layers                              OpenCLIP-H 24, bigG 32

and which of them belong together, and how they are read, is the family's to say.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from safelight.diffusion.containers import open_container
from safelight.diffusion.dialect_flow import translated
from safelight.diffusion.families import NETWORK, Bundle, identify
from safelight.diffusion.family import Family, Part
from safelight.diffusion.family_flow import CLIP_G, CLIP_L, FLUX_DEV, SD3_FAMILY, T5
from safelight.diffusion.family_unet import (
    SD1_FAMILY,
    SD2_FAMILY,
    SDXL_FAMILY,
    SDXL_REFINER,
    of_diffusers,
)
from safelight.diffusion.settings import Settings
from safelight.diffusion.tables import reach
from safelight.diffusion.texts import Texts, Tower
from safelight.diffusion.weights import Checkpoint, CheckpointError, Shapes

# A text encoder's short name -> what to call it, and how to read a file of it alone.
ENCODERS: Mapping[str, tuple[str, Part[Any, Any]]] = MappingProxyType(
    {
        "l": ("CLIP-L", CLIP_L.at("")),
        "h": ("OpenCLIP-H", CLIP_G.at("")),
        "g": ("OpenCLIP-bigG", CLIP_G.at("")),
        "t5": ("T5", T5.at("")),
    }
)
# What nodes call the families in whose way text encoders are to be read.
KINDS: Mapping[str, Sequence[Family]] = MappingProxyType(
    {
        "stable_diffusion": (SD1_FAMILY, SD2_FAMILY, SDXL_FAMILY, SDXL_REFINER),
        "sdxl": (SDXL_FAMILY,),
        "sd3": (SD3_FAMILY,),
        "flux": (FLUX_DEV,),
    }
)
_LAYERS = "text_model.encoder.layers.{}.layer_norm1.weight"


@dataclass(frozen=True, eq=False)
class _File:
    """A text encoder's file, opened and recognised."""

    checkpoint: Checkpoint
    name: str


def load_denoiser(path: Path) -> Bundle:
    """Open a file with a denoiser alone; a whole checkpoint gives its denoiser.

    Transformers may also be named as in the folders of diffusers.

    Raises:
        CheckpointError: it cannot be opened, or is of no known family.
    """
    checkpoint = translated(open_container(path))
    whole = any(name.startswith(NETWORK) for name in checkpoint.shapes)
    prefix = NETWORK if whole else ""
    alone = of_diffusers(checkpoint.shapes)
    if alone is None:
        family = identify(checkpoint, prefix)
        alone = replace(family, network=family.network.at(prefix))
    return Bundle(checkpoint, alone, Settings.read(checkpoint))


def load_texts(paths: Sequence[Path], kind: str, tokenizer_folders: Sequence[Path] = ()) -> Texts:
    """Open the files of text encoders that belong together, for models of a `KINDS` name.

    The order of the files does not matter.

    Raises:
        CheckpointError: one cannot be opened, holds no text encoder known here, is there
            twice, or belongs to no family of that kind.
    """
    files = [_recognised(path) for path in paths]
    names = [file.name for file in files]
    for i, file in enumerate(files):
        if file.name in names[:i]:
            other = files[names.index(file.name)].checkpoint.path
            both = f"this is {ENCODERS[file.name][0]}, and so is {other}"
            raise CheckpointError(file.checkpoint.path, both)
    family = _family(files, kind)
    towers: dict[str, Tower] = {}
    for name, text in family.texts.items():
        for file in files:
            if file.name == name:
                part = ENCODERS[name][1]
                network = part.load(file.checkpoint, Settings.read(file.checkpoint))
                towers[name] = text.tower(network, file.checkpoint, tokenizer_folders)
    lacking = [
        ENCODERS[name][0] for name, text in family.texts.items()
        if text.required and name not in towers
    ]  # fmt: skip
    reason = f"{family.name} also listens to {' and '.join(lacking)}, which was not opened"
    return Texts(towers, family.join, reason if lacking else "")


def _recognised(path: Path) -> _File:
    """Open a file and tell which text encoder it holds."""
    checkpoint = open_container(path)
    name = _name(checkpoint.shapes)
    if name is None:
        known = ", ".join(title for title, _ in ENCODERS.values())
        raise CheckpointError(path, f"it holds no text encoder known here ({known})")
    return _File(checkpoint, name)


def _name(shapes: Shapes) -> str | None:
    """Return the short name of the text encoder with these tensors."""
    if any(re.fullmatch(r"encoder\.block\.0\..*relative_attention_bias.*", n) for n in shapes):
        return "t5"
    layers = reach(shapes, _LAYERS)
    if not layers:
        return None
    return "l" if layers <= 12 else "h" if layers <= 24 else "g"


def _family(files: Sequence[_File], kind: str) -> Family:
    """Return the first family of a kind that listens to all of these text encoders."""
    for family in KINDS[kind]:
        if all(file.name in family.texts for file in files):
            return family
    names = " and ".join(ENCODERS[file.name][0] for file in files)
    families = " or ".join(family.name for family in KINDS[kind])
    reason = f"{names} is not what {families} listens to"
    raise CheckpointError(files[0].checkpoint.path, reason)
