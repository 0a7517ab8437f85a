"""Subgraphs of a document: their definitions, and the boards they are where they are used.

A definition under "subgraphs" is a board with an entrance and an exit, which
are nodes too: what the entrance gives out is what an instance is given, by
place; what the exit takes in is what an instance gives, by name.

    "subgraphs": {"walk": {
        "name": "Walk",
        "inputs": [{"name": "model", "type": "MODEL"},
                   {"name": "steps", "type": "INT", "default": 20}],
        "outputs": [{"name": "latent", "type": "LATENT"}],
        "nodes": {"in": {"class_type": "inputs:walk"},
                  "out": {"class_type": "outputs:walk", "inputs": {"latent": ["5", 0]}},
                  "5": {"class_type": "KSampler",
                        "inputs": {"model": ["in", 0], "steps": ["in", 1]}}}}}

An instance is a node of class "subgraph:walk".  It owns its values; what it
does not say is as in the definition.  Its parts get ids as "12:5".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from safelight.graph.modes import OFF
from safelight.graph.problems import invalid
from safelight.graph.records import ANYTHING
from safelight.graph.ui.reading import mapping
from safelight.graph.values import shown

INSTANCE, ENTRANCE, EXIT = "subgraph:", "inputs:", "outputs:"
REROUTE = "Reroute"  # its one input is called "value"
DEEPEST = 50  # subgraphs, one within the other
_MOST_NODES = 100_000  # that subgraphs within subgraphs may unfold to

Entry: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """One subgraph, seen to have the right shape."""

    name: str
    inputs: tuple[Entry, ...]
    outputs: tuple[Entry, ...]
    nodes: Entry

    @property
    def exit(self) -> Entry:
        """What the exit takes in, by name of output."""
        exits = (node for node in self.nodes.values() if class_of(node).startswith(EXIT))
        return next(map(inputs_of, exits), {})


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """A sheet of nodes in use: a subgraph that is used twice has two.

    Attributes:
        path: What the ids of its nodes begin with.
        silent: Whether a node around it is switched off, so that nothing in it runs.
        shift: By how much it lies from where its definition drew it.
    """

    nodes: Entry
    path: str = ""
    silent: bool = False
    definition: Definition | None = None
    instance: Entry = field(default_factory=dict)
    around: "Board | None" = None
    shift: tuple[float, float] = (0, 0)
    inner: "dict[str, Board]" = field(default_factory=dict)

    def draws(self, key: str) -> bool:
        """Whether a node is only drawn, so that nothing of it is left when it runs."""
        kind = class_of(self.nodes.get(key))
        edge = self.definition is not None and kind.startswith((ENTRANCE, EXIT))
        return edge or kind == REROUTE or key in self.inner


def boards_of(nodes: Entry, subgraphs: Entry) -> list[Board]:
    """Return the boards in use, each after the one around it."""
    boards = [Board(nodes)]
    count = 0
    for board in boards:  # grows meanwhile
        count += len(board.nodes)
        if count > _MOST_NODES:
            raise invalid("invalid_prompt", f"the workflow has more than {_MOST_NODES} nodes")
        for key, node in board.nodes.items():
            definition = definition_of(class_of(node), subgraphs)
            if definition is not None:
                _refuse_endless(board, class_of(node), definition.name)
                board.inner[key] = Board(
                    nodes=definition.nodes,
                    path=f"{board.path}{key}:",
                    silent=board.silent or mode_of(node) in OFF,
                    definition=definition,
                    instance=node,
                    around=board,
                    shift=_shift(board, node, definition),
                )
                boards.append(board.inner[key])
    return boards


def _refuse_endless(board: Board, kind: str, name: str) -> None:
    around: Board | None = board
    depth = 0
    while around is not None:
        depth += 1
        if class_of(around.instance) == kind:
            raise invalid("invalid_prompt", f"the subgraph {shown(name)} contains itself")
        if depth > DEEPEST:
            raise invalid("invalid_prompt", f"its subgraphs lie more than {DEEPEST} deep")
        around = around.around


def definition_of(kind: str, subgraphs: Entry) -> Definition | None:
    """Return the definition that a class of node stands for, or None when there is none."""
    name = kind.removeprefix(INSTANCE)
    found = subgraphs.get(name) if kind.startswith(INSTANCE) else None
    if found is None:
        return None
    nodes = mapping(found).get("nodes")
    if not isinstance(nodes, Mapping) or not all(isinstance(key, str) for key in nodes):
        raise invalid("invalid_prompt", f"the subgraph {shown(name)} has no nodes by id")
    title = found.get("name")
    return Definition(
        name=title if isinstance(title, str) and title else name,
        inputs=tuple(_ends(found, name, "inputs")),
        outputs=tuple(_ends(found, name, "outputs")),
        nodes=nodes,
    )


def _ends(definition: Entry, name: str, part: str) -> Iterator[Entry]:
    ends = definition.get(part, [])
    for end in ends if isinstance(ends, list) else [ends]:
        if not isinstance(mapping(end).get("name"), str):
            wish = 'a list of objects with a "name" and a "type"'
            raise invalid("invalid_prompt", f"{part} of the subgraph {shown(name)} must be {wish}")
        yield end


def _shift(board: Board, node: Entry, definition: Definition) -> tuple[float, float]:
    """Return by how much to move the parts so that the first stands where the instance does."""
    edges = (ENTRANCE, EXIT)
    parts = [part for part in definition.nodes.values() if not class_of(part).startswith(edges)]
    places = [_position(part) for part in parts]
    x, y = _position(node)
    left = min((place[0] for place in places), default=0)
    top = min((place[1] for place in places), default=0)
    return board.shift[0] + x - left, board.shift[1] + y - top


def _position(node: object) -> tuple[float, float]:
    match mapping(mapping(node).get("_meta")).get("position"):
        case [int() | float() as x, int() | float() as y]:
            return x, y
        case _:
            return 0, 0


def link_of(value: object) -> tuple[str, int] | None:
    """Return a link, a node id and an output counted from 0; None for any other value."""
    match value:
        case [str(source), int(slot)] if type(slot) is int:
            return source, slot
        case _:
            return None


def class_of(node: object) -> str:
    """Return the class of a node as a document writes it; "" when it has none."""
    kind = mapping(node).get("class_type")
    return kind if isinstance(kind, str) else ""


def inputs_of(node: object) -> Entry:
    """Return the inputs of a node, none of them checked."""
    return mapping(mapping(node).get("inputs"))


def mode_of(node: object) -> str:
    """Return when a node runs: "always", "mute", "bypass" ..."""
    mode = mapping(mapping(node).get("_meta")).get("mode", "always")
    return mode if isinstance(mode, str) else "always"


def type_of(end: Entry) -> str:
    """Return the type of an input or output of a subgraph."""
    kind = end.get("type")
    return kind if isinstance(kind, str) else ANYTHING
