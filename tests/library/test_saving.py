"""Models are merged, kept and opened again without losing a bit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.library.flow_models import network_of

from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.families import load_checkpoint, load_vae
from safelight.diffusion.family import Family
from safelight.diffusion.family_flow import FLUX_DEV, SD3_FAMILY
from safelight.diffusion.split import load_denoiser
from safelight.diffusion.taesd import TinyAutoencoder
from safelight.diffusion.weights import MisfitError, open_checkpoint
from safelight.diffusion.writing import UnwritableError
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext, Shown
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.merging import (
    CLIPMergeSimple,
    MergeError,
    ModelMergeAdd,
    ModelMergeBlocks,
    ModelMergeSimple,
    ModelMergeSubtract,
)
from safelight.library.merging_blocks import (
    FLUX,
    ModelMergeFlux1,
    ModelMergeSD1,
    ModelMergeSD3_2B,
    joint,
    unet,
)
from safelight.library.saving import CheckpointSave, CLIPSave, Kept, ModelSave, VAESave
from safelight.library.values import Model, Vae


@pytest.fixture
def ctx(folders: Folders) -> NullContext:
    """A place to write to, and what made it."""
    return NullContext(folders, {"prompt": {"1": {}}})


@pytest.fixture
def parts(ctx: NullContext) -> Parts:
    """The tiny model."""
    return CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx)


def written(ctx: NullContext, shown: Shown) -> list[Path]:
    """Return where files lie that a node tells of."""
    assert isinstance(shown, Kept)
    assert shown.still_there
    return list(shown.paths)


def test_a_checkpoint_comes_back_bit_for_bit(
    ctx: NullContext, parts: Parts, tiny_checkpoint: Path
) -> None:
    """Same names, same numbers, same settings, and the workflow in the metadata."""
    node = CheckpointSave(model=parts.model, clip=parts.clip, vae=parts.vae)
    (path,) = written(ctx, node.run(ctx))
    assert path.name == "safelight_00001_.safetensors"
    old, new = open_checkpoint(tiny_checkpoint), open_checkpoint(path)
    assert new.shapes == old.shapes
    assert all(torch.equal(new.tensors[name], old.tensors[name]) for name in old.shapes)
    a, b = load_checkpoint(tiny_checkpoint), load_checkpoint(path)
    assert a.unet.config == b.unet.config
    assert a.text_encoder.config == b.text_encoder.config
    assert a.vae.config == b.vae.config
    assert a.tokenizer.encode("a cat in hat") == b.tokenizer.encode("a cat in hat")
    assert json.loads(new.metadata["prompt"]) == {"1": {}}
    assert new.metadata["modelspec.prediction_type"] == "epsilon"


def test_parts_are_kept_in_files_of_their_own(ctx: NullContext, parts: Parts) -> None:
    """Each opens with the loader for such files."""
    (path,) = written(ctx, ModelSave(model=parts.model).run(ctx))
    again = load_denoiser(path).network.state_dict()
    ours = parts.model.network.state_dict()
    assert all(torch.equal(again[name], ours[name]) for name in ours)
    (path,) = written(ctx, VAESave(vae=parts.vae).run(ctx))
    assert load_vae(path).config == parts.vae.network.config
    (path,) = written(ctx, CLIPSave(clip=parts.clip).run(ctx))
    assert path.name == "safelight_clip_l_00001_.safetensors"
    assert "text_model.final_layer_norm.weight" in open_checkpoint(path).shapes


def test_an_autoencoder_for_previews_is_not_kept(ctx: NullContext, parts: Parts) -> None:
    """It is no part of a checkpoint."""
    small = Vae(TinyAutoencoder.__new__(TinyAutoencoder), parts.vae.format)
    with pytest.raises(
        UnwritableError, match=r"^an autoencoder for previews has no place in a checkpoint$"
    ):
        VAESave(vae=small).run(ctx)


def other(model: Model) -> Model:
    """The same model, every weight doubled."""
    return ModelMergeAdd(model1=model, model2=model).run(NullContext())


def test_a_merge_at_either_end_is_one_of_both(parts: Parts, ctx: NullContext) -> None:
    """Share 1 shares every tensor with the first model, 0 has the second's numbers."""
    first, second = parts.model, other(parts.model)
    one = ModelMergeSimple(model1=first, model2=second, ratio=1.0).run(ctx)
    zero = ModelMergeSimple(model1=first, model2=second, ratio=0.0).run(ctx)
    weights = dict(first.network.named_parameters())
    assert all(p is weights[name] for name, p in one.network.named_parameters())
    wanted = dict(second.network.named_parameters())
    assert all(torch.equal(p, wanted[name]) for name, p in zero.network.named_parameters())
    half = ModelMergeSimple(model1=first, model2=second, ratio=0.5).run(ctx)
    for name, p in half.network.named_parameters():
        torch.testing.assert_close(p, 1.5 * weights[name])
    assert half.denoiser.network is half.network


