"""Every published layout of LoRA files means weights of the networks it was made for."""

from pathlib import Path

import pytest
import torch
from tests.diffusion.layouts import layout, shadow

from safelight.diffusion.families import NETWORK, bundle
from safelight.diffusion.lora_file import LoraFile
from safelight.diffusion.lora_leaves import LEAVES, Leaves, changes
from safelight.diffusion.lora_names import fit, network_places, text_places

CASES = {
    "kohya-sd15-rank4": "sd15",
    "locon-sd15-rank4": "sd15",
    "peft-sd15-rank4": "sd15",
    "diffusers-sd15-rank4": "sd15",
    "kohya-sdxl-rank4": "sdxl-base",
    "diffusers-sd3-rank4": "sd3-medium",
    "diffusers-flux-rank4": "flux-dev",
    "kohya-flux-rank4": "flux-dev",
    "small-dora-in": "sd15",
    "small-dora-out": "sd15",
    "small-loha": "sd15",
    "small-loha-tucker": "sd15",
    "small-lokr": "sd15",
    "small-lokr-tucker": "sd15",
    "small-lokr-w1-factored": "sd15",
    "small-lora": "sd15",
    "small-lora-mid": "sd15",
    "small-full-diff": "sd15",
}
# Biases of projections that have none in Stable Diffusion 1.
ABSENT = {
    "small-full-diff": {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.bias",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.bias",
    }
}


def shadowed(reference: Path, name: str) -> LoraFile:
    """A LoRA of a published layout whose factors are shapes only."""
    modules: dict[str, dict[str, torch.Tensor]] = {}
    for key, shape in layout(reference, f"lora/{name}").items():
        suffix = max((end for end in LEAVES if key.endswith(end)), key=len)
        leaves = modules.setdefault(key.removesuffix(suffix), {})
        leaves[LEAVES[suffix]] = torch.empty(shape, device="meta")
    made = {module: changes(Leaves(tensors, 4.0)) for module, tensors in modules.items()}
    return LoraFile(Path(f"{name}.safetensors"), made, (), {})


def strays(file: LoraFile, reference: Path, model: str) -> set[str]:
    """What a LoRA changes that none of a model's networks has."""
    shapes = layout(reference, model)
    whole = any(name.startswith(NETWORK) for name in shapes)
    opened = bundle(shadow(shapes if whole else {NETWORK + n: s for n, s in shapes.items()}))
    towers = opened.texts.towers
    used = set(fit(file, opened.network, network_places(opened.network), model).used)
    for name, tower in towers.items():
        places = text_places(name, tower.network, alone=len(towers) == 1)
        used |= fit(file, tower.network, places, name).used
    every = {f"{module}.{leaf}" for module, made in file.changes.items() for leaf in made}
    heard = every if towers else {name for name in every if not name.startswith("lora_te")}
    return heard - used


@pytest.mark.parametrize(("name", "model"), CASES.items())
def test_every_change_of_a_layout_finds_its_weight(name: str, model: str, reference: Path) -> None:
    """By name and by shape; nothing is left over but biases that the model does not have."""
    assert strays(shadowed(reference, name), reference, model) == ABSENT.get(name, set())
