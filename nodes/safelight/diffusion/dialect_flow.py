r"""Another dialect: transformers of Stable Diffusion 3 and Flux as diffusers names them.

Those files hold the same numbers under other names and in other pieces:

    qkv      = [to_q; to_k; to_v]             laid one below the other
    linear1  = [to_q; to_k; to_v; proj_mlp]   in Flux's single blocks
    steering = [shift; scale]                 stored as [scale; shift] where a layer is last

`translated` makes such a file look like the original.  A tensor is put together when it is
asked for; one that is whole in the file stays a view of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from safelight.diffusion.tables import reach
from safelight.diffusion.weights import Checkpoint, Shapes, Tensors

MARK = "transformer_blocks.0.attn.add_k_proj.weight"  # of a file in this dialect
MARK_SD3 = "pos_embed.proj.weight"
BLOCK = "transformer_blocks.{}.attn.to_q.weight"
SINGLE = "single_transformer_blocks.{}.attn.to_q.weight"
LEAVES = ("weight", "bias")
_EMBEDDERS = "time_text_embed."


@dataclass(frozen=True, slots=True)
class Source:
    """What an original module is made of: modules of the file, one below the other."""

    modules: tuple[str, ...]
    swapped: bool = False  # the halves change places


Sources = Mapping[str, Source]


def translated(checkpoint: Checkpoint) -> Checkpoint:
    """Return the file under the original names; one in another dialect comes back as it is.

    Tensors that no original module is made of keep their names, and are refused later.
    """
    if MARK not in checkpoint.shapes:
        return checkpoint
    blocks, singles = (reach(checkpoint.shapes, pattern) for pattern in (BLOCK, SINGLE))
    sd3 = MARK_SD3 in checkpoint.shapes
    return put_together(checkpoint, sd3_sources(blocks) if sd3 else flux_sources(blocks, singles))


def put_together(checkpoint: Checkpoint, sources: Sources) -> Checkpoint:
    """Return the file as if it had the modules that are made of its own."""
    named = _by_tensor(sources, checkpoint.shapes)
    used = {name for source in named.values() for name in source.modules}
    named |= {name: Source((name,)) for name in checkpoint.shapes if name not in used}
    shapes = {name: _shape(source, checkpoint.shapes) for name, source in named.items()}
    return replace(checkpoint, tensors=Translated(checkpoint.tensors, named), shapes=shapes)


class Translated(Tensors):
    """The tensors of a file, put together from its pieces."""

    def __init__(self, tensors: Tensors, sources: Sources) -> None:
        self._tensors = tensors
        self._sources = sources

    def __getitem__(self, name: str) -> Tensor:
        source = self._sources[name]
        pieces = [self._tensors[piece] for piece in source.modules]
        whole = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        return torch.cat(whole.chunk(2)[::-1]) if source.swapped else whole

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def forget(self) -> None:
        """Let go of the file's memory."""
        self._tensors.forget()


def _by_tensor(sources: Sources, shapes: Shapes) -> dict[str, Source]:
    """Turn modules into tensors: weights and biases, as far as the file has them."""
    named: dict[str, Source] = {}
    for original, source in sources.items():
        for leaf in LEAVES:
            pieces = tuple(f"{module}.{leaf}" for module in source.modules)
            if all(piece in shapes for piece in pieces):
                own = "scale" if original.endswith(("query_norm", "key_norm")) else leaf
                named[f"{original}.{own}"] = replace(source, modules=pieces)
    if "pos_embed.pos_embed" in shapes:
        named["pos_embed"] = Source(("pos_embed.pos_embed",))
    return named


def _shape(source: Source, shapes: Shapes) -> tuple[int, ...]:
    """Return the shape of what is put together."""
    first, *others = (shapes[piece] for piece in source.modules)
    return (first[0] + sum(other[0] for other in others), *first[1:]) if others else first


def _qkv(attention: str, names: tuple[str, ...] = ("to_q", "to_k", "to_v")) -> Source:
    """Return the three projections of an attention."""
    return Source(tuple(f"{attention}.{name}" for name in names))


def _ends(time: tuple[str, str], pooled: tuple[str, str]) -> dict[str, Source]:
    """Return what both families have around their blocks, by the names of the embedders."""
    named = {time: "timestep_embedder", pooled: "text_embedder"}
    return {
        "final_layer.linear": Source(("proj_out",)),
        "final_layer.adaLN_modulation.1": Source(("norm_out.linear",), swapped=True),
        **{
            original: Source((f"{_EMBEDDERS}{own}.linear_{i}",))
            for layers, own in named.items()
            for i, original in enumerate(layers, start=1)
        },
    }


