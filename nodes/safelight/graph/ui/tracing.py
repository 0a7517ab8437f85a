"""Following wires through everything that is only drawn.

Subgraphs are boards within boards, reroutes are corners of a wire, primitives
are values drawn as boxes: none of them exists when a workflow runs.  A wire
into an input is followed back, in and out of boards, until it comes from a
node that does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from safelight.graph.modes import handed_on
from safelight.graph.records import ANYTHING
from safelight.graph.schema import Schema
from safelight.graph.ui.reading import (
    ALWAYS,
    BYPASSED,
    ENTRANCE,
    MUTED,
    Board,
    UiNode,
    Wire,
)
from safelight.graph.wiring import Link

PRIMITIVE = "PrimitiveNode"
REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})
NOTES = frozenset({"Note", "MarkdownNote"})
# A pair of a widespread pack: a wire that is not drawn, from the box that sets a name to those
# that get it.
SET, GET = "SetNode", "GetNode"
DRAWN = REROUTES | NOTES | {PRIMITIVE, SET, GET}
RENAMED: Mapping[str, str] = {
    "T2IAdapterLoader": "ControlNetLoader",
    "ConditioningAverage ": "ConditioningAverage",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
}


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One board in use: a subgraph that is used twice has two frames.

    Attributes:
        path: What the ids of its nodes begin with.
        mode: What the boards around it make of all its nodes.
        promoted: Values that the instance holds for inputs of its board.
        overrides: Values that it holds for widgets inside, by node and widget.
        children: The boards that stand on this one, by id of their instance.
    """

    board: Board
    path: str = ""
    mode: int = ALWAYS
    parent: "Frame | None" = None
    instance: UiNode | None = None
    promoted: Mapping[str, object] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    children: "dict[str, Frame]" = field(default_factory=dict)
    offset: tuple[float, float] = (0.0, 0.0)

    def mode_of(self, node: UiNode) -> int:
        """Return the mode of a node, given all boards around it."""
        if MUTED in (self.mode, node.mode):
            return MUTED
        return BYPASSED if BYPASSED in (self.mode, node.mode) else ALWAYS


@dataclass(frozen=True, slots=True)
class Given:
    """A value that comes by wire, from a primitive or a subgraph's own widget."""

    value: object
    control: object = None


Origin: TypeAlias = Link | Given | None
_Place: TypeAlias = tuple[Frame, str]


class Tracer:
    """Finds what really feeds an input."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._named: dict[Frame, dict[str, UiNode]] = {}
        self._known: dict[tuple[Frame, str, str], Origin] = {}

    def origin(self, frame: Frame, link: str, wanted: str) -> Origin:
        """Return what the wire `link` of a board brings to an input of type `wanted`."""
        passed: set[tuple[Frame, str, str]] = set()
        found: Origin = None
        place: _Place | None = (frame, link)
        while place is not None:
            key = (*place, wanted)
            if key in self._known:
                found = self._known[key]
                break
            if key in passed:  # reroutes in a circle
                break
            passed.add(key)
            step = self._step(*place, wanted)
            place = step if isinstance(step, tuple) else None
            if not isinstance(step, tuple):
                found = step
        self._known.update(dict.fromkeys(passed, found))
        return found

    def _step(self, frame: Frame, link: str, wanted: str) -> "_Place | Origin":
        """Return the wire further back, or the end."""
        wire = frame.board.wires.get(link)
        if wire is None:
            return None
        if wire.source == ENTRANCE:
            return _outside(frame, wire)
        node = frame.board.nodes.get(wire.source)
        if node is None:
            return None
        child = frame.children.get(node.id)
        if child is not None and frame.mode_of(node) != BYPASSED:
            end = child.board.ends.get(wire.slot)
            return None if end is None else (child, end)
        if child is None and node.type in DRAWN:
            return self._drawn(frame, node, wire.slot)
        if child is not None or (frame.mode_of(node) == BYPASSED and not self._is_known(node)):
            return self._past(frame, node, wire.slot, wanted)
        return None if wire.slot < 0 else Link(frame.path + node.id, wire.slot)

    def _drawn(self, frame: Frame, node: UiNode, slot: int) -> "_Place | Origin":
        """Return what comes out of a box that is only drawn."""
        if node.type == PRIMITIVE:
            return _primitive(node)
        if node.type != GET:
            return _input(frame, node, slot if slot < len(node.inputs) else 0)
        around: Frame | None = frame
        while around is not None:
            setter = self._setters(around).get(_first(node))
            if setter is not None:
                return _input(around, setter, 0)
            around = around.parent
        return None

    def _setters(self, frame: Frame) -> dict[str, UiNode]:
        """Return the boxes of a board that set a name, by that name."""
        if frame not in self._named:
            nodes = (node for node in frame.board.nodes.values() if node.type == SET)
            self._named[frame] = {_first(node): node for node in nodes}
        return self._named[frame]

    def _is_known(self, node: UiNode) -> bool:
        return RENAMED.get(node.type, node.type) in self._schema.nodes

    def _past(self, frame: Frame, node: UiNode, slot: int, wanted: str) -> _Place | None:
        """Return the wire that a bypassed box hands on, going by what it was saved with."""
        kinds = [socket.type for socket in node.inputs]
        given = node.outputs[slot].type if 0 <= slot < len(node.outputs) else ANYTHING
        chosen = handed_on(wanted, max(slot, 0), given, kinds, _fits)
        return None if chosen is None else _input(frame, node, chosen)


def _outside(frame: Frame, wire: Wire) -> "_Place | Origin":
    """Leave a board through one of its inputs."""
    if frame.parent is None or frame.instance is None:
        return None
    if not 0 <= wire.slot < len(frame.board.inputs):
        return None
    name = frame.board.inputs[wire.slot].name
    for socket in frame.instance.inputs:
        if socket.name == name and socket.link is not None:
            return frame.parent, socket.link
    return Given(frame.promoted[name]) if name in frame.promoted else None


def _input(frame: Frame, node: UiNode, index: int) -> _Place | None:
    link = node.inputs[index].link if 0 <= index < len(node.inputs) else None
    return None if link is None else (frame, link)


def _primitive(node: UiNode) -> Given | None:
    values = list(node.values.values() if isinstance(node.values, Mapping) else node.values)
    return Given(values[0], values[1] if len(values) > 1 else None) if values else None


def _first(node: UiNode) -> str:
    """Return the name that a box sets or gets."""
    given = _primitive(node)
    return given.value if given is not None and isinstance(given.value, str) else ""


def _fits(wanted: str, given: str) -> bool:
    """Whether two types as the canvas writes them go together."""
    if ANYTHING in (wanted, given):
        return True
    kinds = set(wanted.upper().split(","))
    return not kinds.isdisjoint(given.upper().split(","))
