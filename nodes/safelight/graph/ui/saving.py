"""From a document to a file that ComfyUI's canvas opens, in version 0.4.

Wires get numbers, values their places; what only our documents have is kept
under `extra`, where the canvas leaves it alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from safelight.graph.comfy import NodeText, nodes_of
from safelight.graph.records import ANYTHING, NodeSpec
from safelight.graph.schema import Schema
from safelight.graph.ui.opening import OWN
from safelight.graph.ui.reading import mapping, sequence
from safelight.graph.ui.widgets import CONTROL, FILTER, UPLOAD, default_of, layout
from safelight.graph.values import Refused, coerced

VERSION = 0.4
_MODES: Mapping[str, int] = {"mute": 2, "never": 2, "bypass": 4}
_WIDTH, _ROW, _COLUMN = 280, 24, 340  # pixels, for nodes that have no place yet
_ALONG: Mapping[str, object] = {FILTER: "", UPLOAD: "image"}


class Saving:
    """One document being turned into a file of ComfyUI's canvas."""

    def __init__(self, document: object, schema: Schema) -> None:
        self._document = mapping(document)
        self._schema = schema
        self._nodes = nodes_of(document)
        self._own = self._document if OWN in self._document else {}
        self._about = mapping(self._own["nodes"]) if self._own else self._document
        self._numbers = _numbered(self._nodes)
        self._links: list[list[Any]] = []
        self._leaving: dict[str, dict[int, list[int]]] = {}  # wires by source and slot

    def ui(self) -> dict[str, Any]:
        """Return the file."""
        inputs = {key: self._inputs(key, node) for key, node in self._nodes.items()}
        nodes = [
            self._node(order, key, self._nodes[key], inputs[key])
            for order, key in enumerate(_ordered(self._nodes))
        ]
        groups, notes = self._frames(len(nodes))
        ui: dict[str, Any] = {
            "revision": 0,
            "last_node_id": max([0, *self._numbers.values(), *(note["id"] for note in notes)]),
            "last_link_id": len(self._links),
            "nodes": nodes + notes,
            "links": self._links,
            "groups": groups,
            "config": {},
            "extra": {OWN: self._kept()},
            "version": VERSION,
        }
        identifier = self._own.get("id")
        return {"id": identifier, **ui} if isinstance(identifier, str) else ui

    def _inputs(self, key: str, node: NodeText) -> list[dict[str, Any]]:
        """Return the sockets of a node, and number the wires into them."""
        spec = self._schema.nodes.get(node.class_type)
        kinds = {} if spec is None else {entry.name: entry for entry in spec.inputs}
        sockets: list[dict[str, Any]] = []
        for name in [*kinds, *(name for name in node.inputs if name not in kinds)]:
            link = self._link(node.inputs.get(name))
            entry = kinds.get(name)
            if link is None and (entry is None or not entry.socket):
                continue
            kind = ANYTHING if entry is None else entry.type
            socket: dict[str, Any] = {"name": name, "type": kind, "link": None}
            if entry is not None and not entry.socket:
                socket["widget"] = {"name": name}
            if link is not None:
                socket["link"] = self._wire(link, key, len(sockets), kind)
            sockets.append(socket)
        return sockets

    def _link(self, value: object) -> tuple[str, int] | None:
        match value:
            case [str(source), int(slot)] if source in self._nodes and 0 <= slot < 1_000:
                return source, int(slot)
            case _:
                return None

    def _wire(self, link: tuple[str, int], key: str, socket: int, wanted: str) -> int:
        number = len(self._links) + 1
        source, slot = link
        spec = self._schema.nodes.get(self._nodes[source].class_type)
        known = spec is not None and slot < len(spec.outputs)
        kind = spec.outputs[slot].type if known and spec is not None else wanted
        ends = [self._numbers[source], slot, self._numbers[key], socket]
        self._links.append([number, *ends, kind])
        self._leaving.setdefault(source, {}).setdefault(slot, []).append(number)
        return number

    def _node(
        self, order: int, key: str, node: NodeText, inputs: list[dict[str, Any]]
    ) -> dict[str, Any]:
        spec = self._schema.nodes.get(node.class_type)
        meta = mapping(mapping(self._about[key]).get("_meta"))
        values = self._values(node, spec, meta)
        place = sequence(meta.get("position"))
        position = place if len(place) == 2 else [order % 8 * _COLUMN, order // 8 * 2 * _COLUMN]
        saved: dict[str, Any] = {
            "id": self._numbers[key],
            "type": node.class_type,
            "pos": list(position),
            "size": [_WIDTH, _ROW * (2 + len(inputs) + len(values))],
            "flags": {"collapsed": True} if meta.get("collapsed") is True else {},
            "order": order,
            "mode": _MODES.get(node.mode, 0),
            "inputs": inputs,
            "outputs": list(self._outputs(key, spec)),
            "properties": {"Node name for S&R": node.class_type},
            "widgets_values": values,
        }
        return {**saved, "title": node.title} if node.title else saved

    def _outputs(self, key: str, spec: NodeSpec | None) -> Iterator[dict[str, Any]]:
        names = [] if spec is None else [(entry.name, entry.type) for entry in spec.outputs]
        leaving = self._leaving.get(key, {})
        last = max(leaving, default=-1)
        names += [(str(slot), ANYTHING) for slot in range(len(names), last + 1)]
        for slot, (name, kind) in enumerate(names):
            links = leaving.get(slot)
            yield {"name": name, "type": kind, "links": links, "slot_index": slot}

    def _values(
        self, node: NodeText, spec: NodeSpec | None, meta: Mapping[str, object]
    ) -> list[object] | dict[str, object]:
        """Return what the widgets hold, in their order; by name where that is not known."""
        if spec is None:
            kept = meta.get("widgets_values")
            if isinstance(kept, list):
                return list(kept)
            literal = {k: v for k, v in node.inputs.items() if not isinstance(v, list)}
            return {name: _unwrapped(value) for name, value in literal.items()}
        values: list[object] = []
        for name, entry in layout(spec):
            if entry is None:
                control = meta.get("seed_control", "fixed")
                values.append(control if name == CONTROL else _ALONG[name])
                continue
            value = node.inputs.get(name)
            if value is None or isinstance(value, list):
                values.append(default_of(entry))
                continue
            try:
                values.append(coerced(entry, value))  # "7", for numbers beyond 2^53, to 7
            except Refused:
                values.append(_unwrapped(value))
        return values

    def _frames(self, order: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return frames as groups, and those with a text as notes."""
        groups: list[dict[str, Any]] = []
        notes: list[dict[str, Any]] = []
        free = max(self._numbers.values(), default=0)
        for frame in map(mapping, sequence(self._own.get("frames"))):
            place, size = sequence(frame.get("position")), sequence(frame.get("size"))
            if len(place) != 2 or len(size) != 2:
                continue
            if isinstance(frame.get("text"), str):
                free += 1
                notes.append(_note(free, order + len(notes), frame))
            else:
                group = {"title": frame.get("title", ""), "bounding": [*place, *size]}
                groups.append({**group, **{k: frame[k] for k in ("color",) if k in frame}})
        return groups, notes

    def _kept(self) -> dict[str, Any]:
        """Return what ComfyUI's files have no place for."""
        kept: dict[str, Any] = {k: self._own[k] for k in ("id", "name") if k in self._own}
        for name in ("parameters", "results"):
            kept[name] = {
                label: {**place, "node": str(self._numbers[node])}
                for label, place in mapping(self._own.get(name)).items()
                if isinstance(place, Mapping)
                and isinstance(node := place.get("node"), str)
                and node in self._numbers
            }
        return kept


def _numbered(nodes: Mapping[str, NodeText]) -> dict[str, int]:
    """Return a number for every node: its own where its id is one."""
    own = {key: int(key) for key in nodes if _is_number(key)}
    free = max(own.values(), default=0)
    numbers: dict[str, int] = {}
    for key in nodes:
        if key not in own:
            free += 1
        numbers[key] = own.get(key, free)
    return numbers


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 10 and str(int(key)) == key


def _ordered(nodes: Mapping[str, NodeText]) -> list[str]:
    """Return the nodes, sources before their users; those in circles last."""
    users: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for key, node in nodes.items():
        links = [value for value in node.inputs.values() if isinstance(value, list) and value]
        sources = [link[0] for link in links if isinstance(link[0], str) and link[0] in nodes]
        waiting[key] = len(sources)
        for source in sources:
            users.setdefault(source, []).append(key)
    ready = [key for key, count in waiting.items() if count == 0]
    for key in ready:  # grows meanwhile
        for user in users.get(key, ()):
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    done = set(ready)
    return ready + [key for key in nodes if key not in done]


def _note(number: int, order: int, frame: Mapping[str, Any]) -> dict[str, Any]:
    note: dict[str, Any] = {
        "id": number,
        "type": "MarkdownNote",
        "pos": list(frame["position"]),
        "size": list(frame["size"]),
        "flags": {},
        "order": order,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [frame["text"]],
    }
    return {**note, "title": frame["title"]} if frame.get("title") else note


def _unwrapped(value: object) -> object:
    if isinstance(value, Mapping) and set(value) == {"__value__"}:
        return value["__value__"]
    return value
