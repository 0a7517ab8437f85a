"""Taking a file of ComfyUI's canvas apart, whichever version wrote it.

Version 0.4 writes wires as lists, version 1 as objects; subgraph definitions
are always of version 1.  Only what cannot be understood at all is refused: a
wire that makes no sense is a wire that is not there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from safelight.graph.problems import ENOUGH, Invalid, Problem, invalid
from safelight.graph.records import ANYTHING, COMBO
from safelight.graph.values import shown

ENTRANCE, EXIT = "-10", "-20"  # what stands for a subgraph's own inputs and outputs
ALWAYS, MUTED, BYPASSED = 0, 2, 4
_SOCKETS = 1_000  # of a node; more are left out
_LONGEST_ID = 200  # characters
_OFF = (MUTED, BYPASSED)  # 1 and 3, on event and on trigger, run like 0


@dataclass(frozen=True, slots=True)
class Socket:
    """An input or output; `widget` tells whether it is the socket of a value."""

    name: str
    type: str
    link: str | None = None
    widget: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """From the output `slot` of `source` to the input `target_slot` of `target`."""

    source: str
    slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class UiNode:
    """One box of the drawing.

    Attributes:
        id: Of the box, on its own board.
        type: A node class, the id of a subgraph, or something only drawn.
        values: What its widgets hold, in their order, or by name.
        named: The same by name, where newer files say so.
    """

    id: str
    type: str
    inputs: tuple[Socket, ...] = ()
    outputs: tuple[Socket, ...] = ()
    mode: int = ALWAYS
    title: str = ""
    position: tuple[float, float] | None = None
    size: tuple[float, float] | None = None
    collapsed: bool = False
    values: Sequence[object] | Mapping[str, object] = ()
    named: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Board:
    """A sheet of boxes and wires: the workflow itself, or what a subgraph holds."""

    name: str
    nodes: Mapping[str, UiNode]
    wires: Mapping[str, Wire]
    inputs: tuple[Socket, ...] = ()
    outputs: tuple[Socket, ...] = ()
    groups: tuple[Mapping[str, object], ...] = ()

    @cached_property
    def ends(self) -> Mapping[int, str]:
        """The wire into each output of the board that has one; of several the first."""
        wires = reversed(list(self.wires.items()))
        ends = {wire.target_slot: key for key, wire in wires if wire.target == EXIT}
        own = {slot: found.link for slot, found in enumerate(self.outputs)}
        return ends | {slot: link for slot, link in own.items() if link is not None}

    @cached_property
    def promoted(self) -> tuple[str, ...]:
        """The inputs of the board that feed a widget inside, in order."""
        slots = {
            wire.slot
            for node in self.nodes.values()
            for socket in node.inputs
            if socket.widget
            and (wire := self.wires.get(socket.link or "")) is not None
            and wire.source == ENTRANCE
        }
        return tuple(socket.name for slot, socket in enumerate(self.inputs) if slot in slots)

    @cached_property
    def size(self) -> int:
        """About how many characters the board takes in a document."""
        return sum(map(_size, self.nodes.values()))


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole file: the top board, the subgraphs by id, the old group nodes by name."""

    id: str | None
    board: Board
    subgraphs: Mapping[str, Board]
    group_nodes: Mapping[str, Mapping[str, object]]
    extra: Mapping[str, object]


def read(ui: Mapping[str, object]) -> Sheet:
    """Return what a file of ComfyUI's canvas holds.

    Raises:
        Invalid: When the nodes are not nodes, naming each that is not.
    """
    problems: list[Problem] = []
    board = _board(ui, "", problems)
    subgraphs: dict[str, Board] = {}
    for definition in _definitions(ui):
        key = definition.get("id")
        if isinstance(key, str) and key not in subgraphs and len(problems) < ENOUGH:
            subgraphs[key] = _board(definition, f"{key}:", problems)
    if problems:
        raise Invalid(problems)
    extra = mapping(ui.get("extra"))
    group_nodes = {
        name: definition
        for name, definition in mapping(extra.get("groupNodes")).items()
        if isinstance(definition, Mapping)
    }
    identifier = ui.get("id")
    known = identifier if isinstance(identifier, str) else None
    return Sheet(known, board, subgraphs, group_nodes, extra)


