"""Setting values of a workflow from outside: by node and input, or by parameter.

A parameter is a name that the document itself gives to one input, so that the
workflow can be used like a function.
"""

from collections.abc import Mapping
from typing import Any

from safelight.graph.comfy import NodeText, nodes_of, recognise
from safelight.graph.convert import opened
from safelight.graph.flattening import input_behind
from safelight.graph.problems import Invalid, Problem
from safelight.graph.records import InputSpec
from safelight.graph.schema import Schema
from safelight.graph.subgraphs import INSTANCE
from safelight.graph.values import nearest, shown
from safelight.graph.wiring import parted

_KIND = "invalid_setting"
_TRUTH = {"true": True, "false": False}


def apply_settings(
    document: object, settings: Mapping[str, object], schema: Schema
) -> dict[str, Any]:
    """Return a copy of the workflow with some of its inputs set.

    A value given as text is read as the input's type: `--set 3.steps=20`.
    Setting an input that a wire feeds cuts that wire.

    Args:
        document: A Safelight document, an API prompt, or a file of ComfyUI's
            canvas, which comes back as a document.
        settings: Values by "NODE.INPUT" or by name of parameter.
        schema: The nodes that there are.

    Raises:
        Invalid: When the document has the wrong shape, or names are unknown;
            the known ones are listed.
    """
    changed = opened(document, schema).document
    nodes = nodes_of(changed)
    own = recognise(changed) == "safelight"
    parameters = _parameters(changed) if own else {}
    entries = dict(changed["nodes"]) if own else changed
    problems: list[Problem] = []
    for name, value in settings.items():
        node, entry = parameters.get(name) or parted(name, lambda n, i: _known(n, i, nodes, schema))
        kind = nodes[node].class_type if node in nodes else ""
        spec = input_behind(changed, kind, entry, schema)
        if spec is None or spec.socket:
            problems.append(_mistake(name, node, entry, nodes, parameters, schema))
            continue
        inputs = {**entries[node].get("inputs", {}), entry: _read(spec, value)}
        entries[node] = {**entries[node], "inputs": inputs}
    if problems:
        raise Invalid(problems)
    return {**changed, "nodes": entries} if own else entries


def _parameters(document: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return the node and input that each well-formed parameter names."""
    found = document.get("parameters")
    entries = found.items() if isinstance(found, Mapping) else ()
    return {
        name: (place["node"], place["input"])
        for name, place in entries
        if isinstance(place, Mapping)
        and isinstance(place.get("node"), str)
        and isinstance(place.get("input"), str)
    }


def _known(node: str, entry: str, nodes: Mapping[str, NodeText], schema: Schema) -> bool:
    spec = schema.nodes.get(nodes[node].class_type) if node in nodes else None
    return spec is not None and entry in spec.by_name


def _mistake(
    name: str,
    node: str,
    entry: str,
    nodes: Mapping[str, NodeText],
    parameters: Mapping[str, object],
    schema: Schema,
) -> Problem:
    """Return what is wrong with a setting's name."""
    if node not in nodes:
        if name not in parameters and not node:
            known = f"its parameters: {', '.join(parameters) or 'none'}"
            message = f"{name}: the workflow has no such parameter{nearest(name, [*parameters])}"
            return Problem(None, None, _KIND, message, f"{known}; or write NODE.INPUT")
        known = f"its nodes: {', '.join(list(nodes)[:20])}"
        return Problem(None, None, _KIND, f"{name}: the workflow has no node {node!r}", known)
    class_type = nodes[node].class_type
    spec = schema.nodes.get(class_type)
    if spec is None and class_type.startswith(INSTANCE):
        return Problem(None, None, _KIND, f"{name}: the subgraph has no value {entry!r}")
    if spec is None:
        message = f"{name}: there is no node class {shown(class_type)}"
        return Problem(None, None, _KIND, message + nearest(class_type, list(schema.nodes)))
    widgets = [known.name for known in spec.inputs if not known.socket]
    if entry in spec.by_name:
        message = f"{name}: {entry} of {class_type} is a socket, which only a wire can feed"
    else:
        message = f"{name}: {class_type} has no input {entry!r}{nearest(entry, widgets)}"
    return Problem(None, None, _KIND, message, f"its values: {', '.join(widgets) or 'none'}")


def _read(spec: InputSpec, value: object) -> object:
    """Return text from a command line as a truth value where one is wanted."""
    if spec.type == "BOOLEAN" and isinstance(value, str):
        return _TRUTH.get(value.lower(), value)
    return {"__value__": value} if isinstance(value, list) else value
