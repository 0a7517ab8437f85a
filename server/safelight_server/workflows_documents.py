"""A workflow as the library keeps it: one format, bounded, and told apart by its content.

Its id and its name belong to the entry of the library, so that a new name makes no new version;
`whole` puts them in again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from safelight.graph.comfy import NodeText, nodes_of
from safelight.graph.convert import converted
from safelight.graph.problems import Invalid
from safelight.graph.schema import Schema
from safelight_server.admission import refused
from safelight_server.protocol import Refused, dumps
from safelight_server.workflows_records import checked_id, checked_name

LARGEST = 8 * 2**20  # bytes of a document as JSON; one of 10,000 nodes has about five million
DEEPEST = 100  # lists and objects within each other; one of subgraphs has about ten
_MOST_WORDS = 20_000  # characters of a workflow that a search looks through
_LONGEST_WORD = 500  # characters of one text among them


@dataclass(frozen=True, slots=True)
class Draft:
    """A workflow that may be stored."""

    id: str | None
    name: str | None
    text: str
    digest: str
    nodes: int
    words: str
    guesses: tuple[str, ...] = ()


def drafted(document: object, schema: Schema) -> Draft:
    """Read a workflow of any format; one that cannot run yet may be kept all the same.

    Raises:
        Refused: 400 when it is no workflow, naming every node of the wrong shape; 413 when it is
            larger than the library keeps.
    """
    if _is_deeper(document, DEEPEST):
        message = f"The workflow holds lists or objects more than {DEEPEST} deep."
        raise Refused("invalid_prompt", message)
    try:
        found = converted(document, schema, "safelight")
        nodes = nodes_of(found.document)
    except Invalid as invalid:
        raise refused(invalid) from invalid
    own = dict(found.document)
    given, name = own.pop("id", None), own.pop("name", None)
    text = dumps(own)
    if len(text) > LARGEST:
        message = f"The workflow is larger than {LARGEST // 2**20} MiB, the most that is kept."
        raise Refused("workflow_too_large", message, status=413)
    canonical = json.dumps(own, sort_keys=True, separators=(",", ":"))
    return Draft(
        id=None if given in (None, "") else checked_id(given),
        name=checked_name(name) if name else None,
        text=text,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        nodes=len(nodes),
        words=_words(nodes),
        guesses=found.guesses,
    )


def whole(text: str, workflow_id: str, name: str) -> dict[str, Any]:
    """Return a stored document with its id and the name that it has now."""
    kept = json.loads(text)
    return {"safelight": kept.pop("safelight"), "id": workflow_id, "name": name, **kept}


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects stand within each other to more levels than that."""
    layer = [value]
    for _ in range(levels):
        layer = [inner for outer in layer for inner in _within(outer)]
        if not layer:
            return False
    return any(isinstance(each, list | dict) for each in layer)


def _within(value: object) -> list[object]:
    if isinstance(value, dict):
        return [each for each in value.values() if isinstance(each, list | dict)]
    return [each for each in value if isinstance(each, list | dict)] if type(value) is list else []


def _words(nodes: Mapping[str, NodeText]) -> str:
    """Return what a search may find a workflow by: its texts, titles and classes, each once."""
    found = "\n".join(dict.fromkeys(_texts(nodes)))[:_MOST_WORDS].casefold()
    return found.encode(errors="ignore").decode()


def _texts(nodes: Mapping[str, NodeText]) -> Iterator[str]:
    for node in nodes.values():
        yield from (node.class_type[:_LONGEST_WORD], node.title[:_LONGEST_WORD])
        values = (value for value in node.inputs.values() if isinstance(value, str))
        yield from (value[:_LONGEST_WORD] for value in values)
