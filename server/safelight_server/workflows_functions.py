"""A workflow as a function: what it can be given, as a JSON schema, and what it gives back.

A workflow's `parameters` name some of its inputs, its `results` some of its nodes.  The type, the
bounds and the choices of a parameter are those of the input; its default is the value that the
workflow has there.  So the same values may be sent as the canvas would set them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from safelight.graph.comfy import NodeText, nodes_of
from safelight.graph.folders import Folders
from safelight.graph.problems import Invalid
from safelight.graph.records import COMBO, InputSpec
from safelight.graph.schema import Schema
from safelight.graph.values import Refused as Misfit
from safelight.graph.values import coerced, nearest, shown
from safelight.graph.workflow import apply_settings, parse
from safelight_server.admission import refused
from safelight_server.protocol import JsonObject, Refused

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOST_CHOICES = 1000  # files that a schema lists; of more, it only says that there are such
_TYPES = {"INT": "integer", "FLOAT": "number", "BOOLEAN": "boolean", "STRING": "string"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a workflow can be given.

    Attributes:
        name: As the workflow calls it.
        node: The id of the node that it sets.
        spec: The input that it sets.
        value: What stands there; `None` where a wire ends.
    """

    name: str
    node: str
    spec: InputSpec
    value: object


def parameters_of(document: Mapping[str, Any], schema: Schema) -> dict[str, Parameter]:
    """Return the parameters of a Safelight document, in its order.

    Raises:
        Refused: 409, naming every parameter that sets nothing.
    """
    given = document.get("parameters")
    entries = given if isinstance(given, Mapping) else {}
    nodes = nodes_of(document)
    found, broken = dict[str, Parameter](), list[str]()
    for name, place in entries.items():
        parameter = _placed(name, place, nodes, schema)
        if isinstance(parameter, str):
            broken.append(f"{name}: {parameter}")
        else:
            found[name] = parameter
    if broken:
        message = "Some parameters of the workflow set nothing; mend it first."
        raise Refused("broken_parameters", message, details="\n".join(broken), status=409)
    return found


def json_schema(document: Mapping[str, Any], schema: Schema, folders: Folders) -> JsonObject:
    """Return what a workflow can be given, as a JSON schema; nothing is required.

    Raises:
        Refused: As `parameters_of`.
    """
    found = parameters_of(document, schema)
    return {
        "$schema": DIALECT,
        "title": str(document.get("name", "")),
        "type": "object",
        "properties": {name: _property(each, folders) for name, each in found.items()},
        "additionalProperties": False,
    }


def given(
    document: Mapping[str, Any], values: JsonObject, schema: Schema, folders: Folders
) -> dict[str, Any]:
    """Return a workflow with some of its parameters set, seen to be sound as a whole.

    Raises:
        Refused: 400, naming every parameter that there is none of or whose value does not fit,
            or else every other mistake of the workflow; and as `parameters_of`.
    """
    known = parameters_of(document, schema)
    wrong: dict[str, str] = {}
    for name, value in values.items():
        mistake = _mistake(known.get(name), value, folders)
        if mistake is not None:
            wrong[name] = mistake + (nearest(name, list(known)) if name not in known else "")
    if wrong:
        message = "; ".join(f"{shown(name)[1:-1]}: {words}" for name, words in wrong.items())
        details = f"its parameters: {', '.join(known) or 'none'}"
        extra = {"parameters": wrong}
        raise Refused("invalid_parameters", message, details=details, extra=extra)
    try:
        filled = apply_settings(document, values, schema)
        parse(filled, schema, folders)
    except Invalid as invalid:
        raise refused(invalid) from invalid
    return filled


def results_of(document: Mapping[str, Any], outputs: JsonObject) -> JsonObject:
    """Return what a run has shown, by name of result (by node, where a workflow names none).

    Every file has an address besides its name.
    """
    named = document.get("results")
    places = dict(_places(named)) if isinstance(named, Mapping) else {}
    wanted = places or {node: node for node in outputs}
    return {name: _addressed(outputs[node]) for name, node in wanted.items() if node in outputs}


def view_address(file: Mapping[str, Any]) -> str:
    """Return where a file that a node has shown can be fetched."""
    words = {key: str(file.get(key, "")) for key in ("filename", "type", "subfolder")}
    return f"/api/view?{urlencode(words)}"


def _placed(
    name: str, place: object, nodes: Mapping[str, NodeText], schema: Schema
) -> Parameter | str:
    """Return the parameter of that name, or what is wrong with it."""
    if not isinstance(place, Mapping):
        return f'want {{"node", "input"}}, got {shown(place)}'
    node, entry = place.get("node"), place.get("input")
    if not isinstance(node, str) or node not in nodes:
        return f"there is no node {shown(node)}"
    spec = schema.nodes.get(nodes[node].class_type)
    if spec is None:
        return f"there is no node class {shown(nodes[node].class_type)}"
    if not isinstance(entry, str) or entry not in spec.by_name:
        return f"{spec.name} has no input {shown(entry)}"
    if spec.by_name[entry].socket:
        return f"{entry} of {spec.name} is a socket, which only a wire can feed"
    value = nodes[node].inputs.get(entry, spec.by_name[entry].default)
    return Parameter(name, node, spec.by_name[entry], None if isinstance(value, list) else value)


def _mistake(parameter: Parameter | None, value: object, folders: Folders) -> str | None:
    """Return what is wrong with a value, if anything."""
    if parameter is None:
        return "there is no such parameter"
    try:
        coerced(parameter.spec, value, folders)
    except Misfit as misfit:
        return f"{misfit}; want {misfit.details}" if misfit.details else str(misfit)
    return None


def _property(parameter: Parameter, folders: Folders) -> JsonObject:
    """Return the schema of one parameter."""
    spec = parameter.spec
    bounds = {} if spec.type == COMBO else {"minimum": spec.min, "maximum": spec.max}
    told: dict[str, object] = {
        "type": _TYPES.get(spec.type, "string"),
        "title": spec.title,
        "description": spec.help or None,
        "enum": _choices(spec, folders),
        **bounds,
        "default": parameter.value,
    }
    return {key: value for key, value in told.items() if value is not None}


def _choices(spec: InputSpec, folders: Folders) -> list[str] | None:
    if spec.choices is not None:
        return list(spec.choices)
    names = folders.names(spec.folder) if spec.folder is not None else []
    return names if 0 < len(names) <= _MOST_CHOICES else None


def _places(named: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, place in named.items():
        if isinstance(place, Mapping) and isinstance(place.get("node"), str):
            yield name, place["node"]


def _addressed(output: object) -> object:
    if not isinstance(output, Mapping):
        return output
    return {
        medium: [_file(item) for item in items] if isinstance(items, list) else items
        for medium, items in output.items()
    }


def _file(item: object) -> object:
    if isinstance(item, Mapping) and "filename" in item:
        return {**item, "url": view_address(item)}
    return item