def test_a_difference_added_again_gives_the_model(parts: Parts, ctx: NullContext) -> None:
    """(B - A) + A is B, to rounding."""
    first, second = parts.model, other(parts.model)
    skill = ModelMergeSubtract(model1=second, model2=first, multiplier=1.0).run(ctx)
    back = ModelMergeAdd(model1=first, model2=skill).run(ctx)
    wanted = dict(second.network.named_parameters())
    for name, p in back.network.named_parameters():
        torch.testing.assert_close(p, wanted[name])


def test_blocks_take_their_own_shares(parts: Parts, ctx: NullContext) -> None:
    """The way down is the first's, the middle the second's; the clock goes with the way down."""
    first, second = parts.model, other(parts.model)
    node = ModelMergeBlocks(model1=first, model2=second, input=1.0, middle=0.0, out=0.5)
    weights = dict(first.network.named_parameters())
    for name, p in node.run(ctx).network.named_parameters():
        factor = {"middle": 2.0, "up": 1.5}.get(name.split(".")[0], 1.0)
        if name.startswith(("norm_out", "conv_out", "out")):
            factor = 1.5
        torch.testing.assert_close(p, factor * weights[name], msg=name)


def test_every_block_takes_its_own_share(parts: Parts, ctx: NullContext) -> None:
    """The longest beginning counts; names that begin like none go with the first."""
    first, second = parts.model, other(parts.model)
    shares = dict.fromkeys(unet(12, 12), 1.0) | {
        "input_blocks.1.": 0.0, "middle_block.1.": 0.5, "output_blocks.0.": 0.25
    }  # fmt: skip
    merged = ModelMergeSD1(model1=first, model2=second, shares=shares).run(ctx).network
    weights = dict(first.network.named_parameters())
    factors = {"down.0.blocks.0.": 2.0, "middle.transformer.": 1.5, "up.0.blocks.0.": 1.75}
    for name, p in merged.named_parameters():
        factor = next((f for begin, f in factors.items() if name.startswith(begin)), 1.0)
        torch.testing.assert_close(p, factor * weights[name], msg=name)


@pytest.mark.parametrize("family", [SD3_FAMILY, FLUX_DEV], ids=["sd3", "flux"])
def test_blocks_of_transformers_merge_by_their_names_in_files(
    family: Family, ctx: NullContext
) -> None:
    """Everything from the second but the first block of its kind."""
    network = network_of(family)
    denoiser = LatentModel(network, family.schedule(), family.prediction)
    first = Model(network, denoiser, family.latent, family.name)
    names = FLUX if family is FLUX_DEV else joint(24)
    begin = "double_blocks.0." if family is FLUX_DEV else "joint_blocks.0."
    node = ModelMergeFlux1 if family is FLUX_DEV else ModelMergeSD3_2B
    shares = dict.fromkeys(names, 0.0) | {begin: 1.0}
    merged = node(model1=first, model2=other(first), shares=shares).run(ctx).network
    inside = ("double_blocks.0.", "blocks.0.")
    for name, p in merged.named_parameters():
        factor = 1.0 if name.startswith(inside) else 2.0
        torch.testing.assert_close(p, factor * network.get_parameter(name), msg=name)


def test_text_encoders_merge_too(parts: Parts, ctx: NullContext) -> None:
    """Half of one and half of the same is the same."""
    merged = CLIPMergeSimple(clip1=parts.clip, clip2=parts.clip, ratio=0.5).run(ctx)
    wanted = parts.clip.texts.towers["l"].network.state_dict()
    for name, tensor in merged.texts.towers["l"].network.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name])


def test_models_of_two_families_do_not_merge(parts: Parts, ctx: NullContext) -> None:
    """Nor do networks of two sizes; the message names what differs."""
    stranger = replace(parts.model, family="Flux dev")
    with pytest.raises(
        MergeError, match=r"^cannot merge a model of Stable Diffusion 1 with one of Flux dev$"
    ):
        ModelMergeAdd(model1=parts.model, model2=stranger).run(ctx)
    smaller = replace(parts.model, network=torch.nn.Linear(1, 1))
    with pytest.raises(MisfitError, match=r"weight: only in one of the two"):
        ModelMergeAdd(model1=parts.model, model2=smaller).run(ctx)
