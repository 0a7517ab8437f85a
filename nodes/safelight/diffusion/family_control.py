"""The rows of control networks: which kind is this file, and whom does it steer?

A file is known by one tensor that only its kind has.  Which family it was made for is told by
the same marks as the family's own files, for a ControlNet is a copy of half of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from safelight.diffusion.control import Source
from safelight.diffusion.control_lora import MARKERS, ControlChange
from safelight.diffusion.control_union import UnionControlNet
from safelight.diffusion.controlnet import ControlNet
from safelight.diffusion.controlnet_sd3 import SD3ControlNet
from safelight.diffusion.dialect_flow import put_together
from safelight.diffusion.family import Part, below
from safelight.diffusion.family_unet import UNET_FAMILIES
from safelight.diffusion.settings import Settings
from safelight.diffusion.t2i_adapter import T2IAdapter
from safelight.diffusion.tables import controlnet, controlnet_sd3, t2i_adapter
from safelight.diffusion.weights import Checkpoint, CheckpointError, Shapes, open_checkpoint

UNKNOWN, CHANGED = "an unknown family", "the model it is put on"

ORIGINAL = Part("", controlnet.sizes, controlnet.table, ControlNet)
UNION = Part(
    "",
    controlnet.union_sizes,
    controlnet.union_table,
    UnionControlNet,
    controlnet.union_cuts,
)
SD3_CONTROLNET = Part("", controlnet_sd3.sizes, controlnet_sd3.table, SD3ControlNet)
ADAPTER = Part("", t2i_adapter.sizes, t2i_adapter.table, T2IAdapter)
DIFFUSERS_ADAPTER = Part("", t2i_adapter.diffusers_sizes, t2i_adapter.diffusers_table, T2IAdapter)
DIFFUSERS = Part("", controlnet.diffusers_sizes, controlnet.diffusers_table, ControlNet)


@dataclass(frozen=True, eq=False)
class Opened:
    """A control network's file, opened: what it gives, what kind it is, and for which family."""

    source: Source
    kind: str
    family: str
    latent: bool = False  # it sees its hint as a latent


@dataclass(frozen=True)
class Kind:
    """One kind of control network's files."""

    name: str
    mark: str  # a tensor that only such files have, below one of the prefixes
    load: Callable[[Checkpoint, str], Source]  # (file, prefix)
    family: Callable[[Shapes], str]  # the name of the family that it steers
    prefixes: Sequence[str] = ("",)
    latent: bool = False  # the hint is seen as a latent


def unet_family(shapes: Shapes) -> str:
    """Return the name of the U-Net's family that a ControlNet was copied from."""
    marked = controlnet.marked(shapes)
    names = [family.name for family in UNET_FAMILIES if family.matches(marked)]
    return names[0] if len(names) == 1 else UNKNOWN


def load_control(path: Path) -> Opened:
    """Open a control network's file of whatever kind.

    Raises:
        CheckpointError: it cannot be opened, is of no known kind, or its tensors do not fit.
    """
    return opened(open_checkpoint(path))


def opened(checkpoint: Checkpoint) -> Opened:
    """Recognise an opened file and assemble its network.

    Raises:
        CheckpointError: it is of no known kind, or its tensors do not fit.
    """
    if "difference" in checkpoint.shapes:
        prefix = (
            "control_model." if "control_model.zero_convs.0.0.weight" in checkpoint.shapes else ""
        )
        return Opened(_change(checkpoint, prefix), "ControlNet kept as a difference", CHANGED)
    for kind in KINDS:
        for prefix in kind.prefixes:
            if f"{prefix}{kind.mark}" in checkpoint.shapes:
                family = kind.family(below(prefix, checkpoint.shapes))
                return Opened(kind.load(checkpoint, prefix), kind.name, family, kind.latent)
    marks = ", ".join(f"{kind.mark} ({kind.name})" for kind in KINDS)
    reason = f"it is no control network known here; they are known by the tensors {marks}"
    raise CheckpointError(checkpoint.path, reason)


def single_file(network: ControlNet) -> dict[str, Tensor]:
    """Return a ControlNet's tensors under the names of the original files."""
    return ORIGINAL.at("control_model.").exported(network, network.sizes)


def _loading(part: Part[Any, Any]) -> Callable[[Checkpoint, str], Source]:
    """Return what loads a network of this part from below a prefix."""

    def load(checkpoint: Checkpoint, prefix: str) -> Source:
        network: Source = part.at(prefix).load(checkpoint, Settings.read(checkpoint))
        return network

    return load


def _sd3(checkpoint: Checkpoint, prefix: str) -> Source:
    """Load a ControlNet of version 3, whose file is in another dialect."""
    whole = put_together(checkpoint, controlnet_sd3.sources(checkpoint.shapes))
    network: Source = SD3_CONTROLNET.load(whole, Settings.read(checkpoint))
    return network


def _change(checkpoint: Checkpoint, prefix: str) -> Source:
    """Return what a file changes in a U-Net."""
    tensors = {
        name.removeprefix(prefix): checkpoint.tensors[name]
        for name in checkpoint.shapes
        if name.startswith(prefix) or name in MARKERS
    }
    return ControlChange(tensors, "difference" in checkpoint.shapes)


def _any_unet(shapes: Shapes) -> str:
    """Return whom a change steers: it has no denoiser of its own to be known by."""
    return CHANGED


KINDS: Sequence[Kind] = (
    Kind(
        "ControlNet of version 3",
        "pos_embed_input.proj.weight",
        _sd3,
        lambda shapes: "Stable Diffusion 3",
        latent=True,
    ),
    Kind("control-LoRA", "lora_controlnet", _change, _any_unet),
    Kind(
        "T2I-adapter",
        "body.0.block1.weight",
        _loading(ADAPTER),
        t2i_adapter.family,
        ("", "adapter."),
    ),
    Kind(
        "T2I-adapter of diffusers",
        "body.0.resnets.0.block1.weight",
        _loading(DIFFUSERS_ADAPTER),
        t2i_adapter.family,
        ("adapter.", ""),
    ),
    Kind("union ControlNet", "task_embedding", _loading(UNION), unet_family),
    Kind(
        "ControlNet",
        "zero_convs.0.0.weight",
        _loading(ORIGINAL),
        unet_family,
        ("control_model.", ""),
    ),
    Kind(
        "ControlNet of diffusers",
        "controlnet_down_blocks.0.weight",
        _loading(DIFFUSERS),
        unet_family,
    ),
)
