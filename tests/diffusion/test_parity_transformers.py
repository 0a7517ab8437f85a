"""The transformers against the reference implementations, same weights, float32.

The weights leave our networks through the names of published files and enter the reference
from there: Stable Diffusion 3's through its own reader, the others through renames below.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from torch import Tensor, nn

from safelight.diffusion.dit import DiT, DiTConfig
from safelight.diffusion.flux import Flux, FluxConfig
from safelight.diffusion.mmdit import MMDiT, MMDiTConfig
from safelight.diffusion.t5 import T5Config, T5Encoder, buckets
from safelight.diffusion.tables import bfl_flux, dit_blocks, sd3_mmdit, t5_text
from safelight.diffusion.weights import exported

MMDIT = MMDiTConfig(
    side=16, width=128, depth=3, heads=2, context_width=48, pooled_width=40
)  # heads 64 wide, as in all published versions
VERSIONS = [
    pytest.param(MMDIT, id="3 medium"),
    pytest.param(replace(MMDIT, normalised=True), id="3.5 large"),
    pytest.param(replace(MMDIT, normalised=True, doubled=2), id="3.5 medium"),
]
FLUX = FluxConfig(
    channels=16,
    width=64,
    hidden=256,
    heads=4,
    double_depth=2,
    single_depth=2,
    axes=(4, 6, 6),
    context_width=48,
    pooled_width=40,
)
T5 = T5Config(vocabulary=100, width=32, heads=3, head_width=8, hidden=48, layers=3)
DIT = DiTConfig(side=6, width=32, depth=2, heads=2, labels=11)


def error(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loaded(reference: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Load a reference network strictly."""
    reference.load_state_dict(dict(tensors))
    return reference.eval()


def renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename modules; the longest path that a tensor's name starts with counts."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        start = max((path for path in names if name.startswith(f"{path}.")), key=len)
        found[names[start] + name.removeprefix(start)] = tensor
    return found


def cut(tensors: dict[str, Tensor], path: str, into: tuple[str, ...], sizes: list[int]) -> None:
    """Cut a projection along its first axis."""
    for leaf in ("weight", "bias"):
        pieces = torch.split(tensors.pop(f"{path}.{leaf}"), sizes)
        tensors |= {f"{name}.{leaf}": piece for name, piece in zip(into, pieces, strict=True)}


def swapped(tensors: dict[str, Tensor], path: str) -> None:
    """Exchange the halves of a projection: diffusers has the scale before the shift."""
    for leaf in ("weight", "bias"):
        shift, scale = tensors[f"{path}.{leaf}"].chunk(2)
        tensors[f"{path}.{leaf}"] = torch.cat([scale, shift])


def diffusers_mmdit(config: MMDiTConfig, tensors: dict[str, Tensor]) -> Any:
    """Build diffusers' transformer of these sizes and load the file into it."""
    diffusers: Any = import_module("diffusers")
    files: Any = import_module("diffusers.loaders.single_file_utils")
    reference = diffusers.SD3Transformer2DModel(
        sample_size=32,
        patch_size=config.patch,
        in_channels=config.channels,
        out_channels=config.channels,
        num_layers=config.depth,
        num_attention_heads=config.heads,
        attention_head_dim=config.width // config.heads,
        joint_attention_dim=config.context_width,
        caption_projection_dim=config.width,
        pooled_projection_dim=config.pooled_width,
        pos_embed_max_size=config.side,
        qk_norm="rms_norm" if config.normalised else None,
        dual_attention_layers=tuple(range(config.doubled)),
    )
    return loaded(reference, files.convert_sd3_transformer_checkpoint_to_diffusers(dict(tensors)))


@pytest.mark.parametrize("config", VERSIONS)
@torch.no_grad()
def test_mmdit_equals_diffusers(config: MMDiTConfig) -> None:
    """Same latent, time, words and pooled vector, for pictures that are not square too."""
    ours = randomised(MMDiT(config), 1)
    reference = diffusers_mmdit(config, exported(ours, sd3_mmdit.table(config)))
    x, time = drawn(2, 16, 12, 20), torch.tensor([3.0, 950.0])
    context, pooled = drawn(2, 7, 48, seed=1), drawn(2, 40, seed=2)
    theirs = reference(x, context, pooled, time).sample
    assert error(ours(x, time, context, pooled), theirs) < 1e-4


