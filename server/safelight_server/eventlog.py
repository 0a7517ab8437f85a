"""What happened to a job, by number: for those who missed it, and for those who wait for more.

Every state of a run is an event, and events of a job are numbered from 1 without gaps.  Who knows
the number of the last one it saw can ask for what came after, at any time and as often as it
likes.  Progress and previews pass by and are not kept.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from safelight_server.asked import JobEvent
from safelight_server.database import Database
from safelight_server.listing import NAMES
from safelight_server.news import News
from safelight_server.protocol import JsonObject
from safelight_server.tables import FINAL, State, events, jobs

PAGE = 500
HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some events of a job, and where the job stood at that moment."""

    job: str
    state: State
    events: Sequence[JobEvent]
    more: bool  # events were left out, since there were too many
    since: int

    @property
    def last(self) -> int:
        """The number of the last event told, by which to ask for the next ones."""
        return self.events[-1].sequence if self.events else self.since

    @property
    def complete(self) -> bool:
        """Whether nothing will follow."""
        return self.state in FINAL and not self.more

    @property
    def status(self) -> str:
        """The job's state as clients call it."""
        return NAMES[self.state]

    def body(self) -> JsonObject:
        """Return the JSON answer."""
        return {
            "job": self.job,
            "status": self.status,
            "events": [event.record() for event in self.events],
            "last": self.last,
            "more": self.more,
        }


class EventLog:
    """The events of all jobs."""

    def __init__(self, database: Database, news: News) -> None:
        self._database = database
        self._news = news

    async def since(self, job_id: str, since: int, most: int = PAGE) -> Excerpt | None:
        """Return the events after number `since`, or `None` when there is no such job."""
        state = select(jobs.c.state).where(jobs.c.id == job_id)
        wanted = (
            select(events)
            .where(events.c.job_id == job_id, events.c.sequence > since)
            .order_by(events.c.sequence)
            .limit(most + 1)
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(state)).scalar()
            rows = (await connection.execute(wanted)).all()
        if found is None:
            return None
        told = [
            JobEvent(job_id, row.sequence, row.attempt, row.type, json.loads(row.data), row.at_ms)
            for row in rows[:most]
        ]
        return Excerpt(job_id, State(found), told, len(rows) > most, since)

    async def follow(self, job_id: str, since: int) -> AsyncGenerator[Excerpt, None]:
        """Yield what happened after number `since`, and then whatever happens, until it ends.

        An excerpt without events is a sign of life.
        """
        with self._news.about(job_id) as bell:
            while not self._news.closed:
                bell.clear()
                excerpt = await self.since(job_id, since)
                if excerpt is None:
                    return
                since = excerpt.last
                yield excerpt
                if excerpt.complete:
                    return
                if not excerpt.more:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(HEARTBEAT_SECONDS):
                            await bell.wait()
