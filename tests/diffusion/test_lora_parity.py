"""LoRAs of every kind against PEFT and diffusers, with the same random numbers."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.loras import written
from tests.diffusion.networks import SMALL, unet
from tests.diffusion.peers import diffusers_unet, error
from torch import Tensor, nn

from safelight.diffusion.family_unet import UNET_1
from safelight.diffusion.lora import LowRank, merged
from safelight.diffusion.lora_file import LoraFile, open_lora
from safelight.diffusion.lora_kinds import Decomposed, Rotation, cayley
from safelight.diffusion.lora_names import fit, network_places
from safelight.diffusion.unet import UNet

CLOSE = 1e-4
ATTENTIONS = ["to_q", "to_k", "to_v", "to_out.0"]
LAYERS = [*ATTENTIONS, "proj_in", "ff.net.2", "conv1", "conv2"]


def peer(network: UNet) -> Any:
    """Build diffusers' U-Net with the same numbers."""
    tensors = UNET_1.exported(network, network.config)
    return diffusers_unet(network.config, tensors)


@torch.no_grad()
def answers(network: UNet, theirs: Any) -> tuple[Tensor, Tensor]:
    """What both say of the same noisy latent."""
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(2, 4, 16, 16, generator=draw)
    context = torch.randn(2, 7, network.config.context_width, generator=draw)
    time = torch.tensor([3.0, 700.0])
    return network(x, time, context), theirs(x, time, context).sample


def taught(network: UNet, file: LoraFile, strength: float = 1.0) -> UNet:
    """Our network with a LoRA."""
    fitting = fit(file, network, network_places(network), "this model")
    assert fitting.used == {
        f"{name}.{leaf}" for name, made in file.changes.items() for leaf in made
    }
    return merged(network, fitting.edits, strength)


@torch.no_grad()
def stirred(model: nn.Module, seed: int = 9) -> dict[str, Tensor]:
    """Give every parameter of an adapter numbers, and return them as files name them."""
    draw = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=draw)
            parameter.add_(0.15 * noise) if "magnitude" in name else parameter.copy_(0.2 * noise)
    state: Mapping[str, Tensor] = import_module("peft").get_peft_model_state_dict(model)
    return {name: tensor.clone() for name, tensor in state.items()}


def configs() -> dict[str, Any]:
    """PEFT's kinds, with scales that are not 1 where a file can tell of them."""
    peft: Any = import_module("peft")
    alike = {"target_modules": LAYERS}
    return {
        "lora": peft.LoraConfig(r=4, lora_alpha=4, **alike),
        "dora": peft.LoraConfig(r=4, lora_alpha=4, use_dora=True, **alike),
        "loha": peft.LoHaConfig(r=4, alpha=4, **alike),
        "loha tucker": peft.LoHaConfig(r=4, alpha=4, use_effective_conv2d=True, **alike),
        "lokr": peft.LoKrConfig(r=4, alpha=4, **alike),
        "lokr tucker": peft.LoKrConfig(r=4, alpha=4, use_effective_conv2d=True, **alike),
        "lokr factored": peft.LoKrConfig(r=1, alpha=1, decompose_both=True, **alike),
        "ia3": peft.IA3Config(target_modules=LAYERS, feedforward_modules=["ff.net.2"]),
        "oft": peft.OFTConfig(
            r=0,
            oft_block_size=4,
            use_cayley_neumann=False,
            target_modules=[*ATTENTIONS, "ff.net.2"],
        ),
    }


