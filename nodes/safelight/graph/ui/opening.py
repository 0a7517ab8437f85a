"""From a file of ComfyUI's canvas to a Safelight document.

Boxes that are only drawn disappear: wires are followed through them, values
drawn as boxes are written where they arrive, subgraphs become their parts with
ids as "12:3".  Reroutes stay where they lead a wire, which is looked at past
them.  Whatever the file leaves open is told.
"""

import re
from collections.abc import Mapping
from typing import Any

from safelight.graph.comfy import FORMAT, nodes_of
from safelight.graph.flattening import flat
from safelight.graph.modes import MUTED as MUTED_MODES
from safelight.graph.modes import OFF, Bypass
from safelight.graph.problems import ENOUGH
from safelight.graph.records import ANYTHING, NodeSpec
from safelight.graph.schema import Schema
from safelight.graph.subgraphs import REROUTE
from safelight.graph.ui.expanding import expand
from safelight.graph.ui.frames import frames_of
from safelight.graph.ui.reading import BYPASSED, MUTED, Sheet, Socket, UiNode, mapping
from safelight.graph.ui.tracing import DRAWN, RENAMED, REROUTES, Frame, Given, Tracer
from safelight.graph.ui.widgets import CONTROL, default_of, has_control, named
from safelight.graph.values import shown
from safelight.graph.wiring import Link

OWN = "safelight"  # where a file of ComfyUI's keeps what only our documents have
_LONGEST = 200  # characters of a guess
_MODES = {MUTED: "mute", BYPASSED: "bypass"}
_CHOICES = re.compile(r"\{[^{}]*\|[^{}]*\}")
_COMMENTS = re.compile(r"/\*.*?\*/|(?m:^\s*//.*$)", re.DOTALL)
_REPLACED = re.compile(r"%[^%\s]*[.:][^%]*%")


