"""Converting between ComfyUI's formats and ours, telling every guess.

    file of ComfyUI's canvas  ->  Safelight document  ->  API prompt
                              <-

The document keeps what the canvas shows; the API prompt only what runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safelight.graph.comfy import FORMAT, Format, nodes_of, recognise
from safelight.graph.flattening import flat
from safelight.graph.modes import OFF, Bypass
from safelight.graph.parameters import looks_like_parameters, read_parameters
from safelight.graph.problems import invalid
from safelight.graph.schema import Schema
from safelight.graph.ui.opening import Opening
from safelight.graph.ui.reading import read
from safelight.graph.ui.saving import Saving
from safelight.graph.values import shown


@dataclass(frozen=True, slots=True)
class Converted:
    """A Safelight document, and what had to be guessed to make it, one sentence each."""

    document: dict[str, Any]
    guesses: tuple[str, ...] = ()


def to_document(ui: Mapping[str, object], schema: Schema) -> Converted:
    """Return the document that a file of ComfyUI's canvas stands for.

    Nodes of unknown classes are kept, with their wires, for `parse` to name.

    Raises:
        Invalid: When it is no such file, naming every node that is none, or
            when its subgraphs have no end.
    """
    opening = Opening(read(ui), schema)
    document = opening.document()
    return Converted(document, tuple(opening.guesses))


def to_ui(document: object, schema: Schema) -> dict[str, Any]:
    """Return a document or API prompt as a file that ComfyUI's canvas opens (version 0.4).

    Nodes get new numbers where their ids are none; subgraphs become their parts.

    Raises:
        Invalid: When it is neither, or a node has the wrong shape.
    """
    if isinstance(document, Mapping) and document.get("subgraphs"):
        document = flat(document, schema)  # reroutes alone are boxes there, too
    return Saving(document, schema).ui()


def to_prompt(document: object, schema: Schema) -> dict[str, Any]:
    """Return a document as an API prompt: only what runs, without nodes switched off.

    Raises:
        Invalid: When it is no document, or a node has the wrong shape.
    """
    nodes = nodes_of(flat(document, schema) if isinstance(document, Mapping) else document)
    bypass = Bypass(nodes, schema)
    prompt: dict[str, Any] = {}
    for key, node in nodes.items():
        if node.mode in OFF:
            continue
        inputs: dict[str, Any] = {}
        spec = schema.nodes.get(node.class_type)
        for name, value in node.inputs.items():
            entry = None if spec is None else spec.by_name.get(name)
            if isinstance(value, list):
                link = bypass.origin(value, "*" if entry is None else entry.type)
                if link is not None and link and isinstance(link[0], str) and link[0] in nodes:
                    inputs[name] = link
            else:
                inputs[name] = value
        title = {"_meta": {"title": node.title}} if node.title else {}
        prompt[key] = {"class_type": node.class_type, "inputs": inputs, **title}
    return prompt


def converted(document: object, schema: Schema, kind: Format) -> Converted:
    """Return any workflow in the format `kind`.

    Raises:
        Invalid: When it is none, or a node has the wrong shape.
    """
    found = opened(document, schema)
    if kind == "ui":
        return Converted(to_ui(found.document, schema), found.guesses)
    if kind == "api":
        return Converted(to_prompt(found.document, schema), found.guesses)
    nodes_of(found.document)
    if recognise(found.document) == "safelight":
        return found
    own = {"safelight": FORMAT, "nodes": found.document, "frames": [], "subgraphs": {}}
    return Converted({**own, "parameters": {}, "results": {}}, found.guesses)


def opened(document: object, schema: Schema) -> Converted:
    """Return any workflow as one that `parse` takes.

    Only what ComfyUI's canvas saves changes, and the text of `parameters`.

    Raises:
        Invalid: When it is no JSON object, or as `to_document`.
    """
    if isinstance(document, str) and looks_like_parameters(document):
        return Converted(*read_parameters(document))
    if not isinstance(document, Mapping):
        raise invalid("invalid_prompt", f"a workflow is a JSON object, got {shown(document)}")
    if recognise(document) == "ui":
        return to_document(document, schema)
    return Converted(dict(document))
