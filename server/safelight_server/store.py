"""The durable side of the queue: every change is committed before anybody hears of it.

A job is `pending`, then `running` under a numbered attempt, then final.  Who finishes a job names
the attempt it was given; when another has been given since, the store says no, and nothing that
the stale one reports is written.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import CursorResult, Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight_server.database import Database
from safelight_server.news import News
from safelight_server.protocol import dumps
from safelight_server.records import REPEATED, Entry, Event, Job, NewJob
from safelight_server.tables import ACTIVE, FINAL, OPEN, State, events, jobs

HISTORY_LIMIT = 10_000  # what a listing returns at most; nothing is dropped from the store


class TakenId(Exception):
    """Another job has this id already; `job` is that one."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"The id {job.id!r} is taken.")
        self.job = job


class Store:
    """Jobs and their events, in the database."""

    def __init__(
        self, database: Database, on_end: Callable[[Job], None] = lambda _job: None
    ) -> None:
        self._database = database
        self._on_end = on_end  # told of every end, once it is on the disk
        self.news = News()

    async def add(self, job: NewJob) -> None:
        """Store a new job as pending; it is on the disk when this returns.

        Raises:
            TakenId: when the id is in use.
        """
        row = {
            "id": job.id,
            "number": job.number,
            "state": State.PENDING,
            "attempt": 0,
            "deaths": 0,
            "client_id": job.client_id,
            "prompt": dumps(job.prompt),
            "extra": dumps(job.extra),
            "wanted": dumps(job.wanted),
            "digest": job.digest,
            "created_ms": job.created_ms,
            "workflow_id": job.workflow_id(),
        }
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(jobs).values(row))
        except IntegrityError as error:
            taken = await self.find(job.id)
            if taken is None:
                raise
            raise TakenId(taken) from error

    async def find(self, job_id: str) -> Job | None:
        """Return a job in whatever state, or `None`."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).first()
        return None if row is None else Job.of(row)

    async def claim(self, now_ms: int) -> Job | None:
        """Take the first pending job under a new attempt, or return `None`."""
        first = (
            select(jobs.c.id)
            .where(jobs.c.state == State.PENDING)
            .order_by(jobs.c.number, jobs.c.id)
            .limit(1)
            .scalar_subquery()
        )
        claimed = (
            update(jobs)
            .where(jobs.c.id == first)
            .values(state=State.RUNNING, attempt=jobs.c.attempt + 1, started_ms=now_ms)
            .returning(jobs)
        )
        async with self._database.writing() as connection:
            row = (await connection.execute(claimed)).first()
        return None if row is None else Job.of(row)

    async def append(self, job: Job, happened: Sequence[Event]) -> None:
        """Write events behind those that the job has."""
        if happened:
            async with self._database.writing() as connection:
                await _append(connection, job.id, job.attempt, happened)
            self.news.tell(job.id)

    async def finish(self, job: Job, state: State, happened: Sequence[Event]) -> bool:
        """End a running job under the attempt it was claimed with.

        Returns:
            False when that attempt is no longer the job's, and then nothing is written.
        """
        ended = (
            update(jobs).where(_is_attempt(job)).values(state=state, ended_ms=happened[-1].at_ms)
        )
        async with self._database.writing() as connection:
            if _changed(await connection.execute(ended)) == 0:
                return False
            await _append(connection, job.id, job.attempt, happened)
        self.news.tell(job.id)
        self._on_end(job)
        return True

    async def give_back(self, job: Job, *, deaths: int) -> bool:
        """Put a running job back into the queue, counting the workers that died of it."""
        pending = (
            update(jobs)
            .where(and_(_is_attempt(job), jobs.c.state == State.RUNNING))
            .values(state=State.PENDING, deaths=jobs.c.deaths + deaths, started_ms=None)
        )
        async with self._database.writing() as connection:
            return _changed(await connection.execute(pending)) > 0

    async def ask_to_stop(self, ids: Collection[str] | None) -> list[str]:
        """Mark running jobs (all, or those of `ids`) as to be stopped; return which."""
        stopping = update(jobs).where(jobs.c.state.in_(ACTIVE)).values(state=State.CANCELLING)
        if ids is not None:
            stopping = stopping.where(jobs.c.id.in_(ids))
        async with self._database.writing() as connection:
            found = await connection.execute(stopping.returning(jobs.c.id))
            return [row.id for row in found]

    async def cancel_pending(self, ids: Collection[str] | None, event: Event) -> list[Job]:
        """Cancel waiting jobs (all, or those of `ids`); return those that were waiting.

        `event` is written to each, with the job's own id as its `prompt_id`.
        """
        cancelled = (
            update(jobs)
            .where(jobs.c.state == State.PENDING)
            .values(state=State.CANCELLED, ended_ms=event.at_ms)
            .returning(jobs)
        )
        if ids is not None:
            cancelled = cancelled.where(jobs.c.id.in_(ids))
        async with self._database.writing() as connection:
            gone = [Job.of(row) for row in await connection.execute(cancelled)]
            for job in gone:
                own = Event(event.type, {**event.data, "prompt_id": job.id}, event.at_ms)
                await _append(connection, job.id, job.attempt, [own])
        for job in gone:
            self.news.tell(job.id)
            self._on_end(job)
        return gone

    async def renumber(self, job_id: str, number: float) -> bool:
        """Give a waiting job another place; returns False when it does not wait."""
        moved = (
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.state == State.PENDING)
            .values(number=number)
        )
        async with self._database.writing() as connection:
            return _changed(await connection.execute(moved)) > 0

    async def recover(self, interrupted: Event) -> int:
        """Put what a former server left running back into the queue; return how many.

        Those that were asked to stop are cancelled instead, with `interrupted` as their end.
        """
        again = (
            update(jobs)
            .where(jobs.c.state == State.RUNNING)
            .values(state=State.PENDING, started_ms=None)
        )
        stopping = update(jobs).where(jobs.c.state == State.CANCELLING).values(state=State.PENDING)
        async with self._database.writing() as connection:
            count = _changed(await connection.execute(again))
            ids = [row.id for row in await connection.execute(stopping.returning(jobs.c.id))]
        if ids:
            await self.cancel_pending(ids, interrupted)
        return count

    async def highest_number(self) -> float:
        """Return the largest number, sign apart, that any job has, or -1."""
        async with self._database.reading() as connection:
            largest = select(func.max(func.abs(jobs.c.number)))
            found = (await connection.execute(largest)).scalar()
        return -1.0 if found is None else float(found)

    async def remaining(self) -> int:
        """Return how many jobs wait or run."""
        counted = select(func.count()).select_from(jobs).where(jobs.c.state.in_(OPEN))
        async with self._database.reading() as connection:
            return (await connection.execute(counted)).scalar_one()

    async def counts(self) -> dict[State, int]:
        """Return how many jobs there are in each state."""
        counted = select(jobs.c.state, func.count()).group_by(jobs.c.state)
        async with self._database.reading() as connection:
            found = {State(state): count for state, count in await connection.execute(counted)}
        return {state: found.get(state, 0) for state in State}

    async def queue(self) -> tuple[list[Job], list[Job]]:
        """Return the running and the waiting jobs, each in order."""
        wanted = select(jobs).where(jobs.c.state.in_(OPEN)).order_by(jobs.c.number, jobs.c.id)
        async with self._database.reading() as connection:
            found = [Job.of(row) for row in await connection.execute(wanted)]
        running = [job for job in found if job.state in ACTIVE]
        return running, [job for job in found if job.state is State.PENDING]

    async def history(self, max_items: int | None, offset: int | None) -> list[Entry]:
        """Return finished jobs, oldest first: the last `max_items`, or those from `offset` on."""
        most = HISTORY_LIMIT if max_items is None else min(max_items, HISTORY_LIMIT)
        ended = select(jobs).where(jobs.c.state.in_(FINAL))
        newest_first = offset is None
        order = [jobs.c.ended_ms, jobs.c.number, jobs.c.id]
        if newest_first:
            page = ended.order_by(*(column.desc() for column in order)).limit(most)
        else:
            page = ended.order_by(*order).limit(most).offset(offset)
        async with self._database.reading() as connection:
            rows = (await connection.execute(page)).all()
            return await with_events(connection, rows[::-1] if newest_first else rows)

    async def history_of(self, job_id: str) -> Entry | None:
        """Return one finished job, or `None` when it is unknown or not finished."""
        wanted = select(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(FINAL))
        async with self._database.reading() as connection:
            found = await with_events(connection, (await connection.execute(wanted)).all())
        return found[0] if found else None

    async def forget(self, ids: Collection[str] | None) -> None:
        """Delete finished jobs (all, or those of `ids`) and their events."""
        gone = delete(jobs).where(jobs.c.state.in_(FINAL))
        async with self._database.writing() as connection:
            await connection.execute(gone if ids is None else gone.where(jobs.c.id.in_(ids)))


def _is_attempt(job: Job) -> Any:
    return and_(jobs.c.id == job.id, jobs.c.attempt == job.attempt, jobs.c.state.in_(ACTIVE))


def _changed(result: CursorResult[Any]) -> int:
    return result.rowcount


async def _append(
    connection: AsyncConnection, job_id: str, attempt: int, happened: Iterable[Event]
) -> None:
    last = select(func.coalesce(func.max(events.c.sequence), 0)).where(events.c.job_id == job_id)
    start = (await connection.execute(last)).scalar_one() + 1
    rows = [
        {
            "job_id": job_id,
            "sequence": sequence,
            "attempt": attempt,
            "type": event.type,
            "data": dumps(event.data),
            "at_ms": event.at_ms,
        }
        for sequence, event in enumerate(happened, start)
    ]
    await connection.execute(insert(events), rows)


async def with_events(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Entry]:
    """Return rows of jobs together with the events that a history repeats."""
    entries = {row.id: Entry(row) for row in rows}
    for some in _chunks(list(entries)):
        wanted = (
            select(events)
            .join(jobs, and_(jobs.c.id == events.c.job_id, jobs.c.attempt == events.c.attempt))
            .where(events.c.job_id.in_(some), events.c.type.in_(REPEATED))
            .order_by(events.c.job_id, events.c.sequence)
        )
        for row in await connection.execute(wanted):
            entries[row.job_id].happened.append(row)
    return list(entries.values())


def _chunks(ids: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
