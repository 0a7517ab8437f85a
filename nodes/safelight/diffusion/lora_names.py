r"""Which part of which network a LoRA's file means by a name.

Trainers name a module after its path in the library they use, LDM's or diffusers',

    unet.down_blocks.0.attentions.0.proj_in           PEFT, diffusers: dots
    lora_unet_down_blocks_0_attentions_0_proj_in      kohya, LyCORIS: underscores
    lora_unet_input_blocks_1_1_proj_in                the same of LDM's path

so all spellings of all paths are laid out once, by the tables that also read checkpoints, and
a name is looked up.  Where our network keeps in one matrix what diffusers keeps in several
(queries, keys and values of the large transformers), a name means some of its rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.dialect_flow import Sources, flux_sources, sd3_sources
from safelight.diffusion.flux import Flux
from safelight.diffusion.lora import Change, Edit
from safelight.diffusion.lora_file import LoraFile, refusal
from safelight.diffusion.lora_kinds import Scaling
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.t5 import T5Encoder
from safelight.diffusion.tables import (
    bfl_flux,
    clip_text,
    diffusers_unet,
    ldm_unet,
    sd3_mmdit,
    t5_text,
)
from safelight.diffusion.unet import UNet
from safelight.diffusion.weights import CheckpointError, Table


@dataclass(frozen=True, slots=True)
class Place:
    """A module of ours, or one of the slices of its weight: slice `part` of `widths`."""

    module: str
    part: int = 0
    parts: int = 1
    rest: bool = False  # the last slice takes what the others leave; those are as wide as `in`
    swapped: bool = False

    def rows(self, shape: tuple[int, ...]) -> slice:
        """Return the rows of a weight of that shape."""
        if self.parts == 1:
            return slice(None)
        width = shape[1] if self.rest else shape[0] // self.parts
        last = self.part == self.parts - 1
        return slice(self.part * width, shape[0] if last else (self.part + 1) * width)


Places = Mapping[str, Place]  # a module as a file spells it -> what it is here

# How names of modules begin: (with dots, with underscores).
NETWORK = (
    ("unet.", "transformer.", "diffusion_model.", "model.diffusion_model.", "base_model.model.",
     "unet.base_model.model.", "transformer.base_model.model.", ""),
    ("lora_unet_", "lora_transformer_", "lycoris_unet_", "lycoris_"),
)  # fmt: skip
# The numbers that trainers give a text encoder: first, second, third.
NUMBERS = {"l": (1,), "h": (1,), "g": (2,), "t5": (3, 2)}
TEXT = ("text_encoder", "lora_te")  # how names begin that mean some text encoder


def network_places(network: nn.Module) -> dict[str, Place]:
    """Return every spelling of every module of a denoiser; none, for kinds unknown here."""
    read = PATHS.get(type(network))
    return {} if read is None else _spelled(read(network), *NETWORK)


def text_places(tower: str, network: nn.Module, *, alone: bool) -> dict[str, Place]:
    """Return every spelling of every module of a text encoder, a family's only one or not."""
    read = PATHS.get(type(network))
    if read is None:
        return {}
    numbers = (1, *NUMBERS.get(tower, ())) if alone else NUMBERS.get(tower, ())
    marks = [("", "")] * (1 in numbers) + [(f"_{number}", str(number)) for number in numbers]
    dotted = tuple(f"text_encoder{dots}." for dots, _ in marks)
    return _spelled(read(network), dotted, tuple(f"lora_te{score}_" for _, score in marks))


@dataclass(frozen=True, eq=False)
class Fitting:
    """What a file changes in one network, and the names by which it does so."""

    edits: Mapping[str, list[Edit]]
    used: frozenset[str]


def fit(file: LoraFile, network: nn.Module, places: Places, whose: str) -> Fitting:
    """Find the weights that a file changes in a network of `whose` kind.

    Raises:
        CheckpointError: a change was made for a weight of another shape; names each.
    """
    edits: dict[str, list[Edit]] = {}
    used: set[str] = set()
    wrong: list[str] = []
    parameters = dict(network.named_parameters())
    for module, changes in file.changes.items():
        place = places.get(module)
        for leaf, change in changes.items() if place is not None else ():
            parameter = parameters.get(_path(place, leaf)) if place else None
            if place is None or parameter is None:
                if place is not None and isinstance(change, Scaling):
                    used.add(f"{module}.{leaf}")  # a bias of zeros, which needs no scaling
                continue
            shape = tuple(parameter.shape)
            edit = Edit(change, _rows(place, parameters, shape), place.swapped)
            if edit.fits(shape):
                edits.setdefault(_path(place, leaf), []).append(edit)
                used.add(f"{module}.{leaf}")
            else:
                wrong.append(_misfit(module, leaf, change, shape))
    if wrong:
        raise CheckpointError(file.path, refusal(f"changes that do not fit {whose}", wrong))
    return Fitting(edits, frozenset(used))


def _path(place: Place, leaf: str) -> str:
    return f"{place.module}.{leaf}" if place.module else leaf


def _rows(place: Place, parameters: Mapping[str, nn.Parameter], shape: tuple[int, ...]) -> slice:
    """Return the rows of a parameter; a bias has those of its weight."""
    weight = parameters.get(f"{place.module}.weight")
    return place.rows(shape if weight is None else tuple(weight.shape))


def _misfit(module: str, leaf: str, change: Change, shape: tuple[int, ...]) -> str:
    return f"{module}: made for a {leaf} of {list(change.shape)}, the model's is {list(shape)}"


def _spelled(paths: Places, dotted: tuple[str, ...], scored: tuple[str, ...]) -> dict[str, Place]:
    """Return places under all their spellings."""
    return {
        **{prefix + path: place for path, place in paths.items() for prefix in dotted},
        **{
            prefix + path.replace(".", "_"): place
            for path, place in paths.items()
            for prefix in scored
        },
    }


def _whole(*tables: Table) -> dict[str, Place]:
    """Take modules as they are."""
    return {path: Place(ours) for table in tables for path, ours in table.items()}


def _sliced(table: Table, sources: Sources) -> dict[str, Place]:
    """Add diffusers' names, of which several may make up one module."""
    places = _whole(table)
    for original, source in sources.items():
        if original in table:
            parts, rest = len(source.modules), source.modules[-1].endswith("proj_mlp")
            for part, path in enumerate(source.modules):
                places[path] = Place(table[original], part, parts, rest, source.swapped)
    return places


def _unet(network: UNet) -> dict[str, Place]:
    return _whole(ldm_unet.table(network.config), diffusers_unet.table(network.config))


def _mmdit(network: MMDiT) -> dict[str, Place]:
    return _sliced(sd3_mmdit.table(network.config), sd3_sources(network.config.depth))


def _flux(network: Flux) -> dict[str, Place]:
    config = network.config
    return _sliced(bfl_flux.table(config), flux_sources(config.double_depth, config.single_depth))


def _clip(network: TextEncoder) -> dict[str, Place]:
    """Newer libraries leave out the first word of the path."""
    table = clip_text.table(network.config)
    return _whole(table, {path.removeprefix("text_model."): own for path, own in table.items()})


def _t5(network: T5Encoder) -> dict[str, Place]:
    return _whole(t5_text.table(network.config))


PATHS: Mapping[type[nn.Module], Callable[[Any], dict[str, Place]]] = MappingProxyType(
    {UNet: _unet, MMDiT: _mmdit, Flux: _flux, TextEncoder: _clip, T5Encoder: _t5}
)
