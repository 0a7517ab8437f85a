"""Whatever is done to the queue, in whatever order, it stands where a small model of it stands."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from tests.server.queue_model import ModelQueue
from tests.server.queue_rig import WORKERS, Parts, all_events, prompt

from safelight_server import database, frames
from safelight_server.bodies import Submission
from safelight_server.listing import JobQuery, Listing
from safelight_server.protocol import Refused
from safelight_server.runs import Run
from safelight_server.tables import ACTIVE, FINAL, OPEN, State

T = TypeVar("T")
ENDS = {"execution_success", "execution_error", "execution_interrupted"}
numbers = strategies.none() | strategies.integers(-3, 3).map(float) | strategies.just(0.5)
values = strategies.integers(0, 2)


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk thousands of times over: no power fails here."""
    quick = (*database._PRAGMAS, "PRAGMA synchronous=OFF")
    monkeypatch.setattr(database, "_PRAGMAS", quick)


class Queue(RuleBasedStateMachine):
    """The real queue on a real database beside the model, both told the same."""

    known = Bundle("known")
    empty: bytes | None = None  # a database

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.home = Path(tempfile.mkdtemp(prefix="queue-"))
        self.model = ModelQueue()
        self.lost: list[Run] = []  # whose workers died: they can say nothing any more
        self.made = 0

    def do(self, task: Coroutine[Any, Any, T]) -> T:
        """Wait for what the queue does."""
        return self.runner.run(task)

    def ask(self, task: Coroutine[Any, Any, T]) -> T | Refused:
        """Wait for what the queue answers, which may be a refusal."""
        try:
            return self.do(task)
        except Refused as refused:
            return refused

    @initialize()
    def begin(self) -> None:
        """Start on an empty database; what makes its tables is slow, so it is done once."""
        if Queue.empty is None:
            made = database.Database(self.home / "empty.db")
            self.do(made.migrate())
            self.do(made.close())
            Queue.empty = made.path.read_bytes()
        (self.home / "safelight.db").write_bytes(Queue.empty)
        self.open()

    def open(self) -> None:
        """Put a server's queue together, as its start does, and let it recover."""
        self.parts = Parts.on(self.home)
        self.jobs, self.dispatcher = self.parts.jobs, self.parts.dispatcher
        self.workers = self.parts.workers
        self.do(self.jobs.recover())

    def teardown(self) -> None:
        """Close the database and remove it."""
        self.do(self.parts.database.close())
        self.runner.close()
        shutil.rmtree(self.home)

    # What clients do.

    @rule(target=known, number=numbers, front=strategies.booleans(), value=values)
    def submit(self, number: float | None, front: bool, value: int) -> str:
        """A job is accepted, in the place that it asks for."""
        self.made += 1
        job_id = f"job-{self.made}"
        asked = Submission(prompt(value), prompt_id=job_id, number=number, front=front)
        accepted = self.do(self.jobs.submit(asked))
        place = self.model.next_number(number, front)
        self.model.accept(job_id, place, value)
        assert (accepted.prompt_id, accepted.number) == (job_id, place)
        return job_id

    @rule(job_id=known, value=values)
    def submit_again(self, job_id: str, value: int) -> None:
        """The same under the same id is the same job; another is refused."""
        place, there = self.model.next_number(None, False), self.model.jobs.get(job_id)
        answer = self.ask(self.jobs.submit(Submission(prompt(value), prompt_id=job_id)))
        if isinstance(answer, Refused):
            assert answer.kind == "prompt_id_taken"
            assert there is not None
            assert there.value != value
            return
        assert there is None or there.value == value
        assert answer.number == (place if there is None else there.number)
        if there is None:  # it was forgotten, so its id is free
            self.model.accept(job_id, place, value)

    @rule(target=known, job_id=known)
    def retry(self, job_id: str) -> str:
        """What has ended is accepted anew under another id; all else is refused."""
        job = self.model.jobs.get(job_id)
        answer = self.ask(self.jobs.retry(job_id, None))
        if isinstance(answer, Refused):
            assert answer.status == (404 if job is None else 409)
            assert job is None or job.state not in FINAL
            return job_id
        assert job is not None
        assert job.state in FINAL
        self.model.accept(answer.prompt_id, self.model.next_number(None, False), job.value)
        return answer.prompt_id

    @rule(job_id=known, number=numbers)
    def move(self, job_id: str, number: float | None) -> None:
        """What waits gets another place; what does not is refused."""
        place = self.model.next_number(number, front=True)
        job = self.model.jobs.get(job_id)
        answer = self.ask(self.jobs.move(job_id, number))
        if isinstance(answer, Refused):
            assert answer.status == (404 if job is None else 409)
            assert job is None or job.state is not State.PENDING
        else:
            assert job is not None
            job.number = place

    @rule(job_id=known)
    def cancel(self, job_id: str) -> None:
        """One job is cancelled, whether it waits or runs."""
        found = self.do(self.jobs.cancel(job_id))
        assert (found is None) is (job_id not in self.model.jobs)
        self.model.cancel([job_id], OPEN)

    @rule()
    def interrupt(self) -> None:
        """All that runs is asked to stop."""
        self.do(self.jobs.interrupt(None))
        self.model.cancel(self.model.jobs, ACTIVE)

    @rule()
    def clear(self) -> None:
        """All that waits is cancelled."""
        self.do(self.jobs.cancel_waiting(None))
        self.model.cancel(self.model.jobs, {State.PENDING})

    @rule(paused=strategies.booleans())
    def pause(self, paused: bool) -> None:
        """Nothing new begins, or it may again."""
        self.do(self.jobs.pause(paused))
        self.model.paused = paused

    @rule(job_id=strategies.none() | known)
    def forget(self, job_id: str | None) -> None:
        """What has ended is dropped from the history: one job, or all."""
        self.do(self.jobs.forget(None if job_id is None else [job_id]))
        self.model.forget(self.model.jobs if job_id is None else [job_id])

    # What workers do, and what happens to them.

    @rule()
    def dispatch(self) -> None:
        """Every idle worker gets a job, the first ones first."""
        self.do(self.dispatcher._dispatch())
        for worker in self.workers:
            given = None if worker.run is None else worker.run.job
            if given is not None and self.model.jobs[given.id].state is State.PENDING:
                leased = self.model.lease()
                assert leased is not None
                assert (given.id, given.attempt) == (leased.id, leased.attempt)
        idle = any(worker.run is None for worker in self.workers)
        assert not idle or self.model.lease() is None, "a worker idles and a job waits"

    @precondition(lambda self: all(worker.run is None for worker in self.workers))
    @rule()
    def die_while_leasing(self) -> None:
        """A worker that is gone when its job has been taken dies of nothing: the job waits on."""
        first, *others = self.workers
        first.looks = 1
        for other in others:
            other.looks = 0
        self.do(self.dispatcher._dispatch())
        for worker in self.workers:
            worker.looks = None
        if (leased := self.model.lease()) is not None:
            leased.state = State.PENDING

    @rule(which=strategies.integers(0, WORKERS - 1), end=strategies.sampled_from("dfs"))
    def end(self, which: int, end: str) -> None:
        """A run is done, fails or stops."""
        run, self.workers[which].run = self.workers[which].run, None
        if run is None:
            return
        name, attempt = run.job.id, run.job.attempt
        frame, state = {
            "d": (frames.Succeeded(name, attempt), State.DONE),
            "f": (frames.Failed(name, attempt, "2", "Save", "ValueError", "boom"), State.FAILED),
            "s": (frames.Stopped(name, attempt, None, None), State.CANCELLED),
        }[end]
        self.do(self.dispatcher.run_ended(run, frame))
        self.model.jobs[name].state = state

    @rule(which=strategies.integers(0, WORKERS - 1))
    def die(self, which: int) -> None:
        """A worker dies: its job runs again, or is failed the second time."""
        run, self.workers[which].run = self.workers[which].run, None
        if run is not None:
            self.do(self.dispatcher.run_lost(run, "The worker process was killed."))
            self.model.lose(run.job.id)
            self.lost.append(run)

    @precondition(lambda self: self.lost)
    @rule()
    def speak_from_the_grave(self) -> None:
        """What a run says whose worker is taken for dead changes nothing."""
        run = self.lost[-1]
        self.do(self.dispatcher.run_ended(run, frames.Succeeded(run.job.id, run.job.attempt)))

    @rule()
    def restart(self) -> None:
        """The server dies and another begins on its database; no worker outlives it."""
        self.do(self.parts.database.close())
        self.lost.clear()
        self.model.restart()
        self.open()

    # What holds after each of them.

    @invariant()
    def the_queue_is_as_the_model_says(self) -> None:
        """Jobs, their states and places, what is counted, and that nobody runs a job twice."""
        entries = self.do(Listing(self.parts.database).page(JobQuery())).entries
        there = {each.id: each.job for each in entries}
        told = {j.id: (j.number, j.state, j.attempt, j.deaths) for j in there.values()}
        model = self.model.jobs.values()
        assert told == {j.id: (j.number, j.state, j.attempt, j.deaths) for j in model}
        running, waiting = self.do(self.jobs.queue())
        assert [job.id for job in waiting] == [job.id for job in self.model.of({State.PENDING})]
        assert [job.id for job in running] == [job.id for job in self.model.of(ACTIVE)]
        held = [worker.run.job.id for worker in self.workers if worker.run is not None]
        assert sorted(held) == sorted(job.id for job in running)
        state = self.do(self.jobs.state())
        assert state == {
            "paused": self.model.paused,
            "pending": len(waiting),
            "running": len(running),
        }

    @invariant()
    def every_job_ends_once(self) -> None:
        """Its events are numbered without gaps, and the last of one that ended is its only end."""
        kinds: dict[str, list[str]] = {job_id: [] for job_id in self.model.jobs}
        for row in self.do(all_events(self.parts.database)):
            kinds[row.job_id].append(row.type)
            assert row.sequence == len(kinds[row.job_id])
        for job in self.model.jobs.values():
            ends = [place for place, kind in enumerate(kinds[job.id], 1) if kind in ENDS]
            assert ends == ([len(kinds[job.id])] if job.state in FINAL else [])


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=10, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
