"""Adapters, union networks and changes of a U-Net, against the reference where there is one."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.layouts import layout, shadow
from tests.diffusion.networks import randomised
from tests.diffusion.peers import diffusers_unet, error
from tests.diffusion.test_controlnet import (
    POOLED,
    SD1,
    SMALL,
    XL,
    made,
    question,
    unet,
    vector_of,
)

from safelight.diffusion.control import ControlMismatch, Question
from safelight.diffusion.control_union import UnionConfig, UnionControlNet
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig
from safelight.diffusion.family_control import (
    ADAPTER,
    DIFFUSERS_ADAPTER,
    ORIGINAL,
    UNION,
    load_control,
    opened,
)
from safelight.diffusion.family_unet import UNET_1, UNET_2
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.t2i_adapter import AdapterConfig, T2IAdapter
from safelight.diffusion.weights import save_checkpoint

ADAPTERS = [
    pytest.param(AdapterConfig((32, 64, 128, 128)), SD1, "full_adapter", id="version 1"),
    pytest.param(AdapterConfig((32, 64, 128, 128), fold=16), XL, "full_adapter_xl", id="XL"),
]


def adapter(config: AdapterConfig) -> T2IAdapter:
    """An adapter with random weights."""
    network = T2IAdapter(config)
    randomised(network, 8)
    return network


@pytest.mark.parametrize(("config", "sizes", "kind"), ADAPTERS)
@torch.no_grad()
def test_an_adapter_and_the_steered_answer_equal_diffusers(
    config: AdapterConfig, sizes: Any, kind: str
) -> None:
    """The features of each level, and what the U-Net makes of them."""
    ours, base, asked = adapter(config), unet(sizes), question(sizes)
    diffusers: Any = import_module("diffusers")
    reference = diffusers.T2IAdapter(
        channels=list(config.channels), downscale_factor=config.fold, adapter_type=kind
    )
    exported = DIFFUSERS_ADAPTER.at("adapter.").exported(ours, config)
    reference.load_state_dict(exported)
    features = reference(asked["hint"])
    for own, their in zip(ours(asked["hint"]), features, strict=True):
        assert error(own, their) < 1e-4
    vector = vector_of(sizes, asked)
    said = Question(asked["hint"], asked["x"], asked["t"], asked["context"], vector)
    got = base(asked["x"], asked["t"], asked["context"], vector, residuals=ours.answer(said))
    part = UNET_1 if sizes is SD1 else UNET_2
    theirs = diffusers_unet(sizes, part.exported(base, sizes))(
        asked["x"],
        asked["t"],
        asked["context"],
        added_cond_kwargs={"text_embeds": asked["pooled"], "time_ids": asked["numbers"]},
        down_intrablock_additional_residuals=[feature.clone() for feature in features],
    ).sample
    assert error(got, theirs) < 1e-4


@pytest.mark.parametrize(("config", "sizes", "kind"), ADAPTERS)
def test_both_dialects_of_adapters_lead_to_the_same_weights(
    config: AdapterConfig, sizes: Any, kind: str, tmp_path: Path
) -> None:
    """The family is told by how the hint is folded."""
    ours = adapter(config)
    files = {
        "bare": ADAPTER.exported(ours, config),
        "below": ADAPTER.at("adapter.").exported(ours, config),
        "diffusers": DIFFUSERS_ADAPTER.at("adapter.").exported(ours, config),
    }
    for name, tensors in files.items():
        save_checkpoint(tmp_path / f"{name}.safetensors", tensors, {})
        found = load_control(tmp_path / f"{name}.safetensors")
        assert found.family == f"Stable Diffusion {'XL' if config.for_xl else '1'}"
        network = found.source.on(unet(sizes))
        assert isinstance(network, T2IAdapter)
        assert network.config == config
        for key, tensor in ours.state_dict().items():
            assert network.state_dict()[key].equal(tensor), key


def test_the_published_adapter_loads_strictly(reference: Path) -> None:
    """Nothing is missing, left over or misshapen."""
    found = opened(shadow(layout(reference, "t2i-adapter-sd15")))
    assert isinstance(found.source, T2IAdapter)
    assert (found.kind, found.family) == ("T2I-adapter", "Stable Diffusion 1")
    assert found.source.config == AdapterConfig()


def test_an_adapter_of_other_widths_is_refused() -> None:
    """Both widths are named."""
    with pytest.raises(ControlMismatch, match=r"\(32, 64, 128, 128\) channels, not \(16, 32\)"):
        adapter(AdapterConfig((32, 64, 128, 128))).on(unet(SMALL))


def union() -> UnionControlNet:
    """A union ControlNet of XL's kind with random weights."""
    network = UnionControlNet(UnionConfig(ControlNetConfig(XL), kinds=6))
    randomised(network, 11)
    return network


