"""The library of workflows: what the user keeps, and the examples beside it.

An example is read like any other workflow, and refused whatever would change it.
"""

import asyncio
import hashlib
import uuid
from pathlib import Path
from typing import Any

from PIL import Image

from safelight_server import pictures
from safelight_server.database import Database
from safelight_server.protocol import JsonObject, Refused
from safelight_server.shelf import SchemaShelf
from safelight_server.workflows_diff import difference
from safelight_server.workflows_documents import Draft, drafted, whole
from safelight_server.workflows_examples import Examples
from safelight_server.workflows_records import (
    Workflow,
    WorkflowPatch,
    WorkflowPost,
    WorkflowQuery,
    WorkflowVersion,
)
from safelight_server.workflows_store import Kept, WorkflowStore

_THUMBNAIL_SIDE = 512  # pixels along the longer side
_UNNAMED = "Untitled"


class Library:
    """All workflows; whatever names one that there is none of raises `Refused` with 404."""

    def __init__(self, database: Database, shelf: SchemaShelf) -> None:
        self._store = WorkflowStore(database)
        self._shelf = shelf
        self._examples = Examples.load()

    async def add(self, post: WorkflowPost) -> tuple[Workflow, tuple[str, ...]]:
        """Keep a new workflow; return it, and what was guessed to read it.

        Raises:
            Refused: 400 when it is no workflow, 409 when its id is taken.
        """
        draft = await self._drafted(post.document)
        workflow_id = draft.id or str(uuid.uuid4())
        self._check_writable(workflow_id)
        name = post.name or draft.name or _UNNAMED
        return await self._store.add(workflow_id, name, post.tags, draft), draft.guesses

    async def save(
        self, workflow_id: str, document: object, base: int | None
    ) -> tuple[Workflow, bool, tuple[str, ...]]:
        """Keep a new version, if it is one; return the workflow, whether, and what was guessed.

        Args:
            workflow_id: Of a workflow that is there.
            document: In any format.
            base: The version that it was made from; `None` saves over whatever there is.

        Raises:
            Refused: 400 when it is no workflow, 409 when there is a newer version than its base.
        """
        self._check_writable(workflow_id)
        draft = await self._drafted(document)
        if draft.id not in (None, workflow_id):
            message = f"The document calls itself {draft.id!r}, and is sent to {workflow_id!r}."
            raise Refused("wrong_workflow_id", message)
        workflow, changed = await self._store.save(workflow_id, draft, base)
        return workflow, changed, draft.guesses

    async def edit(self, workflow_id: str, patch: WorkflowPatch) -> Workflow:
        """Give a workflow another name, other tags, or both."""
        self._check_writable(workflow_id)
        return await self._store.edit(workflow_id, patch)

    async def page(self, query: WorkflowQuery) -> tuple[list[Workflow], int]:
        """Return one page of a list, the examples after all others, and how many there are."""
        own, total = await self._store.listed(query)
        examples = self._examples.listed(query)
        first = max(query.offset - total, 0)
        return own + examples[first : first + query.limit - len(own)], total + len(examples)

    async def find(self, workflow_id: str) -> Workflow:
        """Return a workflow without its document."""
        return self._examples.find(workflow_id) or await self._store.find(workflow_id)

    async def document(
        self, workflow_id: str, version: int | None = None
    ) -> tuple[Workflow, dict[str, Any]]:
        """Return a workflow and one of its versions, the newest where none is named."""
        kept = await self._read(workflow_id, version)
        entry = kept.workflow
        return entry, await asyncio.to_thread(whole, kept.text, entry.id, entry.name)

    async def versions(self, workflow_id: str) -> list[WorkflowVersion]:
        """Return what versions there are, the newest first; of an example, none."""
        if self._examples.find(workflow_id) is not None:
            return []
        return await self._store.versions(workflow_id)

    async def difference(self, workflow_id: str, old: int, new: int) -> JsonObject:
        """Return what is different between two versions."""
        _, before = await self.document(workflow_id, old)
        _, after = await self.document(workflow_id, new)
        return await asyncio.to_thread(difference, before, after)

    async def bin(self, workflow_id: str) -> Workflow:
        """Put a workflow into the bin."""
        self._check_writable(workflow_id)
        return await self._store.bin(workflow_id)

    async def restore(self, workflow_id: str) -> Workflow:
        """Take a workflow out of the bin."""
        return await self._store.restore(workflow_id)

    async def purge(self, workflow_id: str) -> None:
        """Delete a workflow that is in the bin for good."""
        await self._store.purge(workflow_id)

    async def thumbnail(self, workflow_id: str) -> bytes:
        """Return a workflow's picture (WebP)."""
        picture = None
        if self._examples.find(workflow_id) is None:
            picture = await self._store.thumbnail(workflow_id)
        if picture is None:
            message = f"The workflow {workflow_id!r} has no thumbnail."
            raise Refused("not_found", message, status=404)
        return picture

    async def set_thumbnail(self, workflow_id: str, path: Path | None) -> Workflow:
        """Make a workflow's picture of a file, or take it away.

        Raises:
            Refused: 400 when the file is no picture, or too large to be opened.
        """
        self._check_writable(workflow_id)
        picture = None if path is None else await asyncio.to_thread(_small, path)
        digest = "" if picture is None else hashlib.sha256(picture).hexdigest()[:16]
        return await self._store.set_thumbnail(workflow_id, picture, digest)

    async def _read(self, workflow_id: str, version: int | None) -> Kept:
        example = self._examples.read(workflow_id)
        if example is None:
            return await self._store.read(workflow_id, version)
        if version not in (None, example.version):
            message = f"The workflow {workflow_id!r} has no version {version}."
            raise Refused("not_found", message, status=404)
        return example

    async def _drafted(self, document: object) -> Draft:
        return await asyncio.to_thread(drafted, document, await self._shelf.wait())

    def _check_writable(self, workflow_id: str) -> None:
        example = self._examples.find(workflow_id)
        if example is not None:
            message = (
                f"{example.name!r} comes with Safelight and stays as it is; "
                "send the document without its id to keep a copy."
            )
            raise Refused("read_only_workflow", message, status=409)


def _small(path: Path) -> bytes:
    def render(picture: Image.Image) -> bytes:
        small = picture.convert("RGB")
        small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        return pictures.encoded(small, "WEBP", quality=80)

    return pictures.opened(path, render)
