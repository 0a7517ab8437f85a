"""Merging: what LoRAs move, what they share, and what is refused."""

import re
from pathlib import Path

import pytest
import torch
from tests.diffusion.loras import written
from tests.diffusion.networks import SMALL, text_encoder, unet
from torch import Tensor

from safelight.diffusion.families import load_checkpoint
from safelight.diffusion.lora import Edit, LowRank, merged
from safelight.diffusion.lora_file import open_lora
from safelight.diffusion.lora_names import Fitting, fit, network_places, text_places
from safelight.diffusion.memory import Placement, resident
from safelight.diffusion.unet import UNet
from safelight.diffusion.weights import CheckpointError, save_checkpoint

QUERY = "middle.transformer.layers.0.to_pixels.query.weight"
NAME = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
WIDTH = SMALL.unet.widths[-1]


def pair(rank: int = 4, name: str = NAME, width: int = WIDTH) -> dict[str, Tensor]:
    """The two matrices of one layer, and an alpha of 2."""
    draw = torch.Generator().manual_seed(1)
    return {
        f"{name}.lora_down.weight": torch.randn(rank, width, generator=draw),
        f"{name}.lora_up.weight": torch.randn(width, rank, generator=draw),
        f"{name}.alpha": torch.tensor(2.0),
    }


def fitting(folder: Path, network: UNet, tensors: dict[str, Tensor]) -> Fitting:
    """What a file of those tensors changes in a U-Net."""
    file = written(folder, tensors)
    return fit(file, network, network_places(network), "this model")


def test_a_weight_moves_by_strength_times_alpha_over_rank_times_the_product(
    tmp_path: Path,
) -> None:
    """W' = W + s (alpha / r) B A, and no other tensor is copied."""
    network, tensors = unet(SMALL), pair()
    moved = merged(network, fitting(tmp_path, network, tensors).edits, 0.5)
    product = tensors[f"{NAME}.lora_up.weight"] @ tensors[f"{NAME}.lora_down.weight"]
    before = dict(network.named_parameters())
    wanted = before[QUERY] + 0.5 * (2 / 4) * product
    torch.testing.assert_close(moved.get_parameter(QUERY), wanted)
    other = {name for name, value in moved.named_parameters() if value is not before[name]}
    assert other == {QUERY}


def test_strength_0_is_the_very_same_network(tmp_path: Path) -> None:
    """Not an equal one; a share of 0 leaves out a weight likewise."""
    network = unet(SMALL)
    edits = fitting(tmp_path, network, pair()).edits
    assert merged(network, edits, 0.0) is network
    assert merged(network, edits, 1.0, lambda name: 0.0) is network


def test_two_branches_may_hold_different_strengths(tmp_path: Path) -> None:
    """One taught network does not touch the other, nor the original."""
    network = unet(SMALL)
    edits = fitting(tmp_path, network, pair()).edits
    weight = network.get_parameter(QUERY).clone()
    half, whole = merged(network, edits, 0.5), merged(network, edits, 1.0)
    assert network.get_parameter(QUERY).equal(weight)
    halfway = (weight + whole.get_parameter(QUERY)) / 2
    torch.testing.assert_close(half.get_parameter(QUERY), halfway)


def test_a_placed_variant_shares_the_placed_copies_of_its_original(tmp_path: Path) -> None:
    """Only what was moved is converted again."""
    network = unet(SMALL).half()
    moved = merged(network, fitting(tmp_path, network, pair()).edits, 1.0)
    place = Placement(torch.device("cpu"), torch.float32)
    with resident(network, place) as one, resident(moved, place) as other:
        before = dict(one.named_parameters())
        apart = {n for n, value in other.named_parameters() if value is not before[n]}
    assert apart == {QUERY}


def test_rows_of_a_joined_weight_move_alone() -> None:
    """Keys in the middle third of a matrix of queries, keys and values."""
    change = LowRank(torch.ones(1, 4), torch.ones(4, 1))
    weight = Edit(change, slice(4, 8)).move(torch.zeros(12, 4), 1.0)
    assert weight.sum(dim=1).tolist() == [0.0] * 4 + [4.0] * 4 + [0.0] * 4