@pytest.mark.parametrize("kind", [0, 3])
@torch.no_grad()
def test_a_union_controlnet_equals_diffusers(kind: int) -> None:
    """Its residuals for hints of two kinds, one picture at a time (see `control_union`)."""
    ours = union()
    asked = {name: tensor[:1] for name, tensor in question(XL).items()}
    diffusers: Any = import_module("diffusers")
    reference = diffusers.ControlNetUnionModel(
        block_out_channels=XL.widths,
        layers_per_block=XL.blocks,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        cross_attention_dim=XL.context_width,
        attention_head_dim=tuple(map(XL.heads_at, XL.widths)),
        transformer_layers_per_block=(2, 1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=POOLED + 6 * 256,
        conditioning_embedding_out_channels=(16, 32, 96, 256),
        num_control_type=6,
        num_trans_channel=32,
        num_proj_channel=32,
    )
    reference.load_state_dict(UNION.exported(ours, ours.union))
    row = torch.zeros(1, 6)
    row[:, kind] = 1
    down, middle = reference.eval()(
        asked["x"],
        asked["t"],
        asked["context"],
        [asked["hint"]],
        row,
        [kind],
        added_cond_kwargs={"text_embeds": asked["pooled"], "time_ids": asked["numbers"]},
        return_dict=False,
    )
    vector = vector_of(XL, asked)
    said = Question(asked["hint"], asked["x"], asked["t"], asked["context"], vector, (kind,))
    got = ours.answer(said)
    for own, their in zip((*got.kept, got.middle), (*down, middle), strict=True):
        assert own is not None
        assert error(own, their) < 1e-4


def test_a_union_file_gives_the_network_back(tmp_path: Path) -> None:
    """Recognised by its tasks, with its sizes; a kind it does not have is refused."""
    ours, path = union(), tmp_path / "union.safetensors"
    settings = checkpoint_metadata(Settings(unet_head_width=16))
    save_checkpoint(path, UNION.exported(ours, ours.union), settings)
    found = load_control(path)
    assert (found.kind, found.family) == ("union ControlNet", "Stable Diffusion XL")
    network = found.source.on(unet(XL))
    assert isinstance(network, UnionControlNet)
    assert network.union.kinds == 6
    asked = question(XL)
    said = Question(asked["hint"], asked["x"], asked["t"], asked["context"], kinds=(6,))
    with pytest.raises(ValueError, match="has 6 kinds, from 0; not 6"):
        network.answer(said)


def changes(wanted: ControlNet, *, difference: bool) -> dict[str, torch.Tensor]:
    """A file that makes `wanted` of a small U-Net: full differences, or pairs of full rank."""
    base = UNET_1.at("").exported(unet(SMALL), SMALL)
    file: dict[str, torch.Tensor] = {}
    for name, tensor in ORIGINAL.exported(wanted, wanted.sizes).items():
        change = tensor - base[name] if name in base else tensor
        pair = not difference and name in base and tensor.ndim > 1
        if pair:
            matrix = change.flatten(1)
            stem = name.removesuffix(".weight")
            file[f"{stem}.up"] = torch.eye(len(matrix))
            file[f"{stem}.down"] = matrix.reshape(change.shape)
        else:
            file[name] = change if difference else tensor
    return file


@pytest.mark.parametrize("difference", [True, False], ids=["difference", "control-LoRA"])
def test_a_change_of_a_unet_makes_the_controlnet_it_stands_for(
    difference: bool, tmp_path: Path
) -> None:
    """Added to the U-Net's weights it gives the network back."""
    wanted, path = made(SMALL), tmp_path / "change.safetensors"
    file = changes(wanted, difference=difference)
    marker = {"difference" if difference else "lora_controlnet": torch.zeros(1)}
    save_checkpoint(path, file | marker, {})
    base = unet(SMALL)
    source = load_control(path).source
    network = source.on(base)
    assert isinstance(network, ControlNet)
    assert source.on(base) is network  # made once
    for key, tensor in wanted.state_dict().items():
        torch.testing.assert_close(network.state_dict()[key], tensor, msg=key)


def test_what_a_change_leaves_alone_is_shared_with_the_unet(tmp_path: Path) -> None:
    """The same memory, not a copy."""
    wanted, path = made(SMALL), tmp_path / "change.safetensors"
    base = UNET_1.at("").exported(unet(SMALL), SMALL)
    file = ORIGINAL.exported(wanted, wanted.sizes)
    new = {name: tensor for name, tensor in file.items() if name not in base}
    save_checkpoint(path, new | {"lora_controlnet": torch.zeros(1)}, {})
    own = unet(SMALL)
    network = load_control(path).source.on(own)
    assert network.state_dict()["middle.before.conv1.weight"].data_ptr() == (
        own.state_dict()["middle.before.conv1.weight"].data_ptr()
    )


def test_a_change_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    """Another model's control-LoRA."""
    wanted, path = made(SMALL), tmp_path / "change.safetensors"
    file = changes(wanted, difference=False) | {"lora_controlnet": torch.zeros(1)}
    save_checkpoint(path, file, {})
    with pytest.raises(ControlMismatch, match="do not fit"):
        load_control(path).source.on(unet(SD1))
