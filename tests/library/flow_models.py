"""Tiny models of Stable Diffusion 3 and Flux, whole and in parts, real in every name."""

from dataclasses import replace
from math import log
from pathlib import Path

import tokenizers
from tests.diffusion.networks import randomised
from tests.library.conftest import WORDS, tokenizer_json

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.family import Family
from safelight.diffusion.family_flow import FLUX_DEV, SD35_MEDIUM
from safelight.diffusion.flux import Flux, FluxConfig
from safelight.diffusion.mmdit import MMDiT, MMDiTConfig
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.split import ENCODERS
from safelight.diffusion.t5 import T5Config, T5Encoder
from safelight.diffusion.tables import t5_text
from safelight.diffusion.unigram import T5_TOKENIZER_KEY
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import exported, save_checkpoint

PIECES = ("<pad>", "</s>", "<unk>", "\u2581a", "\u2581cat", "\u2581hat")
L = TextConfig(vocabulary=len(WORDS), width=16, layers=2, heads=2)
G = replace(L, layers=32, width=8, heads=1, activation="gelu", pooled_width=8)
T5_SIZES = T5Config(vocabulary=len(PIECES), width=32, heads=2, head_width=8, hidden=24, layers=1)
SD3_SIZES = MMDiTConfig(side=8, width=64, depth=2, heads=1, context_width=32, pooled_width=16 + 8)
FLUX_SIZES = FluxConfig(
    width=32,
    hidden=64,
    heads=2,
    double_depth=1,
    single_depth=1,
    axes=(4, 6, 6),
    context_width=32,
    pooled_width=16,
)
SETTINGS = Settings(vae_groups=4, text_head_width=8)


def t5_json() -> str:
    """A vocabulary of three words."""
    scores = [(piece, log(0.1)) for piece in PIECES]
    inner = tokenizers.Tokenizer(tokenizers.models.Unigram(scores, 2, byte_fallback=False))
    words = tokenizers.pre_tokenizers
    inner.pre_tokenizer = words.Sequence(
        [words.WhitespaceSplit(), words.Metaspace("\u2581", prepend_scheme="always")]
    )
    return inner.to_str()


def metadata() -> dict[str, str]:
    """What the files say of themselves."""
    return checkpoint_metadata(SETTINGS, tokenizer_json()) | {T5_TOKENIZER_KEY: t5_json()}


def network_of(family: Family) -> MMDiT | Flux:
    """A tiny denoiser of a family, with random weights."""
    if family is FLUX_DEV:
        made: MMDiT | Flux = Flux(FLUX_SIZES)
    elif family is SD35_MEDIUM:
        made = MMDiT(replace(SD3_SIZES, normalised=True, doubled=1))
    else:
        made = MMDiT(SD3_SIZES)
    randomised(made, 1)
    return made


def autoencoder() -> AutoencoderKL:
    """A tiny autoencoder of sixteen channels."""
    made = AutoencoderKL(VAEConfig(latent_channels=16, width=8, blocks=1, groups=4, mixed=False))
    randomised(made, 3)
    return made


def written(family: Family, home: Path, texts: tuple[str, ...]) -> None:
    """Write a checkpoint of a family, and each of its parts as a file of its own."""
    models = home / "models"
    network, vae = network_of(family), autoencoder()
    tensors = family.network.exported(network, network.config)
    save_checkpoint(
        models / "diffusion_models" / "denoiser.safetensors",
        family.network.at("").exported(network, network.config),
        metadata(),
    )
    tensors |= family.vae.exported(vae, vae.config)
    lone = family.vae.at("").exported(vae, vae.config)
    save_checkpoint(models / "vae" / "vae.safetensors", lone, metadata())
    for name in texts:
        alone = ENCODERS[name][1]
        if name == "t5":
            t5 = T5Encoder(T5_SIZES)
            randomised(t5, 4)
            named = exported(t5, t5_text.table(T5_SIZES))
        else:
            encoder = TextEncoder({"l": L, "g": G}[name])
            randomised(encoder, 5)
            named = alone.exported(encoder, encoder.config)
        save_checkpoint(models / "text_encoders" / f"{name}.safetensors", named, metadata())
        prefix = family.texts[name].part.prefix if name in family.texts else ""
        tensors |= {prefix + key: tensor for key, tensor in named.items()}
    save_checkpoint(models / "checkpoints" / "whole.safetensors", tensors, metadata())
