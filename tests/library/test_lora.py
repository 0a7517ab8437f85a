"""The nodes that apply LoRAs, on the tiny checkpoint."""

import re

import pytest
import torch
from torch import Tensor

from safelight.diffusion.weights import CheckpointError, save_checkpoint
from safelight.graph.catalog import Catalog
from safelight.graph.events import Event, Finished
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.graph.schema import describe
from safelight.graph.workflow import parse
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.lora import (
    LoraBlockWeights,
    LoraLoader,
    LoraLoaderModelOnly,
    Pair,
    shares,
)
from safelight.library.lora_schedule import LoraSchedule
from safelight.library.saving import ModelSave

NAME = "style.safetensors"
UNET = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
TEXT = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def factors(module: str, width: int = 32, rank: int = 2) -> dict[str, Tensor]:
    """Two random matrices for a square weight."""
    draw = torch.Generator().manual_seed(len(module))
    return {
        f"{module}.lora_down.weight": torch.randn(rank, width, generator=draw),
        f"{module}.lora_up.weight": torch.randn(width, rank, generator=draw),
    }


def kept(folders: Folders, tensors: dict[str, Tensor], **metadata: str) -> NullContext:
    """Put a file into the folder of LoRAs."""
    save_checkpoint(folders.directory("loras") / NAME, tensors, metadata)
    return NullContext(folders)


def opened(folders: Folders) -> Parts:
    """Open the tiny checkpoint."""
    return CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(NullContext(folders))


def loaded(folders: Folders, ctx: NullContext, model: float = 1.0, clip: float = 1.0) -> Pair:
    """Apply the file."""
    parts = opened(folders)
    return (
        LoraLoader(
            model=parts.model,
            clip=parts.clip,
            lora_name=NAME,
            strength_model=model,
            strength_clip=clip,
        )
        .run(ctx)
        .result
    )


def test_the_model_and_its_text_encoder_are_taught(folders: Folders) -> None:
    """Each by its own matrices, each leaving all else as it was."""
    parts = opened(folders)
    ctx = kept(folders, factors(UNET) | factors(TEXT))
    model, clip = LoraLoader(model=parts.model, clip=parts.clip, lora_name=NAME).run(ctx).result
    tower = clip.texts.towers["l"].network
    for taught, plain, name in (
        (model.network, parts.model.network, "middle.transformer.layers.0.to_pixels.query.weight"),
        (tower, parts.clip.texts.towers["l"].network, "layers.0.attention.query.weight"),
    ):
        before = dict(plain.named_parameters())
        assert {n for n, p in taught.named_parameters() if p is not before[n]} == {name}
    assert model.denoiser.network is model.network


def test_strength_0_gives_back_what_came_in(folders: Folders) -> None:
    """The very same model and text encoder, so nothing downstream can differ."""
    parts = opened(folders)
    ctx = kept(folders, factors(UNET) | factors(TEXT))
    plain = (
        LoraLoader(
            model=parts.model,
            clip=parts.clip,
            lora_name=NAME,
            strength_model=0.0,
            strength_clip=0.0,
        )
        .run(ctx)
        .result
    )
    assert plain.model is parts.model
    assert plain.clip is parts.clip
    alone = LoraLoaderModelOnly(model=parts.model, lora_name=NAME, strength_model=0.0).run(ctx)
    assert alone.result is parts.model
    assert alone.shown.ui == {}


def test_the_same_strength_all_along_is_no_schedule(folders: Folders) -> None:
    """Bit for bit what the plain node gives; another schedule leaves the weights alone."""
    parts, ctx = opened(folders), kept(folders, factors(UNET))
    plain = LoraLoaderModelOnly(model=parts.model, lora_name=NAME, strength_model=0.7).run(ctx)
    along = LoraSchedule(model=parts.model, lora_name=NAME, strengths="0 0.7\n1 0.7").run(ctx)
    pairs = zip(plain.result.network.parameters(), along.result.network.parameters(), strict=True)
    assert all(one.equal(other) for one, other in pairs)
    assert along.result.changes == ()
    fading = LoraSchedule(model=parts.model, lora_name=NAME).run(ctx).result
    assert fading.network is parts.model.network
    assert len(fading.changes) == 1


