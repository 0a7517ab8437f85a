"""Reading a node class: from annotations to records, once, at first use.

All mistakes in a class are reported together, by name of field.
"""

import dataclasses
import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from safelight.graph.hints import Hint, spaced, taken_apart, type_name
from safelight.graph.node import (
    Carries,
    Choice,
    Folder,
    Help,
    Hidden,
    Label,
    Lazy,
    Node,
    NodeDefinitionError,
    Output,
    Range,
    Seed,
    Shown,
    Text,
    Wire,
)
from safelight.graph.records import (
    COMBO,
    HiddenSpec,
    InputSpec,
    NodeSpec,
    OutputSpec,
    Value,
)
from safelight.graph.returns import Showing
from safelight.graph.values import Refused, coerced

# What widgets show where the class gives no default.
_BLANK: Mapping[str, Value] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
_FITS: Mapping[type, frozenset[str]] = {
    Range: frozenset({"INT", "FLOAT"}),
    Seed: frozenset({"INT"}),
    Text: frozenset({"STRING"}),
    Choice: frozenset({"STRING"}),
    Folder: frozenset({"STRING"}),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is known of one node class.

    Attributes:
        spec: What travels as JSON.
        sockets: The classes of its wires by wire name, for finding bases.
        slots: The attribute of the result that holds each output; empty when
            the result itself is the only output.
        promise: The class that `run` must return an instance of, if checkable.
    """

    spec: NodeSpec
    sockets: Mapping[str, type]
    slots: tuple[str, ...]
    promise: type | None


# The outputs, the attributes that hold them, and the promised class.
_Outputs: TypeAlias = tuple[tuple[OutputSpec, ...], tuple[str, ...], type | None]


_READINGS: WeakKeyDictionary[type[Node], Reading] = WeakKeyDictionary()


def read(node_class: type[Node]) -> Reading:
    """Return the records of a node class.

    Raises:
        NodeDefinitionError: Naming the class and all its mistakes.
    """
    reading = _READINGS.get(node_class)
    if reading is None:
        reading = _READINGS[node_class] = _read(node_class)
    return reading


def _read(node_class: type[Node]) -> Reading:
    try:
        hints = get_type_hints(node_class, include_extras=True)
        returned = get_type_hints(node_class.run, include_extras=True).get("return")
    except NameError as error:
        raise NodeDefinitionError(f"{node_class.__name__}: {error}") from error
    mistakes: list[str] = []
    sockets: dict[str, type] = {}
    inputs: list[InputSpec] = []
    hidden: list[HiddenSpec] = []
    for entry in dataclasses.fields(node_class):
        try:
            told = taken_apart(hints[entry.name]).mark(Hidden)
            if told is not None:
                hidden.append(HiddenSpec(name=entry.name, kind=told.kind))
            else:
                inputs.append(_input(entry, hints[entry.name], sockets))
        except (NodeDefinitionError, Refused) as error:
            mistakes.append(f"{entry.name}: {error}")
    outputs: _Outputs = ((), (), None)
    try:
        outputs = _outputs(returned, sockets)
    except NodeDefinitionError as error:
        mistakes.append(f"run: {error}")
    if any(entry.lazy for entry in inputs) and _is_silent(node_class):
        mistakes.append("lazy inputs are made only if `needs` asks for them, and it is not there")
    if mistakes:
        raise NodeDefinitionError(f"{node_class.__name__}: " + "; ".join(mistakes))
    described, slots, promise = outputs
    spec = _spec(node_class, inputs, described, hidden)
    return Reading(spec, sockets, slots, promise)


def _is_silent(node_class: type[Node]) -> bool:
    """Whether a class does not say which of its lazy inputs it needs."""
    return getattr(node_class.needs, "__func__", None) is getattr(Node.needs, "__func__", None)


def _spec(
    node_class: type[Node],
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    hidden: Sequence[HiddenSpec],
) -> NodeSpec:
    return NodeSpec(
        name=node_class.__name__,
        title=node_class.title or spaced(node_class.__name__),
        category=node_class.category,
        help=inspect.cleandoc(node_class.__doc__ or ""),
        version=node_class.version,
        effect=node_class.effect,
        module=node_class.__module__,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        hidden=tuple(hidden),
    )


def _input(entry: dataclasses.Field[object], hint: object, sockets: dict[str, type]) -> InputSpec:
    parts = taken_apart(hint)
    kind = _kind(parts, sockets)
    given = entry.default is not dataclasses.MISSING
    if parts.optional != (given and entry.default is None):
        raise NodeDefinitionError("an optional input is written `X | None = None`")
    found = parts.mark(Help)
    spec = InputSpec(
        name=entry.name,
        title=_label(parts, entry.name),
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
        return dataclasses.replace(spec, default=coerced(spec, entry.default))
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
    return label.text if label else name.replace("_", " ").capitalize()


def _outputs(returned: object, sockets: dict[str, type]) -> _Outputs:
    if returned is None:
        raise NodeDefinitionError("say what it returns; a node without outputs returns Shown")
    if get_origin(returned) is Showing:
        described, slots, _ = _outputs(get_args(returned)[0], sockets)
        return described, slots, Showing
    parts = taken_apart(returned)
    core = parts.core
    if parts.many:
        return (_output(parts, None, sockets),), (), Sequence
    if not isinstance(core, type):
        return (_output(parts, None, sockets),), (), None
    if core is types.NoneType or issubclass(core, Shown):
        return (), (), core
    if _is_bundle(core, parts):
        hints = get_type_hints(core, include_extras=True)
        names = _field_names(core)
        members = [_output(taken_apart(hints[name]), name.upper(), sockets) for name in names]
        return tuple(members), names, core
    checkable = core is not float and not parts.mark(Wire)  # an int will do for a float
    return (_output(parts, None, sockets),), (), core if checkable else None


def _is_bundle(core: type, parts: Hint) -> bool:
    """Whether a class is several outputs, rather than one value on a wire."""
    if hasattr(core, "wire") or any(isinstance(mark, Output | Wire) for mark in parts.marks):
        return False
    return dataclasses.is_dataclass(core) or hasattr(core, "_fields")


def _field_names(core: type) -> tuple[str, ...]:
    if dataclasses.is_dataclass(core):
        return tuple(entry.name for entry in dataclasses.fields(core))
    return tuple(getattr(core, "_fields"))  # noqa: B009  # a NamedTuple's own name for it


def _output(parts: Hint, name: str | None, sockets: dict[str, type]) -> OutputSpec:
    kind = type_name(parts, sockets)
    mark = parts.mark(Output)
    name = mark.name if mark else name or kind
    title = name.replace("_", " ").capitalize()
    about = mark.help if mark else ""
    return OutputSpec(name=name, title=title, type=kind, many=parts.many, help=about)