class Opening:
    """One file being turned into a document.

    Attributes:
        guesses: What had to be assumed, in plain words with the ids of nodes.
    """

    def __init__(self, sheet: Sheet, schema: Schema) -> None:
        self.guesses: list[str] = []
        self._told = 0
        self._sheet = sheet
        self._schema = schema
        self._tracer = Tracer(schema)
        self._nodes: dict[str, dict[str, Any]] = {}
        self._own: dict[tuple[str, str], object] = {}  # values that a wire took the place of
        self._reroutes: dict[str, dict[str, Any]] = {}  # those that lead a wire

    def document(self) -> dict[str, Any]:
        """Return the document.

        Raises:
            Invalid: When a subgraph contains itself, or there are too many nodes.
        """
        frames = expand(self._sheet, self._tell)
        for frame in frames:
            for node in frame.board.nodes.values():
                if node.id not in frame.children and node.type not in DRAWN:
                    self._nodes[frame.path + node.id] = self._node(frame, node)
        self._nodes.update(self._reroutes)
        document = {
            "safelight": FORMAT,
            "nodes": self._nodes,
            "frames": list(frames_of(frames)),
            "subgraphs": {},
            **self._kept(),
        }
        self._restore_values(document)
        return document

    def _tell(self, key: str, text: str) -> None:
        self._told += 1
        if self._told > ENOUGH:
            more = self._told - ENOUGH
            self.guesses[ENOUGH:] = [f"and {more} more guesses"]
            return
        entry = self._nodes.get(key)
        name = f" ({entry['class_type'][:_LONGEST]})" if entry else ""
        self.guesses.append(f"node {key}{name}: {text[:_LONGEST]}")

    def _node(self, frame: Frame, node: UiNode) -> dict[str, Any]:
        key = frame.path + node.id
        kind = RENAMED.get(node.type, node.type)
        spec = self._schema.nodes.get(kind)
        entry: dict[str, Any] = {"class_type": kind, "inputs": {}, "_meta": _meta(frame, node)}
        self._nodes[key] = entry
        if spec is not None:
            entry["version"] = spec.version
        values, control = self._values(frame, node, key, spec)
        if spec is None and not isinstance(node.values, Mapping) and node.values:
            entry["_meta"]["widgets_values"] = list(node.values)
        for socket in node.inputs:
            if socket.link is not None:
                control = self._wire(frame, socket, key, spec, values, control)
        if spec is not None:
            self._fill(key, spec, values)
            self._control(key, spec, control)
            self._warn(key, spec, values)
        entry["inputs"] = values
        return entry

    def _values(
        self, frame: Frame, node: UiNode, key: str, spec: NodeSpec | None
    ) -> tuple[dict[str, Any], object]:
        """Return what the widgets of a node hold, and what becomes of its seed."""
        found = named(node, spec)
        for guess in found.guesses:
            self._tell(key, guess)
        values = dict(found.values)
        overrides = dict(frame.overrides.get(node.id, {}))
        control = overrides.pop(CONTROL, found.control)
        for name, value in overrides.items():
            if spec is None or name in spec.by_name:
                values[name] = value
            else:
                self._tell(key, f"its subgraph holds a value for {name}, which it does not have")
        sampler = values.get("sampler_name")
        if isinstance(sampler, str):
            values["sampler_name"] = sampler.removeprefix("sample_")
        written = {name: _literal(value) for name, value in values.items() if value is not None}
        return written, control

    def _wire(
        self,
        frame: Frame,
        socket: Socket,
        key: str,
        spec: NodeSpec | None,
        values: dict[str, Any],
        control: object,
    ) -> object:
        """Write what a wire brings to an input; return what becomes of the seed."""
        entry = None if spec is None else spec.by_name.get(socket.name)
        wanted = socket.type if entry is None else entry.type
        if socket.link not in frame.board.wires:
            self._tell(key, f"the wire into {socket.name} is not in the file, so it was left out")
            return control
        origin = self._tracer.origin(frame, socket.link or "", wanted or ANYTHING)
        if origin is None:
            return control
        if spec is not None and entry is None:
            self._tell(key, f"it has no input {socket.name} here, so its wire was left out")
            return control
        if isinstance(origin, Link):
            if socket.name in values:
                self._own[key, socket.name] = values[socket.name]
            values[socket.name] = self._led(frame, socket.link or "", origin)
            return control
        if origin.value is None:
            return control
        values[socket.name] = _literal(origin.value)
        return self._given(origin, key, socket, control)

    def _led(self, frame: Frame, link: str, origin: Link) -> list[object]:
        """Return where a wire comes from: the reroute before its end, or its origin itself."""
        first: list[object] = [origin.source, origin.slot]
        held: dict[str, Any] = {}  # the reroute behind which the next one stands
        while True:
            wire = frame.board.wires[link]
            corner = frame.board.nodes.get(wire.source)
            if corner is None or corner.type not in REROUTES or not corner.inputs:
                break
            before = corner.inputs[0].link or ""
            if self._tracer.origin(frame, before, ANYTHING) != origin:
                break  # what passes depends on the end: a bypassed node stands before it
            key = frame.path + corner.id
            known = key in self._reroutes
            entry = self._reroutes.setdefault(key, _reroute(frame, corner, origin))
            if held:
                held["inputs"]["value"] = [key, 0]
            else:
                first = [key, 0]
            if known:
                break
            held, link = entry, before
        return first

    def _given(self, origin: Given, key: str, socket: Socket, control: object) -> object:
        if isinstance(origin.value, str) and _REPLACED.search(origin.value):
            self._tell(key, f"{socket.name} names other values between %; it stays as written")
        return control if origin.control is None else origin.control

    def _fill(self, key: str, spec: NodeSpec, values: dict[str, Any]) -> None:
        """Write the default of every value that the file lacks."""
        for entry in spec.inputs:
            optional = not entry.required and entry.default is None
            if entry.socket or entry.name in values or optional:
                continue
            value = default_of(entry)
            if value is None:
                self._tell(key, f"no value was saved for {entry.name}; choose one")
            else:
                self._tell(key, f"no value was saved for {entry.name}; it is now {shown(value)}")
                values[entry.name] = value

    def _control(self, key: str, spec: NodeSpec, control: object) -> None:
        """Write down what becomes of the seed after a run."""
        if control is None or not any(has_control(entry) for entry in spec.inputs):
            return
        known = {"randomize": "randomize", "fixed": "fixed", True: "randomize", False: "fixed"}
        simple = known.get(control) if isinstance(control, str | bool) else None
        if simple is None:
            self._tell(key, f"its seed is set to {shown(control)}; here it is kept fixed")
        self._nodes[key]["_meta"]["seed_control"] = simple or "fixed"

    def _warn(self, key: str, spec: NodeSpec, values: Mapping[str, object]) -> None:
        """Tell of texts that ComfyUI's canvas changes before it sends them."""
        for entry in spec.inputs:
            text = values.get(entry.name)
            if not isinstance(text, str):
                continue
            if entry.multiline and _CHOICES.search(text):
                self._tell(key, f"{entry.name} has choices in braces; they stay as written")
            if entry.multiline and _COMMENTS.search(text):
                self._tell(key, f"{entry.name} has comments; they stay as part of the text")
            if entry.name == "filename_prefix" and _REPLACED.search(text):
                self._tell(key, f"{entry.name} names other values between %; it stays as written")

    def _restore_values(self, document: Mapping[str, object]) -> None:
        """Give inputs their own value back where a bypassed node hands nothing on."""
        if not self._own:
            return
        nodes = nodes_of(flat(document, self._schema))
        bypass = Bypass(nodes, self._schema)
        for (key, name), value in self._own.items():
            link = nodes[key].inputs.get(name)
            spec = self._schema.nodes.get(nodes[key].class_type)
            if spec is None or not isinstance(link, list) or nodes[key].mode in OFF:
                continue
            source = nodes.get(link[0])
            if source is None or source.mode in MUTED_MODES:
                continue
            if bypass.origin(link, spec.by_name[name].type) is None:
                self._nodes[key]["inputs"][name] = value
                self._tell(key, f"{name} keeps its own value, since what feeds it is bypassed")

    def _kept(self) -> dict[str, Any]:
        """Return what a document wrote into the file when it became one."""
        own = mapping(self._sheet.extra.get(OWN))
        kept: dict[str, Any] = {}
        for name, part in (("parameters", "input"), ("results", "output")):
            places = {
                label: {"node": place["node"], part: place[part]}
                for label, place in mapping(own.get(name)).items()
                if isinstance(place, Mapping) and place.get("node") in self._nodes and part in place
            }
            kept[name] = places
        about = {"id": self._sheet.id or own.get("id"), "name": own.get("name")}
        return {key: value for key, value in about.items() if isinstance(value, str)} | kept


def _meta(frame: Frame, node: UiNode) -> dict[str, Any]:
    meta: dict[str, Any] = {"title": node.title} if node.title else {}
    if node.position is not None:
        x, y = node.position
        meta["position"] = [x + frame.offset[0], y + frame.offset[1]]
    meta["mode"] = _MODES.get(frame.mode_of(node), "always")
    meta["collapsed"] = node.collapsed
    return meta


def _reroute(frame: Frame, node: UiNode, origin: Link) -> dict[str, Any]:
    inputs = {"value": [origin.source, origin.slot]}
    return {"class_type": REROUTE, "inputs": inputs, "_meta": _meta(frame, node)}


def _literal(value: object) -> object:
    """Return a value as inputs hold it: a list would be taken for a wire."""
    return {"__value__": value} if isinstance(value, list) else value
