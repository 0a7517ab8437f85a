r"""Diffusers folders: a model whose parts lie in folders of their own.

    model_index.json         what the parts are
    unet/ or transformer/    the denoiser, in one file or several with an index
    vae/                     the autoencoder
    text_encoder/, _2/, _3/  the text encoders
    tokenizer/, _2/, _3/     their vocabularies
    scheduler/               how it was trained: noise, velocity or flow

Of each part the file without an "fp16" in its name is preferred, and only safetensors are
read.  What the parts are is read from their tensors, as everywhere.

Source: huggingface.co/docs/diffusers, "Model files and layouts".
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from safelight.diffusion.containers import INDEX
from safelight.diffusion.families import Bundle, load_vae
from safelight.diffusion.split import KINDS, load_denoiser, load_texts
from safelight.diffusion.texts import Texts
from safelight.diffusion.vae import AutoencoderKL
from safelight.diffusion.weights import CheckpointError

DENOISERS = ("unet", "transformer")
TEXTS = ("text_encoder", "text_encoder_2", "text_encoder_3")
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
V_PREDICTION = "v_prediction"


def load_folder(
    listing: Path, tokenizer_folders: tuple[Path, ...] = ()
) -> tuple[Bundle, Texts, AutoencoderKL]:
    """Open a model by its `model_index.json`: denoiser, text encoders, autoencoder.

    Raises:
        CheckpointError: a part is missing, cannot be opened, or is of no known family.
    """
    root = listing.parent
    place = next((root / name for name in DENOISERS if (root / name).is_dir()), None)
    if place is None:
        raise CheckpointError(listing, f"beside it is no folder {' or '.join(DENOISERS)}")
    bundle = load_denoiser(weights_in(place))
    if _prediction(root) == V_PREDICTION:
        bundle = replace(bundle, settings=replace(bundle.settings, prediction="v"))
    files = [weights_in(root / name) for name in TEXTS if (root / name).is_dir()]
    vocabularies = (root / name for name in TOKENIZERS if (root / name).is_dir())
    texts = load_texts(files, kind_of(bundle.family.name), (*vocabularies, *tokenizer_folders))
    vae = load_vae(weights_in(root / "vae"))
    assert isinstance(vae, AutoencoderKL)
    return bundle, texts, vae


def weights_in(folder: Path) -> Path:
    """Return the file with the weights of a part, or the index of several.

    Raises:
        CheckpointError: there is none.
    """
    found = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    indices = sorted(folder.glob(f"*.safetensors{INDEX}")) if folder.is_dir() else []
    whole = [path for path in found if "-of-" not in path.name]
    chosen = [*whole, *indices]
    if not chosen:
        raise CheckpointError(folder, "there is no safetensors file of weights in this folder")
    return min(chosen, key=lambda path: ("fp16" in path.name, path.name))


def kind_of(family: str) -> str:
    """Return which text encoders a family listens to, by the name that nodes use."""
    for kind, families in KINDS.items():
        if any(family == known.name for known in families):
            return kind
    return "flux" if family.startswith("Flux") else "sd3"


def _prediction(root: Path) -> str:
    """Return what the scheduler's settings say that the network predicts, if anything."""
    path = root / "scheduler" / "scheduler_config.json"
    try:
        said: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(said.get("prediction_type", "")) if isinstance(said, dict) else ""