def test_halves_that_a_file_has_the_other_way_round_are_turned() -> None:
    """The file's first half moves our second."""
    change = LowRank(torch.ones(1, 2), torch.tensor([[1.0], [0.0]]))
    weight = Edit(change, swapped=True).move(torch.zeros(2, 2), 1.0)
    assert weight.tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_names_of_the_only_text_encoder_are_found(tmp_path: Path) -> None:
    """With a number or without."""
    network = text_encoder(SMALL)
    for prefix in ("lora_te_", "lora_te1_", "text_encoder."):
        module = "text_model.encoder.layers.1.self_attn.q_proj"
        name = prefix + (module if prefix[-1] == "." else module.replace(".", "_"))
        file = written(tmp_path, pair(name=name, width=SMALL.text.width))
        found = fit(file, network, text_places("l", network, alone=True), "the text encoder")
        assert set(found.edits) == {"layers.1.attention.query.weight"}


def refused(folder: Path, tensors: dict[str, Tensor]) -> str:
    """Why a file of those tensors cannot be read as a LoRA of the small U-Net."""
    with pytest.raises(CheckpointError) as caught:
        fitting(folder, unet(SMALL), tensors)
    return re.sub(r"^\S+: ", "", str(caught.value))


def test_ranks_that_differ_are_refused_by_name(tmp_path: Path) -> None:
    """Both ranks are told."""
    tensors = pair() | {f"{NAME}.lora_down.weight": torch.zeros(3, WIDTH)}
    assert refused(tmp_path, tensors) == (
        "this LoRA has 1 changes that cannot be made:\n"
        f"  {NAME}: the ranks of up and down are 4 and 3"
    )


def test_a_missing_half_is_refused_by_name(tmp_path: Path) -> None:
    """Half a product is no change."""
    tensors = pair()
    del tensors[f"{NAME}.lora_up.weight"]
    assert refused(tmp_path, tensors) == (
        f"this LoRA has 1 changes that cannot be made:\n  {NAME}: it has alpha, down, but no up"
    )


def test_another_model_s_shapes_are_refused_by_name(tmp_path: Path) -> None:
    """A LoRA of a wider model."""
    assert refused(tmp_path, pair(width=64)) == (
        "this LoRA has 1 changes that do not fit this model:\n"
        f"  {NAME}: made for a weight of [64, 64], the model's is [{WIDTH}, {WIDTH}]"
    )


def test_a_whole_model_is_no_lora(tmp_path: Path) -> None:
    """The message says which node to use."""
    tensors = {"model.diffusion_model.out.2.weight": torch.zeros(2)}
    assert refused(tmp_path, tensors) == (
        "this is a whole model, not a LoRA; open it with Load checkpoint"
    )


def test_a_file_with_no_changes_is_refused(tmp_path: Path) -> None:
    """Naming what it holds."""
    assert refused(tmp_path, {"a.weight": torch.zeros(2), "b.bias": torch.zeros(2)}) == (
        "it holds no LoRA known here: none of its 2 tensors (a.weight, b.bias ..) is one's"
    )


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    """Cut short in the middle."""
    path = tmp_path / "torn.safetensors"
    save_checkpoint(path, pair(), {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"torn\.safetensors: cut short"):
        open_lora(path)


def test_tensors_of_no_known_format_are_kept_by_name(tmp_path: Path) -> None:
    """So that somebody can be told of them."""
    assert written(tmp_path, pair() | {"emb.strange": torch.zeros(2)}).unread == ("emb.strange",)


def test_a_lora_opened_as_a_model_is_refused(tmp_path: Path) -> None:
    """The message says which node to use."""
    path = tmp_path / "lora.safetensors"
    save_checkpoint(path, pair(), {})
    with pytest.raises(
        CheckpointError, match="this is a LoRA, not a model; open it with Load LoRA"
    ):
        load_checkpoint(path)
