"""Writing a trained LoRA as kohya's trainer does, which every program reads.

Modules have the names of the diffusers library, dots turned into underscores,

    lora_unet_down_blocks_0_attentions_0_..._attn1_to_q . lora_down.weight [r, in]
                                                        . lora_up.weight   [out, r]
                                                        . alpha            []

and the metadata say, as texts under names that begin with `ss_`, how it was trained.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from safelight import __version__
from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.flux import Flux
from safelight.diffusion.lora_names import NUMBERS
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.tables import bfl_flux, clip_text, diffusers_unet, sd3_mmdit
from safelight.diffusion.unet import UNet
from safelight.diffusion.weights import Table, save_checkpoint
from safelight.training.adapter import Adapter
from safelight.training.loop import load
from safelight.training.lora import LoraStage, Recipe
from safelight.training.pupils import LoraPupil, Way
from safelight.training.stepwise import Plan

PREFIXES: Mapping[str, str] = {"unet": "lora_unet_", "text": "lora_te_"}
# A family -> what kohya's trainer calls it, and its architecture as in Stability AI's ModelSpec.
KNOWN_AS: Mapping[str, tuple[str, str]] = {
    "Stable Diffusion 1": ("sd_v1", "stable-diffusion-v1"),
    "Stable Diffusion 2": ("sd_v2", "stable-diffusion-v2-512"),
    "Stable Diffusion XL": ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base"),
    "Stable Diffusion 3 medium": ("sd3m", "stable-diffusion-3-medium"),
    "Stable Diffusion 3.5 medium": ("sd3.5-medium", "stable-diffusion-3.5-medium"),
    "Stable Diffusion 3.5 large": ("sd3.5-large", "stable-diffusion-3.5-large"),
    "Flux dev": ("flux1", "flux-1-dev"),
    "Flux schnell": ("flux1", "flux-1-schnell"),
}


def kohya_tensors(stage: LoraStage) -> dict[str, Tensor]:
    """Return the adapters of a stage under kohya's names, float16."""
    tensors = named(stage.unet.by_path, stage.unet.network, PREFIXES["unet"])
    if stage.text is not None:
        tensors |= named(stage.text.by_path, stage.text.network, PREFIXES["text"])
    return tensors


def pupil_tensors(pupil: LoraPupil, dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """Return what a pupil has learnt under kohya's names; text encoders are numbered from 1."""
    tensors = named(pupil.unet.by_path, pupil.unet.network, PREFIXES["unet"], dtype)
    alone = pupil.texts is None or len(pupil.texts.towers) == 1
    for tower, learner in pupil.towers.items():
        prefix = PREFIXES["text"] if alone else f"lora_te{NUMBERS[tower][0]}_"
        tensors |= named(learner.by_path, learner.network, prefix, dtype)
    return tensors


def pupil_metadata(
    family: str, rank: int, alpha: float, plan: Plan, way: Way, captions: Sequence[Sequence[str]]
) -> dict[str, str]:
    """Return how a LoRA of a family was trained, as other programs look for it."""
    base, architecture = KNOWN_AS.get(family, (family, family))
    words = Counter(word.strip(",.") for told in captions for text in told for word in text.split())
    return {
        "ss_base_model_version": base,
        "ss_v2": str(base == "sd_v2"),
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(alpha),
        "ss_steps": str(plan.steps),
        "ss_learning_rate": str(plan.rate),
        "ss_optimizer": plan.optimizer,
        "ss_seed": str(plan.seed),
        "ss_batch_size_per_device": str(plan.batch),
        "ss_num_train_images": str(len(captions)),
        "ss_min_snr_gamma": str(way.measure.min_snr),
        "ss_noise_offset": str(way.noise_offset),
        "ss_prior_loss_weight": str(way.prior),
        "ss_gradient_accumulation_steps": str(plan.parts),
        "ss_gradient_checkpointing": str(way.checkpointing),
        "ss_mixed_precision": "bf16" if plan.bfloat16 else "no",
        "ss_tag_frequency": json.dumps({"pictures": dict(words.most_common(100))}),
        "safelight.version": __version__,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{architecture}/lora",
        "modelspec.implementation": "safelight",
    }


def kohya_metadata(
    recipe: Recipe, captions: Sequence[Sequence[str]], kept: Mapping[str, Any], name: str
) -> dict[str, str]:
    """Return how a LoRA was trained, as other programs look for it."""
    words = Counter(word.strip(",.") for told in captions for text in told for word in text.split())
    figures = {key: round(value, 4) for key, value in kept["figures"].items()}
    return {
        "ss_output_name": name,
        "ss_base_model_version": "sd_v1",
        "ss_v2": "False",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(recipe.rank),
        "ss_network_alpha": str(recipe.alpha),
        "ss_steps": str(kept["step"]),
        "ss_num_train_images": str(len(captions)),
        "ss_min_snr_gamma": str(recipe.min_snr),
        "ss_noise_offset": str(recipe.noise_offset),
        "ss_prior_loss_weight": str(recipe.prior),
        "ss_gradient_accumulation_steps": str(recipe.parts),
        "ss_gradient_checkpointing": str(recipe.checkpointing),
        "ss_mixed_precision": "bf16",
        "ss_tag_frequency": json.dumps({"pictures": dict(words.most_common(100))}),
        "safelight.recipe": json.dumps(
            {"samples": kept["samples"], "minutes": round(kept["seconds"] / 60, 1), **figures}
        ),
        "safelight.version": __version__,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.implementation": "safelight",
        "modelspec.title": name,
    }


def export_lora(
    stage: LoraStage, state: Path, path: Path, metadata: Mapping[str, str], base: Path
) -> None:
    """Write the averaged adapters that a run left in `state`, with `metadata`."""
    kept = load(state)
    stage.network.load_state_dict(kept["network"] | kept["average"])
    digest = hashlib.sha256(base.read_bytes()).hexdigest()
    told = {"ss_sd_model_name": base.name, "ss_new_sd_model_hash": digest, **metadata}
    save_checkpoint(path, kohya_tensors(stage), told)


def named(
    adapters: Mapping[str, Adapter],
    network: nn.Module,
    prefix: str,
    dtype: torch.dtype = torch.float16,
) -> dict[str, Tensor]:
    """Name the tensors of one network's adapters, on the CPU."""
    theirs = {own: path for path, own in _table(network).items()}
    tensors: dict[str, Tensor] = {}
    for path, adapter in adapters.items():
        name = prefix + theirs[path].replace(".", "_")
        tensors[f"{name}.lora_down.weight"] = adapter.down.weight.detach().to("cpu", dtype)
        tensors[f"{name}.lora_up.weight"] = adapter.up.weight.detach().to("cpu", dtype)
        rank = adapter.down.weight.shape[0]
        tensors[f"{name}.alpha"] = torch.tensor(adapter.scale * rank).to(dtype)
    return tensors


def _table(network: nn.Module) -> Table:
    if isinstance(network, UNet):
        return diffusers_unet.table(network.config)
    if isinstance(network, TextEncoder):
        return clip_text.table(network.config)
    if isinstance(network, MMDiT):
        return sd3_mmdit.table(network.config)
    if isinstance(network, Flux):
        return bfl_flux.table(network.config)
    raise TypeError(f"a {type(network).__name__} has no names in files of this kind")
