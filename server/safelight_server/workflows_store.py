"""The library in the database: entries, versions and thumbnails, each change in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight_server.database import Database
from safelight_server.protocol import Refused, dumps
from safelight_server.runs import now_ms
from safelight_server.workflows_documents import Draft
from safelight_server.workflows_records import (
    MOST_VERSIONS,
    MOST_WORKFLOWS,
    Workflow,
    WorkflowPatch,
    WorkflowQuery,
    WorkflowVersion,
)
from safelight_server.workflows_tables import shares, thumbnails, versions
from safelight_server.workflows_tables import workflows as _w

ADDRESS = "/api/workflows/{id}/thumbnail?of={digest}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A workflow with the text of one of its versions."""

    workflow: Workflow
    version: int
    text: str


class WorkflowStore:
    """The user's workflows, those in the bin among them.

    What names a workflow that there is none of raises `Refused` with 404; of those in the bin,
    only `listed`, `restore` and `purge` know.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, workflow_id: str, name: str, tags: Sequence[str], draft: Draft) -> Workflow:
        """Store a new workflow as version 1.

        Raises:
            Refused: 409 when the id is taken, or the library is full.
        """
        now = now_ms()
        row = {"id": workflow_id, "name": name, "tags": dumps(list(tags)), "version": 1}
        times = {"created_ms": now, "changed_ms": now}
        async with self._database.writing() as connection:
            await _check_room(connection, workflow_id)
            newest = {"words": _words(name, draft), "nodes": draft.nodes}
            await connection.execute(insert(_w).values({**row, **times, **newest}))
            await _write(connection, workflow_id, 1, draft, now)
            return _workflow(await _found(connection, workflow_id))

    async def save(self, workflow_id: str, draft: Draft, base: int | None) -> tuple[Workflow, bool]:
        """Store a new version, if it differs from the newest one; return whether it did.

        Args:
            workflow_id: Of a workflow that is there.
            draft: What to store.
            base: The version it was made from; `None` saves over whatever there is.

        Raises:
            Refused: 409 when there is a newer version than `base`.
        """
        async with self._database.writing() as connection:
            row = await _found(connection, workflow_id)
            newest = await _version(connection, workflow_id, row.version)
            changed, current = newest.digest != draft.digest, base in (None, row.version)
            if changed and not current:
                raise _stale(workflow_id, row.version, base)
            name = draft.name if current and draft.name else row.name
            if changed or name != row.name:
                now, version = now_ms(), row.version + changed
                if changed:
                    await _write(connection, workflow_id, version, draft, now)
                values = {"name": name, "version": version, "nodes": draft.nodes}
                found = {"words": _words(name, draft), "changed_ms": now}
                await _set(connection, workflow_id, **values, **found)
            return _workflow(await _found(connection, workflow_id)), changed

    async def edit(self, workflow_id: str, patch: WorkflowPatch) -> Workflow:
        """Give a workflow another name, other tags, or both."""
        async with self._database.writing() as connection:
            row = await _found(connection, workflow_id)
            values: dict[str, object] = {"changed_ms": now_ms()}
            if patch.name is not None:
                content = row.words.partition("\n")[2]
                values |= {"name": patch.name, "words": f"{patch.name.casefold()}\n{content}"}
            if patch.tags is not None:
                values["tags"] = dumps(list(patch.tags))
            await _set(connection, workflow_id, **values)
            return _workflow(await _found(connection, workflow_id))

    async def find(self, workflow_id: str) -> Workflow:
        """Return a workflow."""
        async with self._database.reading() as connection:
            return _workflow(await _found(connection, workflow_id))

    async def read(self, workflow_id: str, version: int | None = None) -> Kept:
        """Return a workflow with one of its versions, the newest where none is named."""
        async with self._database.reading() as connection:
            row = await _found(connection, workflow_id)
            kept = await _version(connection, workflow_id, version or row.version)
            return Kept(_workflow(row), kept.version, kept.document)

    async def versions(self, workflow_id: str) -> list[WorkflowVersion]:
        """Return all versions that are kept, the newest first."""
        columns = (versions.c.version, versions.c.nodes, versions.c.created_ms)
        wanted = select(*columns).where(versions.c.workflow_id == workflow_id)
        async with self._database.reading() as connection:
            await _found(connection, workflow_id)
            rows = await connection.execute(wanted.order_by(versions.c.version.desc()))
            return [WorkflowVersion(*row) for row in rows]

    async def listed(self, query: WorkflowQuery) -> tuple[list[Workflow], int]:
        """Return one page of what a query asks for, and how many there are in all."""
        orders: dict[str, list[ColumnElement[Any]]] = {
            "changed": [_w.c.changed_ms.desc(), _w.c.id],
            "created": [_w.c.created_ms.desc(), _w.c.id],
            "name": [func.lower(_w.c.name), _w.c.id],
        }
        conditions = _conditions(query)
        counted = select(func.count()).select_from(_w).where(*conditions)
        wanted = select(_w).where(*conditions).order_by(*orders[query.sort_by])
        async with self._database.reading() as connection:
            total = (await connection.execute(counted)).scalar_one()
            rows = await connection.execute(wanted.limit(query.limit).offset(query.offset))
            return [_workflow(row) for row in rows], total

    async def bin(self, workflow_id: str) -> Workflow:
        """Put a workflow into the bin, from where `restore` brings it back."""
        async with self._database.writing() as connection:
            await _found(connection, workflow_id)
            await _set(connection, workflow_id, deleted_ms=now_ms())
            return _workflow(await _found(connection, workflow_id, deleted=True))

    async def restore(self, workflow_id: str) -> Workflow:
        """Take a workflow out of the bin."""
        async with self._database.writing() as connection:
            await _found(connection, workflow_id, deleted=True)
            await _set(connection, workflow_id, deleted_ms=None)
            return _workflow(await _found(connection, workflow_id))

    async def purge(self, workflow_id: str) -> None:
        """Delete a workflow that is in the bin, with all its versions, for good."""
        async with self._database.writing() as connection:
            await _found(connection, workflow_id, deleted=True)
            await connection.execute(delete(_w).where(_w.c.id == workflow_id))

    async def thumbnail(self, workflow_id: str) -> bytes | None:
        """Return a workflow's picture (WebP), if it has one."""
        wanted = select(thumbnails.c.picture).where(thumbnails.c.workflow_id == workflow_id)
        async with self._database.reading() as connection:
            await _found(connection, workflow_id)
            picture: bytes | None = (await connection.execute(wanted)).scalar()
        return picture

    async def set_thumbnail(self, workflow_id: str, picture: bytes | None, digest: str) -> Workflow:
        """Give a workflow a picture, or take it away."""
        async with self._database.writing() as connection:
            await _found(connection, workflow_id)
            mine = thumbnails.c.workflow_id == workflow_id
            await connection.execute(delete(thumbnails).where(mine))
            if picture is not None:
                row = {"workflow_id": workflow_id, "picture": picture}
                await connection.execute(insert(thumbnails).values(row))
            await _set(connection, workflow_id, thumbnail=None if picture is None else digest)
            return _workflow(await _found(connection, workflow_id))


