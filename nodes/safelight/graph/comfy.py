"""Telling the formats of workflows apart.

Safelight's document holds its nodes under "nodes"; ComfyUI's API prompt is
those nodes and nothing else; ComfyUI's canvas saves a third format, whose
nodes are a list with values by position.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from safelight.graph.problems import ENOUGH, Invalid, Problem, invalid
from safelight.graph.values import shown

FORMAT = 1
Format: TypeAlias = Literal["safelight", "api", "ui"]


@dataclass(frozen=True, slots=True)
class NodeText:
    """One node as a document writes it, seen to have the right shape.

    Attributes:
        class_type: The name of its class.
        inputs: Values and links by name of input, unchecked.
        version: Of the class, or None when the document does not say.
        title: What the user called it, or "".
        mode: "always", "mute" or "bypass".
    """

    class_type: str
    inputs: Mapping[str, object]
    version: object = None
    title: str = ""
    mode: str = "always"


def recognise(document: Mapping[str, object]) -> Format:
    """Return which of the three formats a document is in."""
    if "safelight" in document:
        return "safelight"
    return "ui" if isinstance(document.get("nodes"), list) else "api"


def nodes_of(document: object) -> dict[str, NodeText]:
    """Return the nodes of a Safelight document or an API prompt by id.

    Raises:
        Invalid: When it is neither, or a node has the wrong shape.
    """
    entries, own = _entries(document)
    problems: list[Problem] = []
    nodes: dict[str, NodeText] = {}
    for key, entry in entries.items():
        mistake = _shape(key, entry)
        if mistake is not None:
            problems.append(mistake)
        elif isinstance(entry, Mapping):
            nodes[key] = _node(entry, own)
        if len(problems) == ENOUGH:
            break
    if problems:
        raise Invalid(problems)
    return nodes


def _entries(document: object) -> tuple[Mapping[str, object], bool]:
    """Return the nodes, and whether the document is Safelight's own."""
    if not isinstance(document, Mapping):
        raise invalid("invalid_prompt", f"a workflow is a JSON object, got {shown(document)}")
    kind = recognise(document)
    if kind == "ui":
        raise invalid(
            "invalid_prompt",
            "this file is what ComfyUI's canvas saves, where a workflow is wanted",
            "`safelight convert` makes a workflow of it",
        )
    nodes = document.get("nodes")
    if kind == "api":
        if isinstance(nodes, Mapping) and "class_type" not in nodes:
            raise invalid(
                "invalid_prompt",
                'the workflow has "nodes" but does not say which format it is in',
                f'a Safelight document starts with "safelight": {FORMAT}',
            )
        return document, False
    version = document["safelight"]
    if type(version) is not int or version != FORMAT:
        raise invalid(
            "invalid_prompt",
            f"the workflow is in format {shown(version)}; this Safelight reads format {FORMAT}",
        )
    if not isinstance(nodes, Mapping):
        found = f"got {shown(nodes)}" if "nodes" in document else "it is missing"
        raise invalid("invalid_prompt", f'"nodes" is an object of nodes by id, {found}')
    return nodes, True


def _shape(key: object, entry: object) -> Problem | None:
    """Return what is wrong with the shape of one node, if anything."""
    if not isinstance(key, str):
        return Problem(None, None, "invalid_prompt", f"the id of a node is text, got {shown(key)}")
    if not isinstance(entry, Mapping):
        message = f"a node is an object, got {shown(entry)}"
    elif "class_type" not in entry:
        message = "class_type is missing"
    elif not isinstance(entry["class_type"], str):
        message = f"class_type is text, got {shown(entry['class_type'])}"
    elif not isinstance(entry.get("inputs", {}), Mapping):
        message = f"inputs is an object, got {shown(entry['inputs'])}"
    else:
        return None
    return Problem(key, None, "invalid_prompt", message, f"Node ID '#{key}'", {"node_id": key})


def _node(entry: Mapping[str, object], own: bool) -> NodeText:
    inputs = entry.get("inputs", {})
    about = entry.get("_meta", {})
    title = about.get("title", "") if isinstance(about, Mapping) else ""
    mode = about.get("mode", "always") if own and isinstance(about, Mapping) else "always"
    return NodeText(
        class_type=str(entry["class_type"]),
        inputs=inputs if isinstance(inputs, Mapping) else {},
        version=entry.get("version") if own else None,
        title=title if isinstance(title, str) else "",
        mode=mode if isinstance(mode, str) else "always",
    )
