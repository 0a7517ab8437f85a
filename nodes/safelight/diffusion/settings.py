"""What a checkpoint says about itself in its metadata, where shapes cannot tell.

A safetensors file may carry texts beside its tensors.  Ours are:

    safelight.config       JSON of `Settings`: only what differs from the family's rule
    safelight.tokenizer    the JSON of a `tokenizers` tokenizer
    safelight.*            anything for people: name, licence, recipe, date

Published files carry none of these and get the defaults.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import get_args

from safelight.diffusion.denoiser import Prediction
from safelight.diffusion.latent import Colours
from safelight.diffusion.tokenizer import TOKENIZER_KEY
from safelight.diffusion.weights import Checkpoint, CheckpointError

CONFIG_KEY = "safelight.config"
# Where files of others say what their network predicts: github.com/Stability-AI/ModelSpec.
PREDICTION_KEY = "modelspec.prediction_type"
PREDICTIONS: Mapping[str, Prediction] = {"epsilon": "eps", "eps": "eps", "v": "v"}
COUNTS = (
    "unet_heads",
    "unet_head_width",
    "unet_groups",
    "vae_groups",
    "text_heads",
    "text_head_width",
    "vision_heads",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one file; the defaults are Stable Diffusion 1's."""

    prediction: Prediction | None = None  # None: what the family predicts
    unet_heads: int = 8
    unet_head_width: int | None = None  # instead of heads, in families that have it; None: 64
    unet_groups: int = 32
    vae_groups: int = 32
    text_heads: int | None = None  # None: as many as their width allows
    text_head_width: int | None = None  # None: 64
    vision_heads: int | None = None  # None: 16, as in every published tower
    preview_rgb: Colours | None = None  # a row per latent channel, then the offset
    preview_decoder: str | None = None  # a tiny decoder by its file's name without suffix

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> "Settings":
        """Read the settings of a file.

        Raises:
            CheckpointError: they are not a JSON object, or hold unknown names or values.
        """
        text = checkpoint.metadata.get(CONFIG_KEY, "{}")
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise CheckpointError(checkpoint.path, f"its {CONFIG_KEY} is not JSON") from error
        if not isinstance(raw, dict):
            raise CheckpointError(checkpoint.path, f"its {CONFIG_KEY} is not a JSON object")
        problems = _problems(raw)
        if problems:
            reason = f"its {CONFIG_KEY} is not understood: {'; '.join(problems)}"
            raise CheckpointError(checkpoint.path, reason)
        if raw.get("preview_rgb") is not None:
            raw["preview_rgb"] = tuple(tuple(row) for row in raw["preview_rgb"])
        stated = checkpoint.metadata.get(PREDICTION_KEY, "")
        raw.setdefault("prediction", PREDICTIONS.get(stated))
        return cls(**raw)

    def to_json(self) -> str:
        """Write only what differs from the defaults."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps({name: value for name, value in own.items() if value != _DEFAULTS[name]})


_DEFAULTS: Mapping[str, object] = {f.name: f.default for f in fields(Settings)}


def checkpoint_metadata(
    settings: Settings, tokenizer_json: str | None = None, about: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the metadata of a checkpoint; `about` is for people ("name", "licence" ...)."""
    metadata = {f"safelight.{key}": text for key, text in (about or {}).items()}
    metadata[CONFIG_KEY] = settings.to_json()
    if tokenizer_json is not None:
        metadata[TOKENIZER_KEY] = tokenizer_json
    return metadata


def _problems(raw: Mapping[str, object]) -> list[str]:
    """Name every setting that is unknown or has an impossible value."""
    problems = [f"unknown setting {name!r}" for name in raw if name not in _DEFAULTS]
    for name in COUNTS:
        value = raw.get(name)
        if value is not None and (type(value) is not int or value < 1):
            problems.append(f"{name} should be a whole number above 0, got {value!r}")
    prediction = raw.get("prediction")
    if prediction is not None and prediction not in get_args(Prediction):
        wanted = " or ".join(repr(name) for name in get_args(Prediction))
        problems.append(f"prediction should be {wanted}, got {prediction!r}")
    rgb = raw.get("preview_rgb")
    if rgb is not None and not _is_colours(rgb):
        problems.append("preview_rgb should be rows of three numbers, one more than channels")
    decoder = raw.get("preview_decoder")
    if decoder is not None and not isinstance(decoder, str):
        problems.append(f"preview_decoder should be the name of a file, got {decoder!r}")
    return problems


def _is_colours(value: object) -> bool:
    """Tell whether a JSON value is a table of four or more rows of three numbers."""
    return isinstance(value, list) and all(
        isinstance(row, list)
        and len(row) == 3
        and all(isinstance(number, int | float) for number in row)
        for row in value
    )
