"""What is known of a node without its code: plain records that travel as JSON.

The server has only these; the classes they were read from live in the worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

# A value as it stands in a workflow, after checking.
Value: TypeAlias = bool | int | float | str

ANYTHING = "*"
COMBO = "COMBO"
PLAIN_TYPES: Mapping[type, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN"}
WIDGET_TYPES = frozenset({*PLAIN_TYPES.values(), COMBO})


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One input of a node.

    Attributes:
        name: As workflows write it.
        title: As the canvas writes it.
        type: INT FLOAT STRING BOOLEAN COMBO, or the name of a wire.
        required: Whether the node cannot do without; an input that may be
            None can.
        omissible: Whether a workflow may leave it out, taking the default.
        default: What the canvas starts with; None for sockets.
        min: The least number allowed.
        max: The greatest number allowed.
        step: The canvas's increment.
        round: The precision the canvas shows.
        choices: The texts allowed; None when free or files of a folder.
        folder: The kind of folder whose files are the choices.
        upload: Whether the canvas offers to add a file to that folder.
        multiline: Whether the text may have several lines.
        seed: Whether the number is a seed.
        many: Whether it takes a whole list of values at once.
        lazy: Whether what its wire brings is made only on demand.
        raw: Whether it takes the wire itself.
        help: What it means, in plain words.
    """

    name: str
    title: str
    type: str
    required: bool = True
    omissible: bool = False
    default: Value | None = None
    min: float | None = None
    max: float | None = None
    step: float | None = None
    round: float | None = None
    choices: tuple[str, ...] | None = None
    folder: str | None = None
    upload: bool = False
    multiline: bool = False
    seed: bool = False
    many: bool = False
    lazy: bool = False
    raw: bool = False
    help: str = ""

    @property
    def socket(self) -> bool:
        """Whether only a wire can feed it."""
        return self.type not in WIDGET_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """One output of a node: the name other programs know, the type of its wire.

    `many` says that it is a list of such values.
    """

    name: str
    title: str
    type: str
    many: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenSpec:
    """What the executor tells a node of itself and the graph: under which name, and what."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSpec:
    """One kind of wire; `bases` are the kinds that also accept it."""

    name: str
    title: str
    bases: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node class; inputs and outputs stand in the order of their declaration."""

    name: str
    title: str
    category: str
    help: str
    version: int
    effect: bool
    module: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    hidden: tuple[HiddenSpec, ...] = ()
    by_name: Mapping[str, InputSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the inputs by name."""
        object.__setattr__(self, "by_name", {entry.name: entry for entry in self.inputs})
