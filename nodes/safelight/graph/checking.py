"""Checking one node of a workflow against what is known of its class."""

from collections.abc import Mapping
from typing import Any

from safelight.graph import listing
from safelight.graph.comfy import NodeText
from safelight.graph.folders import Folders
from safelight.graph.modes import MUTED, OFF, Bypass
from safelight.graph.problems import ENOUGH, Problem, echo
from safelight.graph.records import COMBO, WIDGET_TYPES, InputSpec, NodeSpec
from safelight.graph.schema import Schema
from safelight.graph.values import Refused, coerced, nearest, shown
from safelight.graph.wiring import Call, Input, Link

_MODES = OFF | {"always"}
_LISTED = 20  # choices that a problem carries for programs
EXPLAINED = 50  # problems that come with suggestions, which are dear to find


class Checker:
    """Turns nodes into calls, and keeps what is wrong with them.

    Attributes:
        problems: The mistakes so far, by node.
    """

    def __init__(self, nodes: Mapping[str, NodeText], schema: Schema, folders: Folders) -> None:
        self.problems: dict[str, list[Problem]] = {}
        self._count = 0
        self._nodes = nodes
        self._schema = schema
        self._folders = folders
        self._bypass = Bypass(nodes, schema)
        self._off = any(node.mode in OFF for node in nodes.values())

    def call(self, key: str) -> Call:
        """Check the node `key`; the call lacks the inputs that have mistakes."""
        node = self._nodes[key]
        spec = self._schema.nodes.get(node.class_type)
        if spec is None:
            self.add(unknown_class(key, node, self._schema, self._count < EXPLAINED))
            return Call(node.class_type, 0, {}, node.title)
        self._check_head(key, node, spec)
        inputs: dict[str, Input] = {}
        for entry in spec.inputs:
            try:
                found = self._input(node, spec, entry)
            except Refused as refusal:
                self._refuse(key, node, entry, refusal)
            else:
                if found is not None:
                    inputs[entry.name] = found
        self._check_undeclared(key, node, spec)
        return Call(spec.name, spec.version, inputs, node.title)

    @property
    def full(self) -> bool:
        """Whether there are so many mistakes that the rest need not be found."""
        return self._count > ENOUGH

    def add(self, problem: Problem) -> None:
        """Keep a mistake, unless there are enough."""
        self._count += 1
        if not self.full:
            self.problems.setdefault(problem.node or "", []).append(problem)

    def _input(self, node: NodeText, spec: NodeSpec, entry: InputSpec) -> Input | None:
        """Return what an input is given, its default, or None when it may stay empty."""
        missing = entry.name not in node.inputs
        value = node.inputs.get(entry.name)
        if isinstance(value, list):
            if self._off:
                value, missing = self._past_silent(entry, value)
            if not missing:
                return self._link(entry, value)
        if isinstance(value, Mapping) and set(value) == {"__value__"}:
            value = value["__value__"]
        if missing or (value is None and not entry.required):
            return self._absent(node, spec, entry)
        if entry.socket:
            raise Refused(
                "bad_linked_input",
                f"want a wire of {entry.type}, got {shown(value)}",
                f"{entry.name} takes a link [node id, slot] to an output of {entry.type}",
            )
        return coerced(entry, value, self._folders)

    def _past_silent(self, entry: InputSpec, value: list[Any]) -> tuple[list[Any] | None, bool]:
        """Return the link past nodes switched off, and whether none is left."""
        origin = self._bypass.origin(value, entry.type)
        return origin, origin is None

    def _absent(self, node: NodeText, spec: NodeSpec, entry: InputSpec) -> Input | None:
        if entry.omissible:
            return entry.default if entry.required else None
        spare = [name for name in node.inputs if name not in spec.by_name]
        wish = f"want a wire of {entry.type}" if entry.socket else f"want {entry.type}"
        link = node.inputs.get(entry.name)
        if isinstance(link, list):  # it was wired, but past nodes switched off nothing is left
            raise Refused("required_input_missing", self._silenced(link), wish)
        hint = self._near(entry.name, spare).replace("; nearest:", "; there is", 1)
        raise Refused("required_input_missing", f"is missing{hint}", wish)

    def _silenced(self, link: list[Any]) -> str:
        state = "muted" if self._nodes[str(link[0])].mode in MUTED else "bypassed"
        return f"is missing, since node {link[0]} is {state}"

    def _link(self, entry: InputSpec, value: object) -> Link:
        link, source = self._target(value)
        spec = self._schema.nodes.get(source.class_type)
        if spec is None:  # reported where that node itself is checked
            return link
        if link.slot >= len(spec.outputs):
            raise Refused(
                "bad_linked_input",
                f"node {link.source} ({spec.name}) has no output {link.slot}",
                _outputs(spec),
            )
        given = spec.outputs[link.slot].type
        if entry.type == COMBO or not self._schema.accepts(entry.type, given):
            wish = "one of its choices" if entry.type == COMBO else f"a wire of {entry.type}"
            if entry.type in WIDGET_TYPES and entry.type != COMBO:
                wish = f"{entry.type} or {wish}"
            raise Refused(
                "return_type_mismatch",
                f"want {wish}, but node {link.source} ({spec.name}) gives {given}",
                _outputs(spec),
                extra={"received_type": given, "linked_node": [link.source, link.slot]},
            )
        return link

    def _target(self, value: object) -> tuple[Link, NodeText]:
        """Return a link and the node it points to."""
        match value:
            case [str(source), int(slot)] if type(slot) is int and slot >= 0:
                pass
            case [_, _]:
                pair = ", ".join(shown(part) for part in value) if isinstance(value, list) else ""
                raise Refused(
                    "bad_linked_input",
                    f"[{pair}] is not a link",
                    "a link is [node id as text, slot from 0]",
                )
            case _:
                raise Refused(
                    "bad_linked_input",
                    "a list here must be a link of two parts",
                    'a link is [node id, slot]; a list itself is written {"__value__": […]}',
                )
        if source not in self._nodes:
            raise Refused(
                "bad_linked_input",
                f"links to node {source!r}, which is not in the workflow",
                "a link is [node id, slot]",
            )
        return Link(source, slot), self._nodes[source]

    def _check_head(self, key: str, node: NodeText, spec: NodeSpec) -> None:
        """Check what a node says of itself besides its inputs."""
        if node.version is not None and (
            type(node.version) is not int or node.version != spec.version
        ):
            message = (
                f"written for version {shown(node.version)} of {spec.name}; "
                f"this Safelight has version {spec.version}"
            )
            self.add(Problem(key, None, "invalid_node_version", message))
        if node.mode not in _MODES:
            message = f"mode {shown(node.mode)} is not one of {', '.join(sorted(_MODES))}"
            self.add(Problem(key, None, "invalid_node_mode", message))

    def _check_undeclared(self, key: str, node: NodeText, spec: NodeSpec) -> None:
        """Refuse links into inputs that the class does not have; values are ignored."""
        for name, value in node.inputs.items():
            if name not in spec.by_name and isinstance(value, list):
                near = self._near(name, list(spec.by_name))
                message = f"{shown(name)[1:-1]}: {spec.name} has no such input{near}"
                extra = {"input_name": echo(name)}
                self.add(Problem(key, name, "bad_linked_input", message, "", extra))

    def _refuse(self, key: str, node: NodeText, entry: InputSpec, refusal: Refused) -> None:
        extra: dict[str, Any] = {"input_name": entry.name}
        if len(entry.choices or ()) <= _LISTED:
            extra["input_config"] = listing.config(entry, entry.choices)
        else:
            extra["input_config"] = None
        if entry.name in node.inputs:
            extra["received_value"] = echo(node.inputs[entry.name])
        extra |= refusal.extra
        dear = self._count >= EXPLAINED
        message = f"{entry.name}: {refusal.message if dear else refusal}"
        details = "" if dear else refusal.details
        self.add(Problem(key, entry.name, refusal.kind, message, details, extra))

    def _near(self, name: str, known: list[str]) -> str:
        return nearest(name, known) if self._count < EXPLAINED else ""


def unknown_class(key: str, node: NodeText, schema: Schema, suggest: bool = True) -> Problem:
    """Return the mistake of a node whose class is not in the schema."""
    name = shown(node.class_type)
    near = nearest(node.class_type, list(schema.nodes)) if suggest else ""
    return Problem(
        key,
        None,
        "invalid_prompt",
        f"there is no node class {name}{near}",
        f"Node ID '#{key}'",
        {"node_id": key, "class_type": echo(node.class_type), "node_title": node.title},
        class_type=node.class_type,
    )


def _outputs(spec: NodeSpec) -> str:
    if not spec.outputs:
        return f"{spec.name} has no outputs"
    slots = (f"{slot} {entry.type}" for slot, entry in enumerate(spec.outputs))
    return f"the outputs of {spec.name} are {', '.join(slots)}"