def test_two_in_a_row_add_up(folders: Folders) -> None:
    """Twice at a half is once at one."""
    parts, ctx = opened(folders), kept(folders, factors(UNET))
    once = LoraLoaderModelOnly(model=parts.model, lora_name=NAME).run(ctx)
    halfway = LoraLoaderModelOnly(model=parts.model, lora_name=NAME, strength_model=0.5)
    twice = LoraLoaderModelOnly(
        model=halfway.run(ctx).result, lora_name=NAME, strength_model=0.5
    ).run(ctx)
    name = "middle.transformer.layers.0.to_pixels.query.weight"
    torch.testing.assert_close(
        twice.result.network.get_parameter(name), once.result.network.get_parameter(name)
    )


def test_names_that_mean_nothing_are_shown(folders: Folders) -> None:
    """By name, with the family; what is for the text encoder needs no word."""
    ctx = kept(folders, factors(UNET) | factors("lora_unet_no_such_part") | factors(TEXT))
    shown = LoraLoaderModelOnly(model=opened(folders).model, lora_name=NAME).run(ctx).shown
    assert shown.ui["notes"] == [
        {
            "text": "not used, for Stable Diffusion 1 has no such parts: "
            "lora_unet_no_such_part.weight"
        }
    ]


def test_what_is_shown_reaches_whoever_follows_the_run(folders: Folders) -> None:
    """The event of the node that is done carries it, as the worker sends it on."""
    kept(folders, factors(UNET) | factors("lora_unet_no_such_part"))
    catalog = Catalog.of(CheckpointLoaderSimple, LoraLoaderModelOnly, ModelSave)
    inputs = {"model": ["1", 0], "lora_name": NAME, "strength_model": 1.0}
    prompt = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny.safetensors"}},
        "2": {"class_type": "LoraLoaderModelOnly", "inputs": inputs},
        "3": {"class_type": "ModelSave", "inputs": {"model": ["2", 0], "filename_prefix": "m"}},
    }
    graph = parse(prompt, describe(catalog), folders)
    events: list[Event] = []
    execute(graph, catalog, Surroundings(folders), observe=events.append)
    (done,) = (event for event in events if isinstance(event, Finished) and event.node == "2")
    assert done.shown is not None
    assert "lora_unet_no_such_part.weight" in str(done.shown.ui["notes"])


def test_a_lora_of_another_family_is_refused(folders: Folders) -> None:
    """With the family it says it is for, and the first names."""
    ctx = kept(
        folders,
        factors("lora_unet_double_blocks_0_img_attn_proj"),
        **{"modelspec.architecture": "flux-1-dev/lora"},
    )
    reason = (
        "this LoRA is not for Stable Diffusion 1 (it says that it is for flux-1-dev/lora): none of "
        "its 1 changes means a part of it (lora_unet_double_blocks_0_img_attn_proj.weight)"
    )
    with pytest.raises(CheckpointError, match=re.escape(reason)):
        loaded(folders, ctx)


def test_a_lora_of_a_wider_model_is_refused(folders: Folders) -> None:
    """With both shapes."""
    ctx = kept(folders, factors(UNET, width=64))
    reason = f"{UNET}: made for a weight of [64, 64], the model's is [32, 32]"
    with pytest.raises(CheckpointError, match=re.escape(reason)):
        loaded(folders, ctx)


def test_a_share_is_given_by_the_last_line_that_fits() -> None:
    """And the whole strength to what no line means."""
    share = shares("down 0.5\n\ndown.1 2\nmiddle 0")
    assert [share(n) for n in ("down.0.x", "down.1.x", "middle.x", "up.0.x")] == [0.5, 2, 0, 1]
    with pytest.raises(ValueError, match=r"^want a part and a number, as in 'down.1 0.5', got 'x'"):
        shares("x")


def test_blocks_of_share_0_are_left_alone(folders: Folders) -> None:
    """The very same model, if no other block is changed."""
    parts, ctx = opened(folders), kept(folders, factors(UNET))
    node = LoraBlockWeights(model=parts.model, lora_name=NAME, shares="middle 0")
    assert node.run(ctx).result is parts.model
