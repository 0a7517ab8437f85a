"""What is different between two versions of a workflow: nodes, inputs, parameters, results."""

from collections.abc import Mapping
from typing import Any

from safelight.graph.comfy import NodeText, nodes_of
from safelight_server.protocol import JsonObject

_NOTHING = object()
_TOLD = ("parameters", "results")


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> JsonObject:
    """Return the difference between two Safelight documents.

    Whatever changed has its place and its value before (`from`) and after (`to`); one of the two
    is missing where there was or is no such thing.  `layout` says whether anything else differs:
    where nodes lie, frames, notes.
    """
    before, after = nodes_of(old), nodes_of(new)
    changed = [_node(key, before[key], after[key]) for key in before if key in after]
    told: dict[str, object] = {
        "nodes": {
            "added": [_named(key, node) for key, node in after.items() if key not in before],
            "removed": [_named(key, node) for key, node in before.items() if key not in after],
            "changed": [node for node in changed if len(node) > len(_NAMES)],
        },
        **{key: _entries(old.get(key), new.get(key)) for key in _TOLD},
    }
    return {**told, "layout": _rest(old) != _rest(new)}


_NAMES = ("id", "class_type", "title")


def _named(key: str, node: NodeText) -> dict[str, object]:
    return {"id": key, "class_type": node.class_type, "title": node.title}


def _node(key: str, old: NodeText, new: NodeText) -> dict[str, object]:
    """Return a node with all that changed about it; without that, only its name."""
    told = _named(key, new)
    for field in ("class_type", "title", "mode", "version"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            told[f"{field}_changed"] = {"from": before, "to": after}
    inputs = _entries(old.inputs, new.inputs)
    return {**told, "inputs": inputs} if inputs else told


def _entries(old: object, new: object) -> list[JsonObject]:
    """Return what differs between two objects, key by key in the order of the old one."""
    before = old if isinstance(old, Mapping) else {}
    after = new if isinstance(new, Mapping) else {}
    told: list[JsonObject] = []
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key, _NOTHING), after.get(key, _NOTHING)
        if not _same(was, now):
            ends = {"from": was, "to": now}
            told.append({"name": key, **{k: v for k, v in ends.items() if v is not _NOTHING}})
    return told


def _same(was: object, now: object) -> bool:
    """Whether two values are equal as JSON has it, where `true` is not 1."""
    return was == now and isinstance(was, bool) == isinstance(now, bool)


def _rest(document: Mapping[str, Any]) -> JsonObject:
    """Return all of a document that is not told piece by piece."""
    apart = {"id", "name", "nodes", *_TOLD}
    kept = {key: value for key, value in document.items() if key not in apart}
    seen = {"title", "mode"}
    places = {
        key: {name: value for name, value in node.get("_meta", {}).items() if name not in seen}
        for key, node in document["nodes"].items()
        if isinstance(node.get("_meta", {}), Mapping)
    }
    return {**kept, "places": places}
