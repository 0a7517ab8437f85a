r"""LoRA files: which tensors belong together, and what change they make.

A file has a few tensors for each module it changes, named MODULE.LEAF:

    kohya, LoCon    lora_down.weight  lora_up.weight  lora_mid.weight  alpha
    PEFT            lora_A.weight     lora_B.weight
    diffusers       lora.down.weight  lora.up.weight
    LoHa            hada_w1_a  hada_w1_b  hada_w2_a  hada_w2_b  hada_t1  hada_t2
    LoKr            lokr_w1 or lokr_w1_a  lokr_w1_b,  the same for w2,  lokr_t2
    DoRA            dora_scale (PEFT: lora_magnitude_vector), beside any of the above
    OFT             oft_blocks (PEFT: oft_R.weight)
    (IA)3           weight with on_input (PEFT: ia3_l)
    difference      diff  diff_b, of norms w_norm  b_norm

alpha is a number in the file (in OFT it bounds the rotation); files of diffusers tell it in
their metadata.  Without one, a product counts as it is.  What else a file holds is kept by
name, so that somebody can be told of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from safelight.diffusion.lora import Change
from safelight.diffusion.lora_leaves import LEAVES, Leaves, LeavesError, changes
from safelight.diffusion.weights import CheckpointError, open_checkpoint

__all__ = ["LoraFile", "open_lora", "read_lora"]

SUFFIXES = sorted(LEAVES, key=len, reverse=True)  # the longest that fits is meant
SAID = "lora_adapter_metadata"  # where diffusers tells ranks and alphas
SHOWN = 20  # mistakes in a message


@dataclass(frozen=True, eq=False)
class LoraFile:
    """A file read: the changes by the file's names for modules, and by our leaf of each."""

    path: Path
    changes: Mapping[str, Mapping[str, Change]]  # module -> "weight" or "bias" -> change
    unread: tuple[str, ...]  # tensors that no format known here has
    metadata: Mapping[str, str]


def open_lora(path: Path) -> LoraFile:
    """Read the table of contents of a LoRA's file; factors stay mapped.

    Raises:
        CheckpointError: it cannot be opened, is a whole model, holds no change known here, or
            lacks halves of changes or has halves that do not fit each other.
    """
    checkpoint = open_checkpoint(path)
    return read_lora(path, checkpoint.tensors, checkpoint.metadata)


def read_lora(path: Path, named: Mapping[str, Tensor], metadata: Mapping[str, str]) -> LoraFile:
    """Read the tensors of a LoRA, named as in a file; `path` says where they come from.

    Raises:
        CheckpointError: as `open_lora`, but for what concerns the file.
    """
    modules, unread = _modules(named)
    if not modules:
        raise CheckpointError(path, _what_else(list(named)))
    made: dict[str, Mapping[str, Change]] = {}
    wrong: list[str] = []
    for module, tensors in modules.items():
        alpha = _alpha(tensors, _said_alpha(metadata, module))
        try:
            made[module] = changes(Leaves(tensors, alpha))
        except LeavesError as error:
            wrong.append(f"{module}: {error}")
    if wrong:
        raise CheckpointError(path, refusal("changes that cannot be made", wrong))
    return LoraFile(path, made, tuple(unread), metadata)


def refusal(what: str, wrong: list[str]) -> str:
    """Say that a LoRA is refused for each of these reasons."""
    more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
    return "\n  ".join([f"this LoRA has {len(wrong)} {what}:", *wrong[:SHOWN], *more])


def _modules(named: Mapping[str, Tensor]) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """Gather the tensors of each module by leaf, and list those that are no leaves."""
    modules: dict[str, dict[str, Tensor]] = {}
    unread: list[str] = []
    for name in named:
        suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
        module = _plain(name.removesuffix(suffix)) if suffix else ""
        bare = suffix == ".weight" and f"{module}.on_input" not in named
        if suffix is None or bare or not module:
            unread.append(name)
        else:
            modules.setdefault(module, {})[LEAVES[suffix]] = named[name]
    return modules, unread


def _plain(module: str) -> str:
    """Spell a module of old diffusers files as newer ones do."""
    if ".processor." not in module:
        return module
    plain = module.replace(".processor.", ".")
    return f"{plain}.0" if plain.endswith(".to_out") else plain


def _alpha(tensors: Mapping[str, Tensor], said: float | None) -> float | None:
    """Return the alpha that a file holds or, if it holds none, tells."""
    return float(tensors["alpha"].float().mean()) if "alpha" in tensors else said


def _said_alpha(metadata: Mapping[str, str], module: str) -> float | None:
    """Return the alpha that diffusers wrote down for a module."""
    try:
        said = json.loads(metadata.get(SAID, "{}"))
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    network, _, own = module.partition(".")
    patterns = said.get(f"{network}.alpha_pattern")
    alpha = said.get(f"{network}.lora_alpha")
    for pattern, other in (patterns if isinstance(patterns, dict) else {}).items():
        if own == pattern or own.endswith(f".{pattern}"):
            alpha = other
    return float(alpha) if isinstance(alpha, int | float) else None


def _what_else(names: list[str]) -> str:
    """Say what a file is that changes nothing."""
    if any(name.startswith("model.diffusion_model.") for name in names):
        return "this is a whole model, not a LoRA; open it with Load checkpoint"
    first = ", ".join(names[:3])
    return f"it holds no LoRA known here: none of its {len(names)} tensors ({first} ..) is one's"
