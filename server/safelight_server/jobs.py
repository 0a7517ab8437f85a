"""The queue: accepts jobs, shows them, puts them into another order, cancels and repeats them.

Whatever a client is told about a job has been committed before.  A job that a former server left
running starts anew.
"""

import asyncio
import logging
import uuid
from collections.abc import Collection

from safelight.graph.folders import Folders
from safelight_server import protocol
from safelight_server.admission import admit, digest
from safelight_server.bodies import Submission
from safelight_server.dispatcher import Dispatcher
from safelight_server.protocol import Accepted, JsonObject, Refused
from safelight_server.records import Entry, Job
from safelight_server.runs import interruption_of_waiting
from safelight_server.shelf import SchemaShelf
from safelight_server.sockets import Clients
from safelight_server.store import Store, TakenId
from safelight_server.switches import Switches
from safelight_server.tables import ACTIVE, FINAL, WAITING

_log = logging.getLogger("safelight.server")


class Jobs:
    """The queue, as clients see and change it."""

    def __init__(
        self,
        store: Store,
        switches: Switches,
        dispatcher: Dispatcher,
        clients: Clients,
        shelf: SchemaShelf,
        folders: Folders,
    ) -> None:
        self._store = store
        self._clients = clients
        self._shelf = shelf
        self._folders = folders
        self._dispatcher = dispatcher
        self._switches = switches
        self._counter = 0

    # What clients ask for.

    async def submit(self, submission: Submission) -> Accepted:
        """Check and store a job; when this returns it is on the disk.

        A submission repeated under its own `prompt_id` is accepted once and answered twice.

        Raises:
            Refused: with every mistake of the workflow, or because the id is taken.
        """
        schema = await self._shelf.wait()
        job_id = submission.prompt_id or str(uuid.uuid4())
        number = self._next_number(submission)
        admitted = await asyncio.to_thread(admit, submission, job_id, number, schema, self._folders)
        try:
            await self._store.add(admitted.job)
        except TakenId as taken:
            if taken.job.digest != digest(submission):
                message = f"Another job has the id {job_id!r}; choose another, or none."
                raise Refused("prompt_id_taken", message) from taken
            number = taken.job.number
            return Accepted(job_id, number, admitted.node_errors, admitted.conversion)
        await self._dispatcher.announce()
        self._dispatcher.wake()
        return Accepted(job_id, number, admitted.node_errors, admitted.conversion)

    async def interrupt(self, ids: Collection[str] | None) -> None:
        """Stop running jobs: all, or those of `ids`."""
        await self._dispatcher.stop(await self._store.ask_to_stop(ids))

    async def cancel_waiting(self, ids: Collection[str] | None) -> None:
        """Cancel jobs that have not begun: all, or those of `ids`."""
        ended = interruption_of_waiting()
        for job in await self._store.cancel_pending(ids, ended):
            client = self._clients.of(job.client_id)
            if client is not None:
                client.say(protocol.ExecutionInterrupted(job.id, None, None, (), ended.at_ms))
                client.say(protocol.ExecutingNone(job.id))
        await self._dispatcher.announce()

    async def cancel(self, job_id: str) -> Job | None:
        """Cancel one job, waiting or running; return it as it was, or `None` if unknown."""
        job = await self._store.find(job_id)
        await self.cancel_waiting([job_id])
        await self.interrupt([job_id])
        return job

    async def queue(self) -> tuple[list[Job], list[Job]]:
        """Return the running and the waiting jobs, in order."""
        return await self._store.queue()

    async def remaining(self) -> int:
        """Return how many jobs wait or run."""
        return await self._store.remaining()

    async def history(self, max_items: int | None, offset: int | None) -> list[Entry]:
        """Return finished jobs, oldest first."""
        return await self._store.history(max_items, offset)

    async def history_of(self, job_id: str) -> Entry | None:
        """Return one finished job."""
        return await self._store.history_of(job_id)

    async def forget(self, ids: Collection[str] | None) -> None:
        """Delete finished jobs: all, or those of `ids`."""
        await self._store.forget(ids)

    async def retry(self, job_id: str, client_id: str | None) -> Accepted:
        """Ask for a finished job once more, under a new id, as it was checked and stored.

        Raises:
            Refused: 404 when it is unknown, 409 when it has not ended, and as `submit`.
        """
        job = await self._store.find(job_id)
        if job is None:
            raise unknown_job(job_id)
        if job.state not in FINAL:
            message = f"The job {job_id!r} has not ended yet."
            raise Refused("job_not_finished", message, status=409)
        return await self.submit(
            Submission(
                prompt=job.prompt,
                client_id=client_id or job.client_id,
                extra_data={**job.extra, "retry_of": job.id},
                targets=job.wanted,
            )
        )

    async def move(self, job_id: str, number: float | None) -> Job:
        """Give a waiting job another place in the queue: the first, where no number is given.

        Raises:
            Refused: 404 when it is unknown, 409 when it does not wait any more.
        """
        if number is None:
            number, self._counter = -self._counter, self._counter + 1
        moved = await self._store.renumber(job_id, number)
        job = await self._store.find(job_id)
        if job is None:
            raise unknown_job(job_id)
        if not moved:
            message = f"The job {job_id!r} does not wait any more, it is {job.state}."
            raise Refused("job_not_waiting", message, status=409)
        await self._dispatcher.announce()
        return job

    async def pause(self, paused: bool) -> None:
        """Let waiting jobs wait, or let them run again; this outlives the server."""
        await self._switches.set_paused(paused)
        self._dispatcher.paused = paused
        await self._dispatcher.announce()
        self._dispatcher.wake()

    async def state(self) -> JsonObject:
        """Return whether the queue is paused, and how many jobs wait and run."""
        counts = await self._store.counts()
        return {
            "paused": self._dispatcher.paused,
            "pending": sum(counts[state] for state in WAITING),
            "running": sum(counts[state] for state in ACTIVE),
        }

    async def recover(self) -> None:
        """Take up what a former server left, before anything else happens."""
        count = await self._store.recover(interruption_of_waiting())
        if count:
            _log.info("%d unfinished job(s) of the last session are queued again.", count)
        self._counter = int(await self._store.highest_number()) + 1
        self._dispatcher.paused = await self._switches.paused()
        self._dispatcher.wake()

    def _next_number(self, submission: Submission) -> float:
        if submission.number is not None:
            return submission.number
        counter, self._counter = self._counter, self._counter + 1
        return -counter if submission.front else counter


def unknown_job(job_id: str) -> Refused:
    """Return the refusal of what is asked about a job that there is none of."""
    return Refused("not_found", f"There is no job {job_id[:200]!r}.", status=404)