KINDS = (
    "lora", "dora", "loha", "loha tucker", "lokr", "lokr tucker", "lokr factored", "ia3", "oft",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_answers_as_peft_s_does(kind: str, tmp_path: Path) -> None:
    """Every kind on matrices and convolutions of a whole U-Net."""
    pytest.importorskip("peft")
    network = unet(SMALL)
    theirs: Any = import_module("peft").get_peft_model(peer(network), configs()[kind])
    tensors = stirred(theirs)
    file = written(tmp_path, tensors)
    ours, wanted = answers(taught(network, file), theirs.eval())
    assert error(ours, wanted) < CLOSE
    plain, _ = answers(network, theirs)
    assert error(plain, wanted) > 100 * CLOSE  # the change is not lost in the noise


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dialect", ["kohya", "diffusers"])
def test_diffusers_reads_the_same_file_as_the_same_change(dialect: str, tmp_path: Path) -> None:
    """With alpha half the rank, at strength 0.7."""
    pytest.importorskip("peft")
    network = unet(SMALL)
    theirs = peer(network)
    draw = torch.Generator().manual_seed(3)
    tensors: dict[str, Tensor] = {}
    for name, layer in theirs.named_modules():
        if any(name.endswith(end) for end in ATTENTIONS) and isinstance(layer, nn.Linear):
            down = 0.3 * torch.randn(4, layer.in_features, generator=draw)
            up = 0.3 * torch.randn(layer.out_features, 4, generator=draw)
            if dialect == "kohya":
                module = "lora_unet_" + name.replace(".", "_")
                tensors[f"{module}.alpha"] = torch.tensor(2.0)
                tensors |= {f"{module}.lora_down.weight": down, f"{module}.lora_up.weight": up}
            else:
                module = f"unet.{name}"
                tensors |= {f"{module}.lora.down.weight": down, f"{module}.lora.up.weight": up}
    file = written(tmp_path, tensors)
    ours = taught(network, file, 0.7)
    load(theirs, tensors, 0.7)
    assert error(*answers(ours, theirs)) < CLOSE


@pytest.mark.filterwarnings("ignore")
def test_a_lora_trained_in_diffusers_says_the_same_here(tmp_path: Path) -> None:
    """Learnt for a few steps by PEFT, written by diffusers, and the same numbers to 1e-4."""
    peft: Any = pytest.importorskip("peft")
    network = unet(SMALL)
    theirs, plain = peer(network), peer(network)
    theirs.requires_grad_(False)
    theirs.add_adapter(peft.LoraConfig(r=4, lora_alpha=2, target_modules=ATTENTIONS))
    learns = [parameter for parameter in theirs.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learns, lr=0.02)
    draw = torch.Generator().manual_seed(8)
    for _ in range(4):
        x = torch.randn(2, 4, 16, 16, generator=draw)
        context = torch.randn(2, 7, SMALL.unet.context_width, generator=draw)
        loss = (theirs(x, torch.tensor([3.0, 700.0]), context).sample - x).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward([loss])
        optimizer.step()
    pipeline: Any = import_module("diffusers").StableDiffusionPipeline
    converted: Any = import_module("diffusers.utils").convert_state_dict_to_diffusers
    layers = converted(import_module("peft").get_peft_model_state_dict(theirs))
    pipeline.save_lora_weights(
        tmp_path,
        unet_lora_layers=layers,
        unet_lora_adapter_metadata=theirs.peft_config["default"].to_dict(),
    )
    file = open_lora(tmp_path / "pytorch_lora_weights.safetensors")
    ours, wanted = answers(taught(network, file), theirs)
    assert error(ours, wanted) < CLOSE
    assert error(answers(network, plain)[0], wanted) > 10 * CLOSE  # something was learnt


def load(theirs: Any, tensors: dict[str, Tensor], strength: float) -> None:
    """Let diffusers' own loader read a LoRA into its U-Net."""
    mixin: Any = import_module("diffusers.loaders").StableDiffusionLoraLoaderMixin
    state, alphas = mixin.lora_state_dict(dict(tensors), unet_config=theirs.config)
    mixin.load_lora_into_unet(state, network_alphas=alphas, unet=theirs, adapter_name="x")
    theirs.set_adapters(["x"], [strength])


def test_a_rotation_keeps_the_lengths_of_columns() -> None:
    """OFT turns what comes out: no column gets longer, and angles remain."""
    draw = torch.Generator().manual_seed(0)
    blocks, weight = (torch.randn(shape, generator=draw) for shape in ((2, 4, 4), (8, 5)))
    turned = weight + Rotation(cayley(blocks - blocks.mT)).delta(weight)
    torch.testing.assert_close(turned.mT @ turned, weight.mT @ weight)


def test_a_rotation_is_bounded_by_its_limit() -> None:
    """The skew matrices together are no longer than that, so little is turned."""
    skew = torch.tensor([[[0.0, 3.0], [-3.0, 0.0]]])
    small = skew * (0.1 / skew.norm())
    torch.testing.assert_close(cayley(skew, 0.1), cayley(small))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_decomposed_weight_has_the_lengths_it_was_given(axis: int) -> None:
    """By rows, or by columns in older files."""
    draw = torch.Generator().manual_seed(0)
    up, down, weight = (torch.randn(s, generator=draw) for s in ((6, 2), (2, 4), (6, 4)))
    lengths = torch.rand(6, 1, generator=draw) if axis == 0 else torch.rand(1, 4, generator=draw)
    moved = weight + Decomposed(LowRank(down, up), lengths).delta(weight)
    torch.testing.assert_close(moved.norm(dim=1 - axis, keepdim=True), lengths)
