"""How long what a server has done is remembered; without a word from the user, for ever.

Only jobs that have ended are ever forgotten, with their events.  Pictures in the output folder
belong to the user and are never touched; temporary ones are kept for a week.
"""

from dataclasses import dataclass

from sqlalchemy import Select, delete, or_, select

from safelight_server.database import Database
from safelight_server.tables import FINAL, jobs

DAY_MS = 24 * 3600 * 1000
TEMP_DAYS = 7.0  # the history may show a temporary picture for that long
_AT_ONCE = 200  # jobs per transaction, so that nobody waits long for the database


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept: of the jobs that ended, the newest ones; `None` keeps all.

    Args:
        jobs: How many.
        days: For how long after their end.
        temp_days: For how long temporary pictures lie in their folder.
    """

    jobs: int | None = None
    days: float | None = None
    temp_days: float = TEMP_DAYS

    async def forget(self, database: Database, now_ms: int) -> int:
        """Delete the jobs that are not to be kept any more; return how many they were."""
        wanted = self._over(now_ms)
        forgotten = 0
        while wanted is not None:
            async with database.writing() as connection:
                ids = [row.id for row in await connection.execute(wanted.limit(_AT_ONCE))]
                await connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
            forgotten += len(ids)
            if len(ids) < _AT_ONCE:
                break
        return forgotten

    def _over(self, now_ms: int) -> Select[tuple[str]] | None:
        """Return the query for jobs to forget, or `None` when all are kept."""
        ended = jobs.c.state.in_(FINAL)
        reasons = []
        if self.days is not None:
            reasons.append(jobs.c.ended_ms < now_ms - self.days * DAY_MS)
        if self.jobs is not None:
            newest = select(jobs.c.id).where(ended)
            newest = newest.order_by(jobs.c.ended_ms.desc(), jobs.c.number.desc(), jobs.c.id.desc())
            reasons.append(jobs.c.id.not_in(newest.limit(self.jobs)))
        return select(jobs.c.id).where(ended, or_(*reasons)) if reasons else None
