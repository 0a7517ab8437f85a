"""Giving waiting jobs to workers, and seeing each run to its end.

A job whose worker died is run once more, then failed with the reason.  While the queue is paused,
what runs goes on and nothing else begins.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection

from sqlalchemy.exc import SQLAlchemyError

from safelight_server import frames, protocol
from safelight_server.metrics import Metrics
from safelight_server.runs import Run, now_ms
from safelight_server.sockets import Client, Clients
from safelight_server.store import Store
from safelight_server.tables import State
from safelight_server.workers import Worker

_WRITE_SECONDS = 0.1  # how long an event of a run may wait to be written
_AGAIN_SECONDS = 1.0  # after the database refused
_MOST_DEATHS = 1  # workers that may die of a job before it is failed
_log = logging.getLogger("safelight.server")


class Dispatcher:
    """The runs; it is the workers' employer."""

    def __init__(self, store: Store, clients: Clients, metrics: Metrics) -> None:
        self.paused = False
        self._store = store
        self._clients = clients
        self._metrics = metrics
        self._workers: list[Worker] = []
        self._runs: dict[str, Run] = {}
        self._stopping: set[str] = set()  # asked to stop, perhaps before their run was known
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look at the queue, since something in it has changed."""
        self._wake.set()

    async def stop(self, ids: Collection[str]) -> None:
        """Stop runs that are marked in the store as to be stopped."""
        for job_id in ids:
            self._stopping.add(job_id)
            if (run := self._runs.get(job_id)) is not None:
                await self._stop(run)

    async def free(self) -> None:
        """Let workers forget what they remember."""
        for worker in self._workers:
            await worker.free()

    async def announce(self) -> None:
        """Tell everybody how many jobs remain."""
        if not self._clients:
            return
        try:
            remaining = await self._store.remaining()
        except SQLAlchemyError:
            _log.exception("The queue could not be counted.")
        else:
            self._clients.broadcast([protocol.Status(remaining, paused=self.paused)])

    def run_of(self, client: Client) -> Run | None:
        """Return the run that a client asked for, if it is under way."""
        return next((run for run in self._runs.values() if run.job.client_id == client.id), None)

    async def audience_changed(self, client: Client) -> None:
        """Let the worker know that the owner of a run came or went."""
        run = self.run_of(client)
        worker = None if run is None else self._worker_of(run)
        if run is not None and worker is not None:
            await worker.watch(run)

    # What the worker has to say.

    def employ(self, worker: Worker) -> None:
        """Give jobs to `worker` too."""
        self._workers.append(worker)

    def worker_ready(self) -> None:
        """Look for a job, since a worker can take one."""
        self._wake.set()

    async def schema_changed(self, digest: str) -> None:
        """Tell everybody that there are other nodes now."""
        self._clients.broadcast([protocol.SchemaChanged(digest)])

    async def run_ended(self, run: Run, frame: frames.RunFrame) -> None:
        """Bring a run to the end that the worker reports."""
        match frame:
            case frames.Succeeded():
                message: protocol.Message = protocol.ExecutionSuccess(run.job.id, now_ms())
                await self._close(run, State.DONE, message)
            case frames.Stopped():
                message = run.interruption(frame.node, frame.node_type)
                await self._close(run, State.CANCELLED, message)
            case frames.Failed():
                await self._close(run, State.FAILED, run.failure(frame))
            case _:
                pass

    async def run_lost(self, run: Run, reason: str) -> None:
        """Run a job again whose worker died, unless it was the second, or to be stopped."""
        self._metrics.run_lost()
        may_run_again = run.job.deaths < _MOST_DEATHS
        if may_run_again and await _insist(lambda: self._store.give_back(run.job, deaths=1)):
            _log.warning("Job %s is run again. %s", run.job.id, reason)
            self._runs.pop(run.job.id, None)
            await self.announce()
            self._wake.set()
        elif run.stopping:
            await self._close(run, State.CANCELLED, run.interruption(run.node))
        else:
            twice = f"{reason} It was the second one that died of this job."
            await self._close(run, State.FAILED, run.collapse(twice))

    # What goes on by itself.

    async def dispatch(self) -> None:
        """Give waiting jobs to idle workers, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._dispatch()
            except SQLAlchemyError:
                _log.exception("The queue could not be read; trying again.")
                await asyncio.sleep(_AGAIN_SECONDS)
                self._wake.set()

    async def keep_writing(self) -> None:
        """Write what runs tell, in batches, for ever."""
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            for run in list(self._runs.values()):
                try:
                    await run.write()
                except SQLAlchemyError:
                    _log.exception("Events of job %s could not be written.", run.job.id)

    async def _dispatch(self) -> None:
        while not self.paused and (worker := self._idle_worker()) is not None:
            job = await self._store.claim(now_ms())
            if job is None:
                return
            run = Run(job, self._clients, self._store, self._metrics)
            self._runs[job.id] = run
            await self.announce()
            if not worker.idle:  # it died meanwhile, and not of this job
                del self._runs[job.id]
                await self._store.give_back(job, deaths=0)
                return
            run.start()
            await worker.assign(run)
            if job.id in self._stopping:
                await self._stop(run)

    def _idle_worker(self) -> Worker | None:
        return next((worker for worker in self._workers if worker.idle), None)

    async def _stop(self, run: Run) -> None:
        worker = self._worker_of(run)
        if worker is not None and not run.stopping:
            run.stopping = True
            await worker.stop(run)

    async def _close(self, run: Run, state: State, message: protocol.Message) -> None:
        ended = await _insist(lambda: run.end(state, message))
        if self._runs.get(run.job.id) is run:  # and not a later attempt
            del self._runs[run.job.id]
            self._stopping.discard(run.job.id)
        if not ended:
            _log.warning("Job %s was ended by another attempt.", run.job.id)
            return
        self._metrics.job_ended(state, time.monotonic() - run.began)
        await self.announce()
        if (owner := run.owner()) is not None:
            owner.say(protocol.ExecutingNone(run.job.id))

    def _worker_of(self, run: Run) -> Worker | None:
        return next((worker for worker in self._workers if worker.run is run), None)


async def _insist(write: Callable[[], Awaitable[bool]]) -> bool:
    """Write until it succeeds: what a worker has done must not be lost to a full disk."""
    while True:
        try:
            return await write()
        except SQLAlchemyError:
            _log.exception("The end of a run could not be written; trying again.")
            await asyncio.sleep(_AGAIN_SECONDS)
