"""Jobs as a list: which ones, in which order, page by page, each with what it has shown so far."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select

from safelight_server.database import Database
from safelight_server.protocol import JsonObject, Refused, whole
from safelight_server.records import Entry
from safelight_server.store import HISTORY_LIMIT, with_events
from safelight_server.tables import State, jobs

# What clients call the states.
NAMES = {
    State.PENDING: "pending",
    State.RUNNING: "in_progress",
    State.CANCELLING: "in_progress",
    State.DONE: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
STATUSES = tuple(dict.fromkeys(NAMES.values()))
ORDERS = ("created_at", "execution_duration")
DIRECTIONS = ("asc", "desc")
_MEDIA = ("images", "video", "audio", "3d")
_SOLID = (".glb", ".gltf", ".obj", ".stl", ".fbx", ".usdz", ".ply")


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs to list; every field is checked by `read`."""

    statuses: tuple[str, ...] = STATUSES
    workflow_id: str | None = None
    sort_by: str = "created_at"
    descending: bool = True
    limit: int | None = None
    offset: int = 0

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "JobQuery":
        """Read the query of an address.

        Raises:
            Refused: 400, naming the first parameter that cannot be followed.
        """
        statuses = tuple(filter(None, query.get("status", "").split(",")))
        for status in statuses:
            _check("status", status, STATUSES)
        limit = whole_number(query, "limit")
        if limit is not None and limit <= 0:
            raise Refused("invalid_query", '"limit" must be at least 1.')
        order, direction = query.get("sort_by", ORDERS[0]), query.get("sort_order", "desc")
        _check("sort_by", order, ORDERS)
        _check("sort_order", direction, DIRECTIONS)
        return cls(
            statuses=statuses or STATUSES,
            workflow_id=query.get("workflow_id") or None,
            sort_by=order,
            descending=direction == "desc",
            limit=limit,
            offset=max(whole_number(query, "offset") or 0, 0),
        )

    def wanted(self) -> list[ColumnElement[bool]]:
        """Return the conditions as SQL has them."""
        states = [state for state, name in NAMES.items() if name in self.statuses]
        conditions: list[ColumnElement[bool]] = [jobs.c.state.in_(states)]
        if self.workflow_id is not None:
            conditions.append(jobs.c.workflow_id == self.workflow_id)
        return conditions

    def order(self) -> list[ColumnElement[Any]]:
        """Return the order as SQL has it."""
        took = func.coalesce(jobs.c.ended_ms - jobs.c.started_ms, 0)
        first: list[ColumnElement[Any]] = [took] if self.sort_by != ORDERS[0] else []
        columns = [*first, jobs.c.created_ms, jobs.c.number, jobs.c.id]
        return [column.desc() if self.descending else column.asc() for column in columns]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the jobs asked for, and how many there are."""

    query: JobQuery
    entries: list[Entry]
    total: int

    def body(self) -> JsonObject:
        """Return the JSON answer."""
        offset = self.query.offset
        return {
            "jobs": [describe(entry) for entry in self.entries],
            "pagination": {
                "offset": offset,
                "limit": self.query.limit,
                "total": self.total,
                "has_more": offset + len(self.entries) < self.total,
            },
        }


class Listing:
    """The jobs of a database, in whatever state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: JobQuery) -> Page:
        """Return the jobs that a query asks for."""
        counted = select(func.count()).select_from(jobs).where(*query.wanted())
        some = select(jobs).where(*query.wanted()).order_by(*query.order()).offset(query.offset)
        some = some.limit(min(query.limit or HISTORY_LIMIT, HISTORY_LIMIT))
        async with self._database.reading() as connection:
            total = (await connection.execute(counted)).scalar_one()
            entries = await with_events(connection, (await connection.execute(some)).all())
        return Page(query, entries, total)

    async def one(self, job_id: str) -> Entry | None:
        """Return one job, or `None` when there is none of that id."""
        wanted = select(jobs).where(jobs.c.id == job_id)
        async with self._database.reading() as connection:
            found = await with_events(connection, (await connection.execute(wanted)).all())
        return found[0] if found else None


def describe(entry: Entry) -> JsonObject:
    """Return a job as a list shows it; what is not known is left out."""
    job = entry.job
    errors = (each.data for each in entry.events if each.type == "execution_error")
    shown = list(_shown(entry.outputs))
    told = {
        "id": job.id,
        "status": NAMES[job.state],
        "priority": whole(job.number),
        "create_time": job.created_ms,
        "execution_start_time": job.started_ms,
        "execution_end_time": job.ended_ms,
        "execution_error": next(errors, None),
        "outputs_count": len(shown),
        "preview_output": _preview(shown),
        "workflow_id": job.workflow_id,
    }
    return {key: value for key, value in told.items() if value is not None}


def describe_whole(entry: Entry) -> JsonObject:
    """Return a job with its outputs, how it ended, and what was asked."""
    job = entry.job
    told = {
        **describe(entry),
        "attempt": job.attempt,
        "outputs": entry.outputs,
        "workflow": {"prompt": job.prompt, "extra_data": job.shown_extra()},
    }
    return told if job.ended_ms is None else {**told, "execution_status": entry.status()}


def _shown(outputs: JsonObject) -> Iterator[JsonObject]:
    """Yield every item that nodes have shown, with the node and the medium."""
    for node, media in outputs.items():
        for medium, items in media.items() if isinstance(media, Mapping) else ():
            if medium == "animated" or not isinstance(items, list):
                continue
            for item in items:
                if isinstance(item, dict):
                    yield {**item, "nodeId": node, "mediaType": medium}


def _preview(shown: list[JsonObject]) -> JsonObject | None:
    """Return what stands for the job in a list: a saved output, else anything to look at."""
    visible = [item for item in shown if _is_visible(item)]
    saved = (item for item in visible if item.get("type") == "output")
    return next(saved, visible[0] if visible else None)


def _is_visible(item: JsonObject) -> bool:
    kind, name = str(item.get("format", "")), str(item.get("filename", "")).lower()
    playable = kind.startswith(("video/", "audio/")) or name.endswith(_SOLID)
    return item["mediaType"] in _MEDIA or playable


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        message = f'"{name}" must be one of {", ".join(known)}, not {value[:40]!r}.'
        raise Refused("invalid_query", message)


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """Return a whole number from the query of an address, or `None` where it is missing.

    Raises:
        Refused: 400 when it is none, or too large for the store.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError:
        value = 2**63
    if abs(value) >= 2**63:
        raise Refused("invalid_query", f'"{name}" must be a whole number, not {text[:40]!r}.')
    return value
