"""Laying a document out flat: subgraphs become their parts, reroutes corners of a wire."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from safelight.graph.comfy import recognise
from safelight.graph.modes import BYPASSED, MUTED, handed_on
from safelight.graph.problems import invalid
from safelight.graph.records import ANYTHING, InputSpec
from safelight.graph.schema import Schema
from safelight.graph.subgraphs import (
    DEEPEST,
    ENTRANCE,
    EXIT,
    INSTANCE,
    REROUTE,
    Board,
    Definition,
    Entry,
    boards_of,
    class_of,
    definition_of,
    inputs_of,
    link_of,
    mode_of,
    type_of,
)
from safelight.graph.ui.reading import mapping

_DRAWN = (INSTANCE, ENTRANCE, EXIT, REROUTE)

_Place: TypeAlias = tuple[Board, object]


def flat(document: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return the document with nothing but nodes that run.

    Raises:
        Invalid: When a definition has the wrong shape, a subgraph contains
            itself, or there are too many nodes.
    """
    own = recognise(document) == "safelight"
    nodes = document.get("nodes") if own else document
    if not isinstance(nodes, Mapping) or not any(map(_may_be_drawn, nodes.values())):
        return dict(document)
    subgraphs = document.get("subgraphs") if own else {}
    boards = boards_of(nodes, subgraphs if isinstance(subgraphs, Mapping) else {})
    tracer = _Tracer(schema)
    found: dict[str, Any] = {}
    for board in boards:
        for key, node in board.nodes.items():
            if not board.draws(key):
                if board.path + key in found:
                    raise invalid("invalid_prompt", f"two nodes are called {board.path + key!r}")
                found[board.path + key] = _laid(board, node, tracer) if class_of(node) else node
    return {**document, "nodes": found, "subgraphs": {}} if own else found


def input_behind(
    document: Mapping[str, Any], class_type: str, name: str, schema: Schema
) -> InputSpec | None:
    """Return the input of a node that an input of a subgraph leads to, if one does."""
    subgraphs = document.get("subgraphs")
    for _ in range(DEEPEST):
        definition = definition_of(class_type, subgraphs if isinstance(subgraphs, Mapping) else {})
        if definition is None:
            break
        fed = next(_fed(definition, name), None)
        if fed is None:
            return None
        class_type, name = fed
    spec = schema.nodes.get(class_type)
    return None if spec is None else spec.by_name.get(name)


class _Tracer:
    """Finds what really feeds an input."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._known: dict[tuple[Board, str, int, str], object] = {}

    def origin(self, board: Board, value: object, wanted: str) -> object:
        """Return the link or value that reaches an input of type `wanted`; None for nothing."""
        passed: set[tuple[Board, str, int, str]] = set()
        while (link := link_of(value)) is not None:
            source, slot = link
            place = (board, source, slot, wanted)
            if place in self._known or place in passed:  # the second: reroutes in a circle
                value = self._known.get(place)
                break
            if not board.draws(source):
                value = [board.path + source, slot]
                break
            passed.add(place)
            board, value = self._step(board, source, slot, wanted)
        self._known.update(dict.fromkeys(passed, value))
        return value

    def _step(self, board: Board, key: str, slot: int, wanted: str) -> _Place:
        """Return what stands one step further back, on which board."""
        node = board.nodes[key]
        kind = class_of(node)
        if kind == REROUTE:
            return board, inputs_of(node).get("value")
        inner = board.inner.get(key)
        if inner is not None and inner.definition is not None:
            if mode_of(node) == BYPASSED:
                return board, self._past(inner.definition, node, slot, wanted)
            outputs = inner.definition.outputs
            name = outputs[slot]["name"] if 0 <= slot < len(outputs) else None
            return inner, None if name is None else inner.definition.exit.get(name)
        if kind.startswith(ENTRANCE) and board.definition is not None and board.around is not None:
            return board.around, _given(board, slot)
        return board, None

    def _past(self, definition: Definition, node: Entry, slot: int, wanted: str) -> object:
        """Return what a bypassed instance hands on."""
        if not 0 <= slot < len(definition.outputs):
            return None
        kinds = [type_of(entry) for entry in definition.inputs]
        given = type_of(definition.outputs[slot])
        chosen = handed_on(wanted, slot, given, kinds, self._schema.accepts)
        value = None if chosen is None else inputs_of(node).get(definition.inputs[chosen]["name"])
        return value if link_of(value) is not None else None

    def wanted(self, class_type: str, name: str) -> str:
        """Return the type of an input, as far as it is known."""
        spec = self._schema.nodes.get(class_type)
        entry = None if spec is None else spec.by_name.get(name)
        return ANYTHING if entry is None else entry.type


def _given(board: Board, slot: int) -> object:
    """Return what the instance of a board brings to one of its inputs."""
    inputs = () if board.definition is None else board.definition.inputs
    if not 0 <= slot < len(inputs) or mode_of(board.instance) in MUTED:
        return None
    value = inputs_of(board.instance).get(inputs[slot]["name"])
    return inputs[slot].get("default") if value is None else value


def _laid(board: Board, node: Entry, tracer: _Tracer) -> dict[str, Any]:
    """Return a node with its wires led to nodes that run."""
    kind = class_of(node)
    inputs: dict[str, Any] = {}
    for name, value in inputs_of(node).items():
        if link_of(value) is not None:
            value = tracer.origin(board, value, tracer.wanted(kind, name))
            if value is None:
                continue
        inputs[name] = value
    laid = {**node, "inputs": inputs}
    if board.around is None:
        return laid
    about = dict(mapping(node.get("_meta")))
    if board.silent:
        about["mode"] = "mute"
    match about.get("position"):
        case [int() | float() as x, int() | float() as y]:
            about["position"] = [x + board.shift[0], y + board.shift[1]]
        case _:  # it has no place
            pass
    return {**laid, "_meta": about}


def _fed(definition: Definition, name: str) -> Iterator[tuple[str, str]]:
    """Yield the class and the input of each node that an input of a subgraph feeds."""
    slots = [slot for slot, end in enumerate(definition.inputs) if end["name"] == name]
    starts = [key for key, node in definition.nodes.items() if class_of(node).startswith(ENTRANCE)]
    passed = {(key, slot) for key in starts for slot in slots}
    waiting = list(passed)
    for source in waiting:  # grows meanwhile
        for key, node in definition.nodes.items():
            for entry, value in inputs_of(node).items():
                if link_of(value) != source:
                    continue
                if class_of(node) != REROUTE:
                    yield class_of(node), entry
                elif (key, 0) not in passed:
                    passed.add((key, 0))
                    waiting.append((key, 0))


def _may_be_drawn(node: object) -> bool:
    return class_of(node).startswith(_DRAWN)
