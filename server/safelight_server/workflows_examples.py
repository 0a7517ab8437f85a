"""The workflows that come with Safelight, under the ids of their own documents; read only."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safelight_server.protocol import dumps
from safelight_server.workflows_records import Workflow, WorkflowQuery
from safelight_server.workflows_store import Kept

_HERE = Path(__file__).resolve().parent
# In a clone they lie beside the source roots; a wheel carries them inside the package.
PLACES = (_HERE / "examples", _HERE.parents[1] / "workflows")
TAG = "example"
TEXT_TO_IMAGE = "6c1f3a52-8a0e-4d0b-9a58-0f6a52b1c7d4"
IMAGE_TO_IMAGE = "0f5c2a1e-7c1b-4b6e-9f0d-3f6f0e6b8a11"
_log = logging.getLogger("safelight.server")


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples by id, in the order of their names."""

    documents: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, folder: Path | None = None) -> "Examples":
        """Read every example of a folder, or of the one that there is; leave out broken ones."""
        places = [place for place in PLACES if place.is_dir()] if folder is None else [folder]
        found: dict[str, Mapping[str, Any]] = {}
        for path in sorted(places[0].glob("*.json")) if places else ():
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                found[document["id"]] = {**document, "name": str(document["name"])}
            except (OSError, ValueError, KeyError, TypeError) as error:
                _log.warning("The example %s is left out: %s", path, error)
        return cls(dict(sorted(found.items(), key=lambda item: item[1]["name"].casefold())))

    def find(self, workflow_id: str) -> Workflow | None:
        """Return the entry of an example, or `None` when there is none of that id."""
        document = self.documents.get(workflow_id)
        if document is None:
            return None
        name, nodes = document["name"], len(document["nodes"])
        return Workflow(workflow_id, name, 1, nodes, (TAG,), read_only=True)

    def read(self, workflow_id: str) -> Kept | None:
        """Return an example with its text, or `None`."""
        entry = self.find(workflow_id)
        if entry is None:
            return None
        return Kept(entry, 1, dumps(self.documents[workflow_id]))

    def listed(self, query: WorkflowQuery) -> list[Workflow]:
        """Return the examples that a query asks for."""
        if query.deleted or any(tag.casefold() != TAG for tag in query.tags):
            return []
        texts = {key: dumps(each).casefold() for key, each in self.documents.items()}
        wanted = [
            key
            for key, text in texts.items()
            if all(dumps(word)[1:-1].casefold() in text for word in query.search.split())
        ]
        return [entry for key in wanted if (entry := self.find(key)) is not None]