def diffusers_flux(config: FluxConfig, tensors: dict[str, Tensor]) -> Any:
    """Build diffusers' transformer of these sizes and load the file into it."""
    diffusers: Any = import_module("diffusers")
    reference = diffusers.FluxTransformer2DModel(
        in_channels=config.channels * config.patch**2,
        num_layers=config.double_depth,
        num_single_layers=config.single_depth,
        attention_head_dim=config.width // config.heads,
        num_attention_heads=config.heads,
        joint_attention_dim=config.context_width,
        pooled_projection_dim=config.pooled_width,
        guidance_embeds=config.guided,
        axes_dims_rope=config.axes,
    )
    return loaded(reference, diffusers_flux_names(config, tensors))


def diffusers_flux_names(config: FluxConfig, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors of a Flux file as diffusers does."""
    width = config.width
    names = {"img_in": "x_embedder", "txt_in": "context_embedder"}
    for theirs, own in (
        ("time_in", "timestep"),
        ("vector_in", "text"),
        ("guidance_in", "guidance"),
    ):
        for i, layer in enumerate(("in_layer", "out_layer"), start=1):
            names[f"{theirs}.{layer}"] = f"time_text_embed.{own}_embedder.linear_{i}"
    names |= {"final_layer.linear": "proj_out", "final_layer.adaLN_modulation.1": "norm_out.linear"}
    for i in range(config.double_depth):
        for stream, suffix, added in (("img", "", ""), ("txt", "_context", "added_")):
            block, own = f"double_blocks.{i}.{stream}", f"transformer_blocks.{i}"
            out = "to_add_out" if added else "to_out.0"
            names |= {
                f"{block}_mod.lin": f"{own}.norm1{suffix}.linear",
                f"{block}_attn.qkv": f"{block}_attn.qkv",
                f"{block}_attn.norm.query_norm": f"{own}.attn.norm_{added}q",
                f"{block}_attn.norm.key_norm": f"{own}.attn.norm_{added}k",
                f"{block}_attn.proj": f"{own}.attn.{out}",
                f"{block}_mlp.0": f"{own}.ff{suffix}.net.0.proj",
                f"{block}_mlp.2": f"{own}.ff{suffix}.net.2",
            }
    for i in range(config.single_depth):
        block, own = f"single_blocks.{i}", f"single_transformer_blocks.{i}"
        names |= {
            f"{block}.modulation.lin": f"{own}.norm.linear",
            f"{block}.linear1": f"{block}.linear1",
            f"{block}.norm.query_norm": f"{own}.attn.norm_q",
            f"{block}.norm.key_norm": f"{own}.attn.norm_k",
            f"{block}.linear2": f"{own}.proj_out",
        }
    found = {
        name.replace(".scale", ".weight"): tensor
        for name, tensor in renamed(tensors, names).items()
    }
    for i in range(config.double_depth):
        to = f"transformer_blocks.{i}.attn"
        into = (f"{to}.to_q", f"{to}.to_k", f"{to}.to_v")
        cut(found, f"double_blocks.{i}.img_attn.qkv", into, [width] * 3)
        into = (f"{to}.add_q_proj", f"{to}.add_k_proj", f"{to}.add_v_proj")
        cut(found, f"double_blocks.{i}.txt_attn.qkv", into, [width] * 3)
    for i in range(config.single_depth):
        to = f"single_transformer_blocks.{i}"
        pieces = (f"{to}.attn.to_q", f"{to}.attn.to_k", f"{to}.attn.to_v", f"{to}.proj_mlp")
        cut(found, f"single_blocks.{i}.linear1", pieces, [width] * 3 + [config.hidden])
    swapped(found, "norm_out.linear")
    return found


@pytest.mark.parametrize("guided", [True, False], ids=["dev", "schnell"])
@torch.no_grad()
def test_flux_equals_diffusers(guided: bool) -> None:
    """Same latent, time, words, pooled vector and guidance, for a picture that is not square."""
    config = replace(FLUX, guided=guided)
    ours = randomised(Flux(config), 1)
    reference = diffusers_flux(config, exported(ours, bfl_flux.table(config)))
    x, time, guidance = drawn(2, 16, 8, 12), torch.tensor([0.03, 0.95]), torch.tensor([3.5, 1.0])
    context, pooled = drawn(2, 7, 48, seed=1), drawn(2, 40, seed=2)
    squares = x.reshape(2, 16, 4, 2, 6, 2).permute(0, 2, 4, 1, 3, 5).reshape(2, 24, 64)
    places = torch.stack([torch.zeros(24), torch.arange(24) // 6, torch.arange(24) % 6], dim=1)
    theirs = reference(
        squares, context, pooled, time, places, torch.zeros(7, 3), guidance if guided else None
    ).sample
    theirs = theirs.reshape(2, 4, 6, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(2, 16, 8, 12)
    assert error(ours(x, time, context, pooled, guidance), theirs) < 1e-4


@pytest.mark.parametrize("length", [5, 300])
@torch.no_grad()
def test_t5_equals_transformers(length: int) -> None:
    """Every position, also beyond the farthest distance that has a bucket of its own."""
    transformers: Any = import_module("transformers")
    ours = randomised(T5Encoder(T5), 1)
    reference = transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=T5.vocabulary,
            d_model=T5.width,
            d_kv=T5.head_width,
            d_ff=T5.hidden,
            num_layers=T5.layers,
            num_heads=T5.heads,
            feed_forward_proj="gated-gelu",
        )
    )
    tensors = exported(ours, t5_text.table(T5))
    loaded(reference, tensors | {"encoder.embed_tokens.weight": tensors["shared.weight"]})
    ids = torch.randint(0, T5.vocabulary, (2, length), generator=torch.Generator().manual_seed(0))
    assert error(ours(ids), reference(ids).last_hidden_state) < 1e-4


def test_distances_share_buckets_as_in_the_paper() -> None:
    """Single distances up to 7 either way, then wider buckets, then one for all the rest."""
    table = buckets(300, 32)
    assert table[0, :9].tolist() == [0, 17, 18, 19, 20, 21, 22, 23, 24]
    assert table[8, :9].tolist() == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert int(table[0, 127]) == int(table[0, 299]) == 31
    assert int(table[299, 0]) == 15


def diffusers_dit(config: DiTConfig, tensors: dict[str, Tensor]) -> Any:
    """Build diffusers' transformer of these sizes and load the file into it."""
    diffusers: Any = import_module("diffusers")
    reference = diffusers.DiTTransformer2DModel(
        num_attention_heads=config.heads,
        attention_head_dim=config.width // config.heads,
        in_channels=config.channels,
        out_channels=config.out_channels,
        num_layers=config.depth,
        sample_size=config.side * config.patch,
        patch_size=config.patch,
        num_embeds_ada_norm=config.labels - 1,
    )
    for block in reference.transformer_blocks:
        # The published weights were trained with speeds down to 1 / P^((H - 1) / H); the
        # reference would go down to 1 / P.
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    positions = tensors.pop("pos_embed")
    assert error(positions, reference.pos_embed.pos_embed) < 1e-6
    names = {
        "x_embedder.proj": "pos_embed.proj",
        "final_layer.adaLN_modulation.1": "proj_out_1",
        "final_layer.linear": "proj_out_2",
    }
    embedders = {
        "t_embedder.mlp.0": "timestep_embedder.linear_1",
        "t_embedder.mlp.2": "timestep_embedder.linear_2",
        "y_embedder": "class_embedder",
    }
    found: dict[str, Tensor] = {}
    for i in range(config.depth):  # the reference keeps a copy of the embedders in every block
        block, own = f"blocks.{i}", f"transformer_blocks.{i}"
        own_emb = {path: f"{own}.norm1.emb.{name}" for path, name in embedders.items()}
        found |= renamed({n: t for n, t in tensors.items() if "_embedder." in n}, names | own_emb)
        names |= {
            f"{block}.adaLN_modulation.1": f"{own}.norm1.linear",
            f"{block}.attn.qkv": f"{block}.attn.qkv",
            f"{block}.attn.proj": f"{own}.attn1.to_out.0",
            f"{block}.mlp.fc1": f"{own}.ff.net.0.proj",
            f"{block}.mlp.fc2": f"{own}.ff.net.2",
        }
    found |= renamed(
        {n: t for n, t in tensors.items() if not n.startswith(("t_embedder", "y_embedder"))}, names
    )
    for i in range(config.depth):
        to = f"transformer_blocks.{i}.attn1"
        into = (f"{to}.to_q", f"{to}.to_k", f"{to}.to_v")
        cut(found, f"blocks.{i}.attn.qkv", into, [config.width] * 3)
    return loaded(reference, found)


@torch.no_grad()
def test_dit_equals_diffusers() -> None:
    """Same latent, time and label."""
    ours = randomised(DiT(DIT), 1)
    reference = diffusers_dit(DIT, exported(ours, dit_blocks.table(DIT)))
    x, time, labels = drawn(2, 4, 12, 12), torch.tensor([3.0, 950.0]), torch.tensor([10, 2])
    theirs = reference(x, time, labels).sample
    assert error(ours(x, time, labels), theirs) < 1e-4
