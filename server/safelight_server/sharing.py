"""Links to workflows: each shows one version, read only, to whoever has it, until it is revoked.

A link holds 256 random bits and is all that its reader needs; it leads to that version of that
workflow and to nothing else.  A link to a workflow in the bin leads nowhere.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select

from safelight_server.database import Database
from safelight_server.protocol import Refused
from safelight_server.runs import now_ms
from safelight_server.workflows import Library
from safelight_server.workflows_documents import whole
from safelight_server.workflows_tables import shares, thumbnails, versions, workflows

MOST_SHARES = 100  # of one workflow


@dataclass(frozen=True, slots=True)
class Share:
    """A link to one version of a workflow; `address` is its path on this server."""

    token: str
    workflow: str
    version: int
    created: int

    @property
    def address(self) -> str:
        """Where it leads."""
        return f"/s/{self.token}"

    def body(self) -> dict[str, object]:
        """Return the JSON answer."""
        return {
            "token": self.token,
            "workflow": self.workflow,
            "version": self.version,
            "created": self.created,
            "address": self.address,
        }


@dataclass(frozen=True, slots=True)
class Shared:
    """What a link shows."""

    name: str
    version: int
    created: int
    document: dict[str, Any]
    pictured: bool


class Sharing:
    """All links."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database = database
        self._library = library

    async def create(self, workflow_id: str, version: int | None) -> Share:
        """Make a link to a version, the newest where none is named.

        Raises:
            Refused: 404 when there is no such version, 409 for an example or when there are too
                many links to the workflow.
        """
        entry, _ = await self._library.document(workflow_id, version)
        if entry.read_only:
            message = f"{entry.name!r} comes with Safelight; keep a copy of it to share that."
            raise Refused("read_only_workflow", message, status=409)
        share = Share(secrets.token_urlsafe(32), entry.id, version or entry.version, now_ms())
        mine = select(func.count()).select_from(shares).where(shares.c.workflow_id == entry.id)
        row = {"token": share.token, "workflow_id": entry.id, "version": share.version}
        async with self._database.writing() as connection:
            if (await connection.execute(mine)).scalar_one() >= MOST_SHARES:
                message = f"There are {MOST_SHARES} links to {entry.name!r}; revoke some of them."
                raise Refused("too_many", message, status=409)
            await connection.execute(insert(shares).values(created_ms=share.created, **row))
        return share

    async def listed(self, workflow_id: str) -> list[Share]:
        """Return the links to a workflow, the newest first."""
        entry = await self._library.find(workflow_id)
        wanted = select(shares).where(shares.c.workflow_id == entry.id)
        async with self._database.reading() as connection:
            rows = await connection.execute(wanted.order_by(shares.c.created_ms.desc()))
            return [Share(row.token, row.workflow_id, row.version, row.created_ms) for row in rows]

    async def revoke(self, token: str) -> None:
        """Let a link lead nowhere from now on.

        Raises:
            Refused: 404 when there is no such link.
        """
        async with self._database.writing() as connection:
            gone = await connection.execute(delete(shares).where(shares.c.token == token))
        if gone.rowcount == 0:
            raise _nowhere()

    async def open(self, token: str) -> Shared:
        """Return what a link shows.

        Raises:
            Refused: 404 when it leads nowhere, in the same words whatever the reason.
        """
        row = await self._row(token)
        document = await asyncio.to_thread(whole, row.document, row.id, row.name)
        return Shared(row.name, row.version, row.created_ms, document, _pictured(row))

    async def picture(self, token: str) -> bytes:
        """Return the picture (WebP) of the workflow that a link shows.

        Raises:
            Refused: 404 when it leads nowhere, or there is no picture.
        """
        row = await self._row(token)
        if not _pictured(row):
            raise _nowhere()
        wanted = select(thumbnails.c.picture).where(thumbnails.c.workflow_id == row.id)
        async with self._database.reading() as connection:
            picture: bytes | None = (await connection.execute(wanted)).scalar()
        if picture is None:
            raise _nowhere()
        return picture

    async def _row(self, token: str) -> Any:
        newest = workflows.c.version.label("newest")
        columns = (workflows.c.id, workflows.c.name, workflows.c.thumbnail, newest)
        same = (versions.c.workflow_id == workflows.c.id) & (versions.c.version == shares.c.version)
        wanted = (
            select(*columns, versions.c.version, versions.c.document, versions.c.created_ms)
            .select_from(shares)
            .join(workflows, workflows.c.id == shares.c.workflow_id)
            .join(versions, same)
            .where(shares.c.token == token, workflows.c.deleted_ms.is_(None))
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).first()
        if row is None:
            raise _nowhere()
        return row


def _pictured(row: Any) -> bool:
    """Whether a picture may be shown: one of a later version is nobody else's business."""
    return row.thumbnail is not None and row.version == row.newest


def _nowhere() -> Refused:
    return Refused("not_found", "This link leads nowhere, or not any more.", status=404)
