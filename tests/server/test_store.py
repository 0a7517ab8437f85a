from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from safelight_server import tables, workflows_tables
from safelight_server.database import Database, DatabaseUnusable
from safelight_server.records import Event, NewJob
from safelight_server.store import Store, TakenId
from safelight_server.tables import State


def job(name: str, number: float = 0, **more: object) -> NewJob:
    """A job of no importance."""
    prompt = {"1": {"class_type": "Constant", "inputs": {}}}
    return NewJob(name, number, None, prompt, more, ("1",), "digest", 1)


def event(kind: str = "execution_success", at_ms: int = 10) -> Event:
    """An event of no importance."""
    return Event(kind, {"prompt_id": "?"}, at_ms)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A new database."""
    made = Database(tmp_path / "jobs.db")
    await made.migrate()
    yield made
    await made.close()


@pytest.fixture
def store(database: Database) -> Store:
    """An empty store."""
    return Store(database)


async def end(store: Store, name: str, at_ms: int) -> None:
    """Add a job, run it and end it."""
    await store.add(job(name))
    claimed = await store.claim(at_ms)
    assert claimed is not None
    assert await store.finish(claimed, State.DONE, [event(at_ms=at_ms)])


async def test_migrations_make_the_tables_that_the_code_expects(database: Database) -> None:
    """What Alembic built and what `tables` describes do not differ."""

    def differences(connection: Connection) -> list[object]:
        return list(
            compare_metadata(
                MigrationContext.configure(connection), workflows_tables.workflows.metadata
            )
        )

    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_of_an_older_safelight_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its jobs are still there, and what is new about them is empty."""

    def as_it_was(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    database = Database(tmp_path / "old.db")
    async with database.writing() as connection:
        await connection.run_sync(as_it_was)
        columns = "id, number, state, attempt, deaths, prompt, extra, wanted, digest, created_ms"
        values = "'a', 1, 'pending', 0, 0, '{}', '{}', '[]', 'd', 5"
        await connection.execute(text(f"INSERT INTO jobs ({columns}) VALUES ({values})"))
    await database.migrate()
    found = await Store(database).find("a")
    await database.close()
    assert found is not None
    assert (found.created_ms, found.workflow_id) == (5, None)


async def test_a_commit_is_on_the_disk(database: Database) -> None:
    """Write-ahead log with full syncs, and foreign keys, on every connection."""
    for transaction in (database.writing, database.reading):
        async with transaction() as connection:
            answers = [
                (await connection.execute(text(f"PRAGMA {name}"))).scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        assert answers == ["wal", 2, 1]


async def test_a_database_of_a_newer_safelight_is_refused(database: Database) -> None:
    """Rather than read it wrongly; the message says what to do."""
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusable) as refusal:
        await database.migrate()
    assert str(refusal.value) == (
        f"{database.path} was written by a newer Safelight (its version is 9999, the newest known "
        f"here is {tables.HEAD}). Update Safelight, or start with another --home."
    )


async def test_jobs_are_claimed_by_number_then_id(store: Store) -> None:
    """Smaller numbers first, negative ones too; equal numbers by id."""
    for name, number in (("b", 1), ("a", 1), ("front", -3), ("half", 0.5)):
        await store.add(job(name, number))
    order = [claimed.id for _ in range(4) if (claimed := await store.claim(1)) is not None]
    assert order == ["front", "half", "a", "b"]
    assert await store.claim(1) is None


async def test_an_id_is_given_once(store: Store) -> None:
    """The second job of that id is refused, with the first one at hand."""
    await store.add(job("a", 1))
    with pytest.raises(TakenId) as refusal:
        await store.add(job("a", 2))
    assert refusal.value.job.number == 1
    assert await store.remaining() == 1


async def test_a_stale_attempt_writes_nothing(store: Store) -> None:
    """Once a job has been given to another worker, the first one cannot end it."""
    await store.add(job("a"))
    first = await store.claim(1)
    assert first is not None
    assert await store.give_back(first, deaths=1)
    second = await store.claim(2)
    assert second is not None
    assert (second.attempt, second.deaths) == (2, 1)
    assert not await store.finish(first, State.DONE, [event()])
    assert not await store.give_back(first, deaths=1)
    assert await store.history_of("a") is None
    assert await store.finish(second, State.DONE, [event()])
    assert not await store.finish(second, State.FAILED, [event()])


async def test_history_holds_the_events_of_the_last_attempt_only(store: Store) -> None:
    """What an attempt that died had told is not repeated."""
    await store.add(job("a"))
    first = await store.claim(1)
    assert first is not None
    await store.append(first, [event("execution_start", 1)])
    await store.give_back(first, deaths=1)
    second = await store.claim(2)
    assert second is not None
    await store.append(second, [event("execution_start", 2)])
    await store.finish(second, State.DONE, [event(at_ms=3)])
    entry = await store.history_of("a")
    assert entry is not None
    assert [(each.type, each.at_ms) for each in entry.events] == [
        ("execution_start", 2),
        ("execution_success", 3),
    ]


async def test_recovery_queues_what_ran_and_ends_what_was_stopping(store: Store) -> None:
    """As after the death of a server with two jobs under way."""
    for name in ("a", "b"):
        await store.add(job(name))
        await store.claim(1)
    assert await store.ask_to_stop(["b", "unknown"]) == ["b"]
    assert await store.recover(event("execution_interrupted", 9)) == 1
    running, waiting = await store.queue()
    assert ([each.id for each in running], [each.id for each in waiting]) == ([], ["a"])
    stopped = await store.history_of("b")
    assert stopped is not None
    assert stopped.job.state is State.CANCELLED
    assert stopped.events == [Event("execution_interrupted", {"prompt_id": "b"}, 9)]


async def test_cancelling_spares_what_runs(store: Store) -> None:
    """Only those that wait are cancelled, all or those named."""
    for name in ("a", "b", "c"):
        await store.add(job(name))
    await store.claim(1)
    ended = event("execution_interrupted")
    assert [each.id for each in await store.cancel_pending(["a", "c", "x"], ended)] == ["c"]
    assert [each.id for each in await store.cancel_pending(None, ended)] == ["b"]
    assert await store.remaining() == 1


@pytest.mark.parametrize(
    ("most", "offset", "wanted"),
    [
        (None, None, "abcde"),
        (2, None, "de"),
        (2, 1, "bc"),
        (None, 3, "de"),
        (0, None, ""),
        (3, 99, ""),
    ],
)
async def test_history_pages(
    store: Store, most: int | None, offset: int | None, wanted: str
) -> None:
    """The last ones, or those from the offset on, always oldest first."""
    for at_ms, name in enumerate("abcde"):
        await end(store, name, at_ms)
    page = await store.history(most, offset)
    assert "".join(entry.job.id for entry in page) == wanted


async def test_forgetting_takes_the_events_along_and_spares_the_queue(
    store: Store, database: Database
) -> None:
    """Named ones first, then all."""
    for at_ms, name in enumerate("abc"):
        await end(store, name, at_ms)
    await store.add(job("waiting"))
    await store.forget(["a", "waiting", "unknown"])
    assert [entry.job.id for entry in await store.history(None, None)] == ["b", "c"]
    await store.forget(None)
    assert await store.history(None, None) == []
    assert await store.remaining() == 1
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM events"))).scalar() == 0
