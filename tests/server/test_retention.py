"""What is kept and for how long; unless somebody says so, nothing is ever forgotten."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.server.conftest import Start
from tests.server.visitor import walk

from safelight.__main__ import main
from safelight_server import retention, serve
from safelight_server.database import Database
from safelight_server.records import Event, NewJob
from safelight_server.retention import DAY_MS, Retention
from safelight_server.serve import ServeOptions
from safelight_server.store import Store
from safelight_server.tables import State, events

NOW = 100 * DAY_MS


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Five jobs that ended 4, 3, 2, 1 and 0 days ago, one that runs and one that waits."""
    made = Database(tmp_path / "jobs.db")
    await made.migrate()
    store = Store(made)
    for name, days in (("a", 4), ("b", 3), ("c", 2), ("d", 1), ("e", 0)):
        await store.add(job(name))
        claimed = await store.claim(1)
        assert claimed is not None
        end = Event("execution_success", {"prompt_id": name}, NOW - days * DAY_MS)
        await store.finish(claimed, State.DONE, [end])
    await store.add(job("runs"))
    await store.claim(1)
    await store.add(job("waits"))
    yield made
    await made.close()


def job(name: str) -> NewJob:
    """A job of no importance."""
    return NewJob(name, 0, None, {}, {}, (), "digest", 1)


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (Retention(), "abcde"),
        (Retention(jobs=2), "de"),
        (Retention(jobs=0), ""),
        (Retention(jobs=99), "abcde"),
        (Retention(days=2), "cde"),
        (Retention(days=0), "e"),
        (Retention(jobs=1, days=3), "e"),
        (Retention(jobs=4, days=1), "de"),
    ],
)
async def test_the_newest_finished_jobs_are_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch, kept: Retention, left: str
) -> None:
    """What ran too long ago, or too many jobs ago, goes with its events; the queue stays."""
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    store = Store(database)
    assert await kept.forget(database, NOW) == 5 - len(left)
    assert "".join(entry.id for entry in await store.history(None, None)) == left
    assert await store.remaining() == 2
    async with database.reading() as connection:
        count = select(func.count()).select_from(events)
        assert (await connection.execute(count)).scalar_one() == len(left)


async def test_a_restarted_server_forgets_jobs_and_keeps_their_pictures(
    start: Start, home: Path
) -> None:
    """Saved pictures are the user's; temporary ones go when their time is over."""
    async with start() as (_, visitor):
        ids = [await visitor.submit(walk(value=value)) for value in range(3)]
        await visitor.idle()
    old = home / "temp" / "old.png"
    old.write_bytes(b"x")
    long_ago = time.time() - 3 * 86400
    os.utime(old, (long_ago, long_ago))
    async with start() as (_, visitor):
        await visitor.wait_for("/healthz", lambda page: page == {"status": "ok"})
        assert list(await visitor.get("/history")) == ids
    async with start(retention=Retention(jobs=1, temp_days=2)) as (_, visitor):
        await visitor.wait_for("/history", lambda page: list(page) == ids[2:])
        async with visitor.session.get(f"/api/jobs/{ids[0]}") as answer:
            assert answer.status == 404
    assert not old.exists()
    assert len(list((home / "output").glob("*.png"))) == 3


def test_what_is_kept_is_said_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing said keeps all jobs; what is no number is refused in words."""
    given: list[ServeOptions] = []
    monkeypatch.setattr(serve, "run_server", lambda options, _ready: given.append(options))
    here = ("serve", "--home", str(tmp_path))
    assert main(here) == 0
    assert main([*here, "--keep-jobs", "50", "--keep-days", "30", "--keep-temp-days", "1"]) == 0
    assert [each.retention for each in given] == [Retention(None, None, 7), Retention(50, 30, 1)]
    with pytest.raises(SystemExit):
        main([*here, "--keep-jobs", "-1"])
    assert "want a whole number, 0 or more, got '-1'" in capsys.readouterr().err
