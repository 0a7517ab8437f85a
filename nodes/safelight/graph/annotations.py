"""Reading a node class: from annotations to records, once, at first use.

All mistakes in a class are reported together, by name of field.
"""

import dataclasses
import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from safelight.graph.hints import Hint, spaced, taken_apart, type_name
from safelight.graph.inlets import Inlets
from safelight.graph.node import Node, NodeDefinitionError, Output, Shown, Wire, name_of
from safelight.graph.records import NodeSpec, OutputSpec
from safelight.graph.returns import Showing
from safelight.graph.values import Refused


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is known of one node class.

    Attributes:
        spec: What travels as JSON.
        sockets: The classes of its wires by wire name, for finding bases.
        slots: The attribute of the result that holds each output; empty when
            the result itself is the only output.
        promise: The class that `run` must return an instance of, if checkable.
        renamed: The fields of inputs that are called otherwise, by the name of the input.
        gathered: The names of the inputs that a field gathers, by field.
    """

    spec: NodeSpec
    sockets: Mapping[str, type]
    slots: tuple[str, ...]
    promise: type | None
    renamed: Mapping[str, str]
    gathered: Mapping[str, tuple[str, ...]]


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
    inlets = Inlets(sockets)
    for entry in dataclasses.fields(node_class):
        try:
            inlets.add(entry, hints[entry.name])
        except (NodeDefinitionError, Refused) as error:
            mistakes.append(f"{entry.name}: {error}")
    outputs: _Outputs = ((), (), None)
    try:
        outputs = _outputs(returned, sockets)
    except NodeDefinitionError as error:
        mistakes.append(f"run: {error}")
    if any(entry.lazy for entry in inlets.inputs) and _is_silent(node_class):
        mistakes.append("lazy inputs are made only if `needs` asks for them, and it is not there")
    if mistakes:
        raise NodeDefinitionError(f"{node_class.__name__}: " + "; ".join(mistakes))
    described, slots, promise = outputs
    spec = _spec(node_class, inlets, described)
    return Reading(spec, sockets, slots, promise, inlets.renamed, inlets.gathered)


def _is_silent(node_class: type[Node]) -> bool:
    """Whether a class does not say which of its lazy inputs it needs."""
    return getattr(node_class.needs, "__func__", None) is getattr(Node.needs, "__func__", None)


def _spec(node_class: type[Node], inlets: Inlets, outputs: Sequence[OutputSpec]) -> NodeSpec:
    return NodeSpec(
        name=name_of(node_class),
        title=node_class.title or spaced(name_of(node_class)),
        category=node_class.category,
        help=inspect.cleandoc(node_class.__doc__ or ""),
        version=node_class.version,
        effect=node_class.effect,
        module=node_class.__module__,
        inputs=tuple(inlets.inputs),
        outputs=tuple(outputs),
        hidden=tuple(inlets.hidden),
    )


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
