"""Taking one annotation apart: its type, the marks beside it, whether it may be None."""

import re
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin

from safelight.graph.node import Carries, NodeDefinitionError, Wire
from safelight.graph.records import ANYTHING, COMBO, PLAIN_TYPES
from safelight.graph.returns import Blocked, Expansion
from safelight.graph.wiring import Link

M = TypeVar("M")

_BESIDES = frozenset({types.NoneType, Blocked, Expansion})


@dataclass(frozen=True, slots=True)
class Hint:
    """An annotation taken apart; `many` says that it is a sequence of the core."""

    core: object
    marks: Sequence[object]
    optional: bool
    many: bool = False

    def mark(self, kind: type[M]) -> M | None:
        """Return the first mark of that kind."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


def taken_apart(hint: object) -> Hint:
    """Unfold Annotated, Sequence and `| None`, however nested.

    What `run` may return besides its outputs is left aside.
    """
    marks: list[object] = []
    optional = many = False
    while True:
        if get_origin(hint) is Annotated:
            hint, *found = get_args(hint)
            marks.extend(found)
        elif get_origin(hint) in (Union, types.UnionType):
            members = [member for member in get_args(hint) if member not in _BESIDES]
            if len(members) != 1:
                raise NodeDefinitionError("want one type, and perhaps None besides")
            optional = optional or types.NoneType in get_args(hint)
            hint = members[0]
        elif get_origin(hint) is Sequence and not many:
            many = True
            (hint,) = get_args(hint)
        else:
            return Hint(hint, marks, optional, many)


def type_name(hint: Hint, sockets: dict[str, type]) -> str:
    """Return the name of a widget type or wire, noting the classes of wires in `sockets`.

    Raises:
        NodeDefinitionError: When the annotation is no class.
    """
    wire = hint.mark(Wire)
    if wire is not None:
        return wire.name
    core = hint.core
    carried = hint.mark(Carries)
    if (core is Link) != (carried is not None):
        raise NodeDefinitionError("a wire itself is written `Annotated[Link, Carries(X)]`")
    if carried is not None:
        core = carried.kind
    if get_origin(core) is Literal:
        return COMBO
    if not isinstance(core, type) or get_origin(core) is not None:
        raise NodeDefinitionError(f"{core!r} is not a class")
    if core in PLAIN_TYPES:
        return PLAIN_TYPES[core]
    name = wire_name(core)
    sockets[name] = core
    return name


def wire_name(kind: type) -> str:
    """Return the name of the wires that carry a class: its `wire`, else its name in capitals."""
    if kind is object:
        return ANYTHING
    name = getattr(kind, "wire", None)
    return name if isinstance(name, str) else spaced(kind.__name__).upper().replace(" ", "_")


def spaced(name: str) -> str:
    """Return a class name as words: CLIPTextEncode -> CLIP Text Encode."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