def read_node(entry: object, identifier: object) -> UiNode:
    """Return one node of a file.

    Raises:
        ValueError: Saying what it lacks.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"a node is an object, got {shown(entry)}")
    key = name_of(identifier)
    if key is None:
        raise ValueError(f"the id of a node is a number or text, got {shown(identifier)}")
    kind = entry.get("type")
    if not isinstance(kind, str):
        raise ValueError(f"the type of a node is text, got {shown(kind)}")
    values = entry.get("widgets_values")
    title, mode = entry.get("title"), entry.get("mode")
    return UiNode(
        id=key,
        type=kind,
        inputs=_sockets(entry.get("inputs")),
        outputs=_sockets(entry.get("outputs")),
        mode=mode if isinstance(mode, int) and mode in _OFF else ALWAYS,
        title=title if isinstance(title, str) else "",
        position=pair(entry.get("pos")),
        size=pair(entry.get("size")),
        collapsed=mapping(entry.get("flags")).get("collapsed") is True,
        values=mapping(values) if isinstance(values, Mapping) else sequence(values),
        named=mapping(entry.get("widgets_values_named")),
        properties=mapping(entry.get("properties")),
    )


def name_of(identifier: object) -> str | None:
    """Return an id, which files write as number or text, as text."""
    if type(identifier) is int and identifier.bit_length() <= 64:
        return str(identifier)
    short = isinstance(identifier, str) and len(identifier) <= _LONGEST_ID
    return str(identifier) if short else None


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object, or an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[object]:
    """Return a JSON array, or an empty one in place of anything else."""
    return value if isinstance(value, list) else ()


def pair(value: object) -> tuple[float, float] | None:
    """Return two numbers, which old files write as {"0": x, "1": y}."""
    if isinstance(value, Mapping):
        value = [value.get("0"), value.get("1")]
    match value:
        case [int() | float() as x, int() | float() as y, *_]:
            return (x, y) if abs(x) < 1e9 and abs(y) < 1e9 else None
        case _:
            return None


def _board(content: Mapping[str, object], path: str, problems: list[Problem]) -> Board:
    found = content.get("nodes")
    if not isinstance(found, list):
        raise invalid("invalid_prompt", f'"nodes" is a list of nodes, got {shown(found)}')
    name = content.get("name")
    groups = (group for group in sequence(content.get("groups")) if isinstance(group, Mapping))
    return Board(
        name=name if isinstance(name, str) else "",
        nodes=_nodes(found, path, problems),
        wires=dict(_wires(sequence(content.get("links")))),
        inputs=_sockets(content.get("inputs")),
        outputs=_sockets(content.get("outputs")),
        groups=tuple(groups),
    )


def _nodes(found: Iterable[object], path: str, problems: list[Problem]) -> dict[str, UiNode]:
    nodes: dict[str, UiNode] = {}
    for index, entry in enumerate(found):
        identifier = entry.get("id") if isinstance(entry, Mapping) else index
        try:
            node = read_node(entry, identifier)
            if node.id in nodes:
                raise ValueError("there are two nodes of this id")
        except ValueError as error:
            key = f"{path}{name_of(identifier) or index}"
            problems.append(Problem(key, None, "invalid_prompt", str(error), f"Node ID '#{key}'"))
            if len(problems) >= ENOUGH:
                break
        else:
            nodes[node.id] = node
    return nodes


def _wires(links: Iterable[object]) -> Iterator[tuple[str, Wire]]:
    for link in links:
        match link:
            case [key, source, slot, target, target_slot, *_]:
                parts: tuple[object, ...] = (key, source, slot, target, target_slot)
            case {
                "id": key,
                "origin_id": source,
                "origin_slot": slot,
                "target_id": target,
                "target_slot": target_slot,
            }:
                parts = (key, source, slot, target, target_slot)
            case _:
                continue
        name, start, end = name_of(parts[0]), name_of(parts[1]), name_of(parts[3])
        if name is not None and start is not None and end is not None:
            yield name, Wire(start, _slot(parts[2]), end, _slot(parts[4]))


def _definitions(ui: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield every subgraph definition, also those that lie inside others."""
    waiting: list[object] = [ui]
    while waiting:
        definitions = mapping(mapping(waiting.pop()).get("definitions"))
        for definition in sequence(definitions.get("subgraphs")):
            if isinstance(definition, Mapping):
                yield definition
                waiting.append(definition)


def _sockets(entries: object) -> tuple[Socket, ...]:
    return tuple(_socket(entry) for entry in sequence(entries)[:_SOCKETS])


def _socket(entry: object) -> Socket:
    found = mapping(entry)
    name, kind = found.get("name"), found.get("type")
    if not isinstance(kind, str) or not kind:
        kind = COMBO if isinstance(kind, list) else ANYTHING
    widget = isinstance(found.get("widget"), Mapping)
    return Socket(name if isinstance(name, str) else "", kind, name_of(found.get("link")), widget)


def _size(node: UiNode) -> int:
    """Return about how many characters a node takes in a document."""
    size = 100 + len(node.title) + len(node.type) + 50 * len(node.inputs)
    waiting: list[object] = [node.values, node.named, node.properties.get("proxyWidgets")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value
        size += len(value) if isinstance(value, str) else 8
    return size


def _slot(value: object) -> int:
    """Return the number of a slot, or -1, where nothing is, for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if type(value) is int and value >= 0 else -1
