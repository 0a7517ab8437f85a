"""All that is known of the nodes of a catalog, as one document.

The worker writes it, the server and the canvas read it: neither needs the
node classes, nor torch.  The digest names its content, so that it can be kept
on disk and recognised.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from safelight.graph import listing
from safelight.graph.annotations import read
from safelight.graph.catalog import Catalog
from safelight.graph.folders import Folders
from safelight.graph.hints import spaced
from safelight.graph.node import NodeDefinitionError
from safelight.graph.records import (
    ANYTHING,
    HiddenSpec,
    InputSpec,
    NodeSpec,
    OutputSpec,
    TypeSpec,
)

__all__ = ["InputSpec", "NodeSpec", "OutputSpec", "Schema", "TypeSpec", "describe"]

FORMAT = 1


@dataclass(frozen=True)
class Schema:
    """The nodes by class name, and the kinds of wire between them by name."""

    nodes: Mapping[str, NodeSpec]
    types: Mapping[str, TypeSpec]

    @cached_property
    def digest(self) -> str:
        """A name of the content: equal schemas have equal digests, on every machine."""
        canonical = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    def accepts(self, wanted: str, given: str) -> bool:
        """Whether an input of type `wanted` takes a wire of type `given`."""
        if wanted == given or ANYTHING in (wanted, given):
            return True
        return given in self.types and wanted in self.types[given].bases

    def to_json(self) -> dict[str, Any]:
        """Return the whole schema as JSON values; `from_json` gives it back."""
        return {"format": FORMAT, "digest": self.digest, **self._content()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Schema":
        """Return the schema that `to_json` wrote.

        Raises:
            ValueError: When it was written in another format or is damaged.
        """
        try:
            if document["format"] != FORMAT:
                raise ValueError(f"a schema of format {document['format']!r}, want {FORMAT}")
            nodes = {entry["name"]: _node(entry) for entry in document["nodes"]}
            types = {entry["name"]: _type(entry) for entry in document["types"]}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the schema is damaged: {error!r}") from error
        schema = cls(nodes, types)
        if schema.digest != document.get("digest"):
            raise ValueError("the schema is damaged: its digest does not fit its content")
        return schema

    def object_info(self, folders: Folders) -> dict[str, Any]:
        """Return the answer to ComfyUI's `GET /object_info`."""
        return listing.object_info(self.nodes, folders)

    def public(self, folders: Folders) -> dict[str, Any]:
        """Return the answer to `GET /api/schema`, with the files of the folders as choices."""
        return {"digest": self.digest, **listing.public(self.nodes, self.types, folders)}

    def typescript(self) -> str:
        """Return the inputs of every node as TypeScript interfaces."""
        return listing.typescript(self.nodes)

    def manual(self, name: str) -> str:
        """Return the help page of a node as plain text.

        Raises:
            KeyError: When there is no such node.
        """
        return listing.manual(self.nodes[name])

    def _content(self) -> dict[str, Any]:
        nodes = [_fields(entry) for entry in self.nodes.values()]
        return {"nodes": nodes, "types": [_fields(entry) for entry in self.types.values()]}


def describe(catalog: Catalog) -> Schema:
    """Read every class of the catalog.

    Raises:
        NodeDefinitionError: Listing all mistakes of all classes.
    """
    nodes: dict[str, NodeSpec] = {}
    sockets: dict[str, set[type]] = {}
    mistakes: list[str] = []
    for name, node_class in catalog.items():
        try:
            reading = read(node_class)
        except NodeDefinitionError as error:
            mistakes.append(str(error))
            continue
        nodes[name] = reading.spec
        for wire, socket in reading.sockets.items():
            sockets.setdefault(wire, set()).add(socket)
    if mistakes:
        raise NodeDefinitionError("\n".join(mistakes))
    return Schema(nodes, {wire: _wire(wire, sockets) for wire in sorted(sockets)})


def _wire(name: str, sockets: Mapping[str, set[type]]) -> TypeSpec:
    """Describe one kind of wire by the most general class that it carries."""
    classes = sorted(sockets[name], key=lambda found: len(found.__mro__))
    general = classes[0]
    strangers = [found for found in classes if not issubclass(found, general)]
    if strangers:
        raise NodeDefinitionError(
            f"wire {name} means two things: {_path(general)} and {_path(strangers[0])}"
        )
    bases = sorted(
        other
        for other, others in sockets.items()
        if other not in (name, ANYTHING) and any(issubclass(general, found) for found in others)
    )
    about = (general.__doc__ or "").strip().split("\n\n")[0]
    if about.startswith(f"{general.__name__}("):  # what dataclass() writes by itself
        about = ""
    title = "Anything" if name == ANYTHING else spaced(general.__name__)
    return TypeSpec(name=name, title=title, bases=tuple(bases), help=" ".join(about.split()))


def _path(found: type) -> str:
    return f"{found.__module__}.{found.__qualname__}"


def _fields(record: NodeSpec | InputSpec | OutputSpec | HiddenSpec | TypeSpec) -> dict[str, Any]:
    """Return the fields of a record that differ from what they are by default."""
    content: dict[str, Any] = {}
    for entry in dataclasses.fields(record):
        value = getattr(record, entry.name)
        if not entry.init or value == entry.default:
            continue
        if isinstance(value, tuple):
            value = [item if isinstance(item, str) else _fields(item) for item in value]
        content[entry.name] = value
    return content


def _node(entry: Mapping[str, Any]) -> NodeSpec:
    fields: dict[str, Any] = dict(entry)
    fields["inputs"] = tuple(_input(item) for item in entry["inputs"])
    fields["outputs"] = tuple(OutputSpec(**item) for item in entry["outputs"])
    fields["hidden"] = tuple(HiddenSpec(**item) for item in entry.get("hidden", ()))
    return NodeSpec(**fields)


def _input(entry: Mapping[str, Any]) -> InputSpec:
    fields: dict[str, Any] = dict(entry)
    if "choices" in fields:
        fields["choices"] = tuple(fields["choices"])
    return InputSpec(**fields)


def _type(entry: Mapping[str, Any]) -> TypeSpec:
    fields: dict[str, Any] = dict(entry)
    fields["bases"] = tuple(fields.get("bases", ()))
    return TypeSpec(**fields)
