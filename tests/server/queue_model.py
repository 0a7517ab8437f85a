"""What the queue promises, as forty lines of plain Python: dicts, and no database."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from safelight_server.tables import ACTIVE, FINAL, State


@dataclass
class ModelJob:
    """What is known of a job."""

    id: str
    number: float
    value: int  # what tells its workflow from others
    state: State = State.PENDING
    attempt: int = 0
    deaths: int = 0

    @property
    def place(self) -> tuple[float, str]:
        """Where it stands among those that wait."""
        return self.number, self.id


@dataclass
class ModelQueue:
    """The queue as a dict of jobs; all else follows from it."""

    jobs: dict[str, ModelJob] = field(default_factory=dict)
    counter: int = 0
    paused: bool = False

    def next_number(self, number: float | None, front: bool) -> float:
        """Return the number of a submission; each that names none counts, accepted or not."""
        if number is not None:
            return number
        counter, self.counter = self.counter, self.counter + 1
        return -counter if front else counter

    def accept(self, job_id: str, number: float, value: int) -> None:
        """Take a new job."""
        self.jobs[job_id] = ModelJob(job_id, number, value)

    def of(self, states: Collection[State]) -> list[ModelJob]:
        """Return the jobs in some states, in the order of the queue."""
        found = (job for job in self.jobs.values() if job.state in states)
        return sorted(found, key=lambda job: job.place)

    def lease(self) -> ModelJob | None:
        """Give the first waiting job away, if the queue is not paused."""
        waiting = self.of({State.PENDING})
        if self.paused or not waiting:
            return None
        waiting[0].state = State.RUNNING
        waiting[0].attempt += 1
        return waiting[0]

    def lose(self, job_id: str) -> None:
        """Let the worker of a running job die."""
        job = self.jobs[job_id]
        if job.state is State.CANCELLING:
            job.state = State.CANCELLED
        elif job.deaths == 0:
            job.state, job.deaths = State.PENDING, 1
        else:
            job.state = State.FAILED

    def cancel(self, ids: Iterable[str], states: Collection[State]) -> None:
        """Cancel what waits, and mark what runs as to be stopped, of those in some states."""
        for job in (self.jobs[job_id] for job_id in ids if job_id in self.jobs):
            if job.state in states:
                waits = job.state is State.PENDING
                job.state = State.CANCELLED if waits else State.CANCELLING

    def forget(self, ids: Iterable[str]) -> None:
        """Drop what has ended."""
        for job_id in list(ids):
            if job_id in self.jobs and self.jobs[job_id].state in FINAL:
                del self.jobs[job_id]

    def restart(self) -> None:
        """Begin anew after the death of the server: what ran waits, what was stopping has."""
        for job in self.of(ACTIVE):
            stopping = job.state is State.CANCELLING
            job.state = State.CANCELLED if stopping else State.PENDING
        self.counter = int(max((abs(job.number) for job in self.jobs.values()), default=-1)) + 1