async def _found(connection: AsyncConnection, workflow_id: str, *, deleted: bool = False) -> Any:
    """Return a workflow's row, or refuse."""
    row = (await connection.execute(select(_w).where(_w.c.id == workflow_id))).first()
    if row is None or (row.deleted_ms is not None) is not deleted:
        where = "in the bin" if deleted else "here"
        hint = "; it is in the bin" if row is not None and not deleted else ""
        message = f"There is no workflow {workflow_id[:200]!r} {where}{hint}."
        raise Refused("not_found", message, status=404)
    return row


async def _version(connection: AsyncConnection, workflow_id: str, version: int) -> Any:
    mine = and_(versions.c.workflow_id == workflow_id, versions.c.version == version)
    row = (await connection.execute(select(versions).where(mine))).first()
    if row is None:
        message = f"The workflow {workflow_id!r} has no version {version}."
        raise Refused("not_found", message, status=404)
    return row


async def _set(connection: AsyncConnection, workflow_id: str, **values: object) -> None:
    await connection.execute(update(_w).where(_w.c.id == workflow_id).values(values))


async def _write(
    connection: AsyncConnection, workflow_id: str, version: int, draft: Draft, now: int
) -> None:
    """Add a version, and drop one that is too old and that no link shows."""
    row = {"workflow_id": workflow_id, "version": version, "document": draft.text}
    about = {"digest": draft.digest, "nodes": draft.nodes, "created_ms": now}
    await connection.execute(insert(versions).values({**row, **about}))
    shown = select(shares.c.version).where(shares.c.workflow_id == workflow_id)
    old = and_(versions.c.workflow_id == workflow_id, versions.c.version <= version - MOST_VERSIONS)
    await connection.execute(delete(versions).where(old, versions.c.version.not_in(shown)))


async def _check_room(connection: AsyncConnection, workflow_id: str) -> None:
    taken = (await connection.execute(select(_w).where(_w.c.id == workflow_id))).first()
    if taken is not None:
        where = "in the bin" if taken.deleted_ms is not None else "in the library"
        message = (
            f"A workflow with the id {workflow_id!r} is {where} already: "
            "save it there, or send the document without its id for a copy."
        )
        raise Refused("workflow_id_taken", message, status=409)
    count = (await connection.execute(select(func.count()).select_from(_w))).scalar_one()
    if count >= MOST_WORKFLOWS:
        message = f"The library holds {count} workflows, the most it can; delete some for good."
        raise Refused("library_full", message, status=409)


def _stale(workflow_id: str, version: int, base: int | None) -> Refused:
    message = (
        f"The workflow {workflow_id!r} has version {version} by now, and this was made from "
        f"version {base}. Nothing was saved; look at the difference and save again."
    )
    details = f"/api/workflows/{workflow_id}/diff?from={base}&to={version}"
    extra = {"version": version, "base": base}
    return Refused("stale_workflow", message, details=details, status=409, extra=extra)


def _words(name: str, draft: Draft) -> str:
    return f"{name.casefold()}\n{draft.words}"


def _conditions(query: WorkflowQuery) -> list[ColumnElement[bool]]:
    """Return what a query wants: every word of the search, and every tag."""
    binned = _w.c.deleted_ms.is_not(None) if query.deleted else _w.c.deleted_ms.is_(None)
    words = [_w.c.words.contains(word, autoescape=True) for word in query.search.split()]
    tags = [_w.c.tags.contains(dumps(tag), autoescape=True) for tag in query.tags]
    return [binned, *words, *tags]


def _workflow(row: Row[Any]) -> Workflow:
    pictured = ADDRESS.format(id=row.id, digest=row.thumbnail) if row.thumbnail else None
    return Workflow(
        id=row.id,
        name=row.name,
        version=row.version,
        nodes=row.nodes,
        tags=tuple(json.loads(row.tags)),
        created=row.created_ms,
        changed=row.changed_ms,
        deleted=row.deleted_ms,
        thumbnail=pictured,
    )
