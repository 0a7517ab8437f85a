"""The inputs of a node class, read from its fields.

As a rule a field is an input of the same name.  `KnownAs` gives it another name, and `Each`
gathers several inputs into one field, a mapping of their names to their values.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from typing import Any, Literal, get_args, get_origin

from safelight.graph.hints import Hint, taken_apart, type_name
from safelight.graph.node import (
    Carries,
    Choice,
    Each,
    Folder,
    Help,
    Hidden,
    KnownAs,
    Label,
    Lazy,
    NodeDefinitionError,
    Range,
    Seed,
    Text,
)
from safelight.graph.records import COMBO, HiddenSpec, InputSpec, Value
from safelight.graph.values import coerced

# What widgets show where the class gives no default.
_BLANK: Mapping[str, Value] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
_FITS: Mapping[type, frozenset[str]] = {
    Range: frozenset({"INT", "FLOAT"}),
    Seed: frozenset({"INT"}),
    Text: frozenset({"STRING"}),
    Choice: frozenset({"STRING"}),
    Folder: frozenset({"STRING"}),
}


class Inlets:
    """The inputs that a class has been found to have.

    Attributes:
        inputs: In the order of their declaration.
        hidden: What the executor tells.
        renamed: The fields of inputs that are called otherwise, by the name of the input.
        gathered: The names of the inputs that a field gathers, by field.
    """

    def __init__(self, sockets: dict[str, type]) -> None:
        self.inputs: list[InputSpec] = []
        self.hidden: list[HiddenSpec] = []
        self.renamed: dict[str, str] = {}
        self.gathered: dict[str, tuple[str, ...]] = {}
        self._sockets = sockets

    def add(self, entry: dataclasses.Field[Any], hint: object) -> None:
        """Take in one field.

        Raises:
            NodeDefinitionError: When it is written wrongly.
            Refused: When its default does not fit.
        """
        parts = taken_apart(hint)
        told, other, each = parts.mark(Hidden), parts.mark(KnownAs), parts.mark(Each)
        name = other.name if other else entry.name
        if told is not None:
            self.hidden.append(HiddenSpec(name=entry.name, kind=told.kind))
        elif each is not None:
            self._gather(entry, parts, each)
        else:
            self._take(_input(name, parts, entry.default, self._sockets))
            if other is not None:
                self.renamed[name] = entry.name

    def _gather(self, entry: dataclasses.Field[Any], parts: Hint, each: Each) -> None:
        members = get_args(parts.core)
        if get_origin(parts.core) is not Mapping or members[0] is not str:
            raise NodeDefinitionError("what gathers inputs is written `Mapping[str, X]`")
        if entry.default is not MISSING or parts.optional:
            raise NodeDefinitionError("Each itself gives the default of every input")
        value = taken_apart(members[1])
        value = dataclasses.replace(value, marks=[*parts.marks, *value.marks])
        default = MISSING if each.default is None and not value.optional else each.default
        self.gathered[entry.name] = tuple(each.names)
        for name in each.names:
            self._take(_input(name, value, default, self._sockets))

    def _take(self, spec: InputSpec) -> None:
        if any(spec.name == other.name for other in self.inputs):
            raise NodeDefinitionError(f"there are two inputs called {spec.name!r}")
        self.inputs.append(spec)


def _input(name: str, parts: Hint, default: Any, sockets: dict[str, type]) -> InputSpec:
    kind = _kind(parts, sockets)
    given = default is not MISSING
    if parts.optional != (given and default is None):
        raise NodeDefinitionError("an optional input is written `X | None = None`")
    found = parts.mark(Help)
    spec = InputSpec(
        name=name,
        title=_label(parts, name),
        type=kind,
        required=not parts.optional,
        omissible=given,
        help=found.text if found else "",
        many=parts.many,
        **_widget(parts),
    )
    if spec.lazy and not parts.optional:
        raise NodeDefinitionError("a lazy input may be None, for it may never be made")
    if given and not parts.optional:
        if spec.socket:
            raise NodeDefinitionError("a socket has no default, except None")
        return dataclasses.replace(spec, default=coerced(spec, default))
    if spec.choices and not parts.optional:
        return dataclasses.replace(spec, default=spec.choices[0])
    return spec if parts.optional else dataclasses.replace(spec, default=_blank(spec))


def _blank(spec: InputSpec) -> Value | None:
    """Return what a widget shows before the user chose: nothing, or the least allowed."""
    blank = _BLANK.get(spec.type)
    if spec.min is not None and isinstance(blank, int | float) and blank < spec.min:
        return type(blank)(spec.min)
    return blank


def _kind(parts: Hint, sockets: dict[str, type]) -> str:
    """Return the type name of an input, after seeing that its marks fit."""
    kind = type_name(parts, sockets)
    for mark in parts.marks:
        wanted = _FITS.get(type(mark))
        if wanted is not None and kind not in wanted:
            raise NodeDefinitionError(f"{type(mark).__name__} does not fit {kind}")
    return COMBO if parts.mark(Choice) or parts.mark(Folder) else kind


def _widget(parts: Hint) -> dict[str, Any]:
    """Return the fields of InputSpec that the marks give."""
    fields: dict[str, Any] = {}
    if get_origin(parts.core) is Literal:
        fields["choices"] = _texts(get_args(parts.core))
    for mark in parts.marks:
        match mark:
            case Range(low, high, step, rounding):
                fields |= {"min": low, "max": high, "step": step, "round": rounding}
            case Choice(names):
                fields["choices"] = _texts(names)
            case Folder(kind, upload):
                fields |= {"folder": kind, "upload": upload}
            case Text(multiline):
                fields["multiline"] = multiline
            case Seed():
                fields["seed"] = True
            case Lazy():
                fields["lazy"] = True
            case Carries():
                fields["raw"] = True
            case _:  # Help and Label are read elsewhere; other libraries have their own marks
                pass
    return fields


def _texts(names: Sequence[object]) -> tuple[str, ...]:
    if not names or not all(isinstance(name, str) for name in names):
        raise NodeDefinitionError("choices are texts, at least one")
    return tuple(str(name) for name in names)


def _label(parts: Hint, name: str) -> str:
    label = parts.mark(Label)
    return label.text if label else re.sub(r"[_.]+", " ", name).strip().capitalize()