def sd3_sources(depth: int) -> Sources:
    """Return what the modules of a Stable Diffusion 3 with so many blocks are made of."""
    sources = {
        "x_embedder.proj": Source(("pos_embed.proj",)),
        "context_embedder": Source(("context_embedder",)),
        **_ends(("t_embedder.mlp.0", "t_embedder.mlp.2"), ("y_embedder.mlp.0", "y_embedder.mlp.2")),
    }
    for i in range(depth):
        last, own = i == depth - 1, f"transformer_blocks.{i}"
        picture, words = f"joint_blocks.{i}.x_block", f"joint_blocks.{i}.context_block"
        sources |= {
            f"{picture}.adaLN_modulation.1": Source((f"{own}.norm1.linear",)),
            f"{picture}.attn.qkv": _qkv(f"{own}.attn"),
            f"{picture}.attn.ln_q": Source((f"{own}.attn.norm_q",)),
            f"{picture}.attn.ln_k": Source((f"{own}.attn.norm_k",)),
            f"{picture}.attn.proj": Source((f"{own}.attn.to_out.0",)),
            f"{picture}.attn2.qkv": _qkv(f"{own}.attn2"),
            f"{picture}.attn2.ln_q": Source((f"{own}.attn2.norm_q",)),
            f"{picture}.attn2.ln_k": Source((f"{own}.attn2.norm_k",)),
            f"{picture}.attn2.proj": Source((f"{own}.attn2.to_out.0",)),
            f"{picture}.mlp.fc1": Source((f"{own}.ff.net.0.proj",)),
            f"{picture}.mlp.fc2": Source((f"{own}.ff.net.2",)),
            f"{words}.adaLN_modulation.1": Source((f"{own}.norm1_context.linear",), swapped=last),
            f"{words}.attn.qkv": _qkv(f"{own}.attn", ("add_q_proj", "add_k_proj", "add_v_proj")),
            f"{words}.attn.ln_q": Source((f"{own}.attn.norm_added_q",)),
            f"{words}.attn.ln_k": Source((f"{own}.attn.norm_added_k",)),
            f"{words}.attn.proj": Source((f"{own}.attn.to_add_out",)),
            f"{words}.mlp.fc1": Source((f"{own}.ff_context.net.0.proj",)),
            f"{words}.mlp.fc2": Source((f"{own}.ff_context.net.2",)),
        }
    return sources


def flux_sources(double_depth: int, single_depth: int) -> Sources:
    """Return what the modules of a Flux with so many blocks are made of."""
    sources = {
        "img_in": Source(("x_embedder",)),
        "txt_in": Source(("context_embedder",)),
        "guidance_in.in_layer": Source((f"{_EMBEDDERS}guidance_embedder.linear_1",)),
        "guidance_in.out_layer": Source((f"{_EMBEDDERS}guidance_embedder.linear_2",)),
        **_ends(
            ("time_in.in_layer", "time_in.out_layer"), ("vector_in.in_layer", "vector_in.out_layer")
        ),
    }
    for i in range(double_depth):
        sources |= _flux_double(f"double_blocks.{i}", f"transformer_blocks.{i}")
    for i in range(single_depth):
        block, own = f"single_blocks.{i}", f"single_transformer_blocks.{i}"
        parts = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
        sources |= {
            f"{block}.modulation.lin": Source((f"{own}.norm.linear",)),
            f"{block}.linear1": _qkv(own, parts),
            f"{block}.norm.query_norm": Source((f"{own}.attn.norm_q",)),
            f"{block}.norm.key_norm": Source((f"{own}.attn.norm_k",)),
            f"{block}.linear2": Source((f"{own}.proj_out",)),
        }
    return sources


def _flux_double(block: str, own: str) -> dict[str, Source]:
    """Return what both streams of a double block are made of."""
    added = ("add_q_proj", "add_k_proj", "add_v_proj")
    return {
        f"{block}.img_mod.lin": Source((f"{own}.norm1.linear",)),
        f"{block}.img_attn.qkv": _qkv(f"{own}.attn"),
        f"{block}.img_attn.norm.query_norm": Source((f"{own}.attn.norm_q",)),
        f"{block}.img_attn.norm.key_norm": Source((f"{own}.attn.norm_k",)),
        f"{block}.img_attn.proj": Source((f"{own}.attn.to_out.0",)),
        f"{block}.img_mlp.0": Source((f"{own}.ff.net.0.proj",)),
        f"{block}.img_mlp.2": Source((f"{own}.ff.net.2",)),
        f"{block}.txt_mod.lin": Source((f"{own}.norm1_context.linear",)),
        f"{block}.txt_attn.qkv": _qkv(f"{own}.attn", added),
        f"{block}.txt_attn.norm.query_norm": Source((f"{own}.attn.norm_added_q",)),
        f"{block}.txt_attn.norm.key_norm": Source((f"{own}.attn.norm_added_k",)),
        f"{block}.txt_attn.proj": Source((f"{own}.attn.to_add_out",)),
        f"{block}.txt_mlp.0": Source((f"{own}.ff_context.net.0.proj",)),
        f"{block}.txt_mlp.2": Source((f"{own}.ff_context.net.2",)),
    }
