"""Small files as ComfyUI's canvas saves them, for the tests of conversion."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.graph.darkroom import SCHEMA

from safelight.graph.convert import Converted, to_document

EXPOSED = [7, "fixed", 20, 8.0, "euler", "down", "dark", False]  # the values of a saved Expose
EXPOSURE = {
    "seed": 7,
    "steps": 20,
    "strength": 8.0,
    "method": "euler",
    "order": "down",
    "text": "dark",
    "twice": False,
}


def socket(name: str, kind: str = "PAPER", link: object = None, widget: bool = False) -> Any:
    """One input as a file writes it."""
    entry: dict[str, Any] = {"name": name, "type": kind, "link": link}
    return {**entry, "widget": {"name": name}} if widget else entry


def box(
    key: int | str,
    kind: str,
    values: Sequence[object] | Mapping[str, object] | None = None,
    inputs: Sequence[Any] = (),
    outputs: Sequence[str] = ("PAPER",),
    **more: object,
) -> dict[str, Any]:
    """One node as a file writes it; `outputs` are their types."""
    saved = [{"name": name, "type": name, "links": None} for name in outputs]
    entry: dict[str, Any] = {"id": key, "type": kind, "mode": 0, "inputs": list(inputs)}
    entry |= {"outputs": saved, **more}
    return entry if values is None else {**entry, "widgets_values": values}


def hang(link: int | None) -> dict[str, Any]:
    """Node 9, which hangs up what comes along a wire."""
    return box(9, "Hang", ["sheet"], [socket("paper", link=link)], ())


def drawing(*boxes: Any, links: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    """A file of version 0.4; a link is [number, source, slot, target, slot]."""
    return {"nodes": list(boxes), "links": [[*link, "*"] for link in links], "version": 0.4, **more}


def exposure(**more: Any) -> dict[str, Any]:
    """A file in which paper (1) is exposed (2) and hung up (9)."""
    return drawing(
        box(1, "TakePaper", [3]),
        box(2, "Expose", EXPOSED, [socket("paper", link=1), socket("mask", "MASK")], pos=[10, 20]),
        hang(2),
        links=[[1, 1, 0, 2, 0], [2, 2, 0, 9, 0]],
        **more,
    )


def subgraph(
    *boxes: Any,
    links: Sequence[Any] = (),
    inputs: Sequence[tuple[str, str]] = (),
    outputs: Sequence[tuple[str, str]] = (),
    name: str = "inner",
) -> dict[str, Any]:
    """A subgraph definition of version 1 with the id `name`."""
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": name,
        "name": name.title(),
        "version": 1,
        "nodes": list(boxes),
        "links": [dict(zip(keys, link, strict=True)) for link in links],
        "inputs": [{"id": label, "name": label, "type": kind} for label, kind in inputs],
        "outputs": [{"id": label, "name": label, "type": kind} for label, kind in outputs],
    }


def within(*definitions: Any) -> dict[str, Any]:
    """The part of a file that holds its subgraphs."""
    return {"definitions": {"subgraphs": list(definitions)}}


def opened(ui: Mapping[str, object]) -> Converted:
    """The file as a document of the darkroom."""
    return to_document(ui, SCHEMA)


def inputs(ui: Mapping[str, object], key: str) -> Any:
    """What the inputs of one node hold after conversion."""
    return opened(ui).document["nodes"][key]["inputs"]


def guesses(ui: Mapping[str, object]) -> tuple[str, ...]:
    """What had to be guessed."""
    return opened(ui).guesses
