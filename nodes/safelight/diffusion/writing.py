r"""Writing models down: under the names, and in the pieces, of published files.

Reading goes through a family's tables of names; writing goes through them backwards, so a
file that is read and written again holds the same tensors, bit for bit.  What shapes cannot
tell (numbers of heads and groups, a prediction other than the family's, colours of previews,
a vocabulary of the model's own) goes into the file's metadata, and only where it differs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from safelight.diffusion.denoiser import Prediction
from safelight.diffusion.families import FAMILIES
from safelight.diffusion.family import Family
from safelight.diffusion.family_unet import HEAD_WIDTH, VAE
from safelight.diffusion.latent import Colours
from safelight.diffusion.sentences import T5Tower
from safelight.diffusion.settings import CONFIG_KEY, PREDICTION_KEY, Settings, checkpoint_metadata
from safelight.diffusion.split import ENCODERS
from safelight.diffusion.texts import ClipTower, Tower
from safelight.diffusion.tokenizer import FileTokenizer
from safelight.diffusion.unigram import T5_TOKENIZER_KEY
from safelight.diffusion.vae import AutoencoderKL
from safelight.diffusion.weights import names_in_file

STATED = {"eps": "epsilon", "v": "v"}  # as other programs write it


class UnwritableError(ValueError):
    """There is no published form for such a model, or a part of it is missing."""


@dataclass(frozen=True, eq=False)
class File:
    """What is to be written: tensors by name, and texts."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)


def of_name(name: str) -> Family:
    """Return the family called that.

    Raises:
        UnwritableError: there is none.
    """
    for family in FAMILIES:
        if family.name == name:
            return family
    raise UnwritableError(f"no published files are known for a model of {name}")


def names_of(family: Family, network: nn.Module) -> dict[str, str]:
    """Return our name of each weight of a denoiser -> its name in a file of it alone."""
    table = family.network.at("").names(_config(network))
    return names_in_file((name for name, _ in network.named_parameters()), table)


def denoiser_file(
    family: Family, network: nn.Module, prediction: Prediction, rgb: Colours | None = None
) -> File:
    """Write a denoiser, where a whole checkpoint has it."""
    config = _config(network)
    heads = getattr(config, "heads", None) if hasattr(config, "head_width") else None
    wide = getattr(config, "head_width", None)
    said = None if prediction == family.prediction else prediction
    settings = Settings(
        prediction=said,
        unet_heads=heads or _DEFAULTS.unet_heads,
        unet_head_width=None if wide == HEAD_WIDTH else wide,
        unet_groups=getattr(config, "groups", _DEFAULTS.unet_groups),
        preview_rgb=None if rgb == family.latent.rgb else rgb,
    )
    metadata = _told(settings)
    if prediction in STATED:
        metadata[PREDICTION_KEY] = STATED[prediction]
    return File(family.network.exported(network, config), metadata)


def autoencoder_file(network: nn.Module, prefix: str = "") -> File:
    """Write an autoencoder, alone or below the prefix that a checkpoint has for it.

    Raises:
        UnwritableError: it is a small one for previews.
    """
    if not isinstance(network, AutoencoderKL):
        raise UnwritableError("an autoencoder for previews has no place in a checkpoint")
    tensors = VAE.at(prefix).exported(network, network.config)
    return File(tensors, _told(Settings(vae_groups=network.config.groups)))


def text_files(towers: Mapping[str, Tower]) -> dict[str, File]:
    """Write text encoders, each in a file of its own, by the names that nodes use."""
    return {
        name: File(
            ENCODERS[name][1].exported(tower.network, _config(tower.network)),
            _texts_told({name: tower}),
        )
        for name, tower in towers.items()
    }


def checkpoint_file(
    family: Family, denoiser: File, towers: Mapping[str, Tower], vae: nn.Module
) -> File:
    """Write a whole checkpoint.

    Raises:
        UnwritableError: it lacks a text encoder that the family listens to, or the
            autoencoder is not of its kind.
    """
    lacking = [name for name, text in family.texts.items() if text.required and name not in towers]
    strange = [name for name in towers if name not in family.texts]
    if lacking or strange:
        wanted, got = ", ".join(family.texts), ", ".join(towers) or "none"
        raise UnwritableError(f"{family.name} listens to {wanted}; these text encoders are {got}")
    first_stage = autoencoder_file(vae, family.vae.prefix)
    tensors = {**denoiser.tensors, **first_stage.tensors}
    for name, tower in towers.items():
        part = family.texts[name].part
        tensors |= part.exported(tower.network, _config(tower.network))
    return File(tensors, together(denoiser, first_stage, File({}, _texts_told(towers))))


def together(*files: File) -> dict[str, str]:
    """Return the metadata of several files in one."""
    metadata: dict[str, str] = {}
    settings: dict[str, object] = {}
    for file in files:
        metadata |= file.metadata
        settings |= json.loads(file.metadata.get(CONFIG_KEY, "{}"))
    if settings:
        metadata[CONFIG_KEY] = json.dumps(settings)
    return metadata


def _texts_told(towers: Mapping[str, Tower]) -> dict[str, str]:
    """Return what shapes cannot tell of text encoders: heads, and vocabularies of their own."""
    clips = [tower for tower in towers.values() if isinstance(tower, ClipTower)]
    widths = {tower.network.config.width // tower.network.config.heads for tower in clips}
    vocabularies = (tower.tokenizer for tower in clips)
    own = next((v.to_json() for v in vocabularies if isinstance(v, FileTokenizer)), None)
    width = widths.pop() if len(widths) == 1 else HEAD_WIDTH
    metadata = _told(Settings(text_head_width=None if width == HEAD_WIDTH else width), own)
    for tower in towers.values():
        if isinstance(tower, T5Tower) and T5_TOKENIZER_KEY in tower.metadata:
            metadata[T5_TOKENIZER_KEY] = tower.metadata[T5_TOKENIZER_KEY]
    return metadata


def _told(settings: Settings, tokenizer: str | None = None) -> dict[str, str]:
    """Return metadata without what goes without saying."""
    metadata = checkpoint_metadata(settings, tokenizer)
    return {key: text for key, text in metadata.items() if text != "{}"}


def _config(network: nn.Module) -> Any:
    """Return the sizes of a network.

    Raises:
        UnwritableError: it does not tell them.
    """
    config = getattr(network, "config", None)
    if config is None:
        raise UnwritableError(f"a {type(network).__name__} does not tell its sizes")
    return config


_DEFAULTS = Settings()
