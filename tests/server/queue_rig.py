"""The real queue on a real database, with workers that do nothing by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.server import tiny_nodes

from safelight.graph.catalog import Catalog
from safelight.graph.folders import Folders
from safelight.graph.schema import describe
from safelight_server.database import Database
from safelight_server.dispatcher import Dispatcher
from safelight_server.jobs import Jobs
from safelight_server.metrics import Metrics
from safelight_server.runs import Run
from safelight_server.shelf import SchemaShelf
from safelight_server.sockets import Clients
from safelight_server.store import Store
from safelight_server.switches import Switches
from safelight_server.tables import events

SCHEMA = describe(Catalog.of(tiny_nodes)).to_json()
WORKERS = 2


class FakeWorker:
    """A worker that takes runs and does nothing; the test says how they end."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.looks: int | None = None  # how often it looks idle before it is found dead

    @property
    def idle(self) -> bool:
        """Whether it can take a job, as seen at this moment."""
        if self.looks is not None:
            self.looks -= 1
            return self.looks >= 0
        return self.run is None

    async def assign(self, run: Run) -> None:
        """Take a run."""
        self.run = run

    async def stop(self, run: Run) -> None:
        """Hear that a run is to be stopped."""
        assert self.run is run


@dataclass(frozen=True)
class Parts:
    """What of a server the queue needs."""

    database: Database
    dispatcher: Dispatcher
    workers: tuple[FakeWorker, ...]
    jobs: Jobs

    @classmethod
    def on(cls, home: Path) -> "Parts":
        """Put the parts together on a database that has its tables."""
        database = Database(home / "safelight.db")
        store, clients = Store(database), Clients()
        dispatcher = Dispatcher(store, clients, Metrics())
        workers = tuple(FakeWorker() for _ in range(WORKERS))
        for worker in workers:
            dispatcher.employ(worker)  # type: ignore[arg-type]
        shelf = SchemaShelf(home)
        shelf.learn(SCHEMA)
        jobs = Jobs(store, Switches(database), dispatcher, clients, shelf, Folders(home))
        return cls(database, dispatcher, workers, jobs)


def prompt(value: int) -> dict[str, Any]:
    """Return a workflow that is told from others by its number."""
    return {
        "1": {"class_type": "Constant", "inputs": {"value": value}},
        "2": {"class_type": "Save", "inputs": {"number": ["1", 0]}},
    }


async def all_events(database: Database) -> Sequence[Any]:
    """Return the events of all jobs, in order."""
    async with database.reading() as connection:
        wanted = select(events).order_by(events.c.job_id, events.c.sequence)
        return (await connection.execute(wanted)).all()
