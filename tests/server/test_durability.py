import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession
from PIL import Image
from tests.server.conftest import Start
from tests.server.visitor import Visitor, through, walk

from safelight_server import frames, workers
from safelight_server.serve import CannotServe, Server

SCRIPT = Path(__file__).with_name("serve_tiny.py")


@asynccontextmanager
async def another_process(
    home: Path,
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, Visitor], None]:
    """Start a server in a process of its own; it is killed at the end, as by a power cut."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), str(home), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        address = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
        async with ClientSession(address) as session:
            yield process, Visitor(session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def worker_pid(visitor: Visitor) -> int:
    """Wait until there is a worker and return its process id."""
    page = await visitor.wait_for("/system_stats", lambda page: page["worker"]["pid"] is not None)
    return int(page["worker"]["pid"])


async def gone(pid: int) -> bool:
    """Wait until a process has ended, for less than it takes to miss a sign of life."""
    end = time.monotonic() + frames.HEARTBEAT_SECONDS - 1
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        await asyncio.sleep(0.02)
    return False


def pictures(home: Path) -> list[Path]:
    """Return the saved pictures; each must open."""
    found = sorted((home / "output").glob("*.png"))
    for path in found:
        with Image.open(path) as picture:
            picture.load()
    return found


async def test_a_worker_killed_mid_run_is_replaced_and_the_job_ends(
    visitor: Visitor, home: Path
) -> None:
    """kill -9 of the worker: the job starts anew in another, and makes one picture."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(walk(steps=40, seconds=0.02), client_id="me")
        await ear.until_type("progress")
        pid = await worker_pid(visitor)
        os.kill(pid, signal.SIGKILL)
        await ear.until_end(prompt_id)
        assert ear.types().count("execution_start") == 2
        assert "execution_success" in ear.types()
    assert await worker_pid(visitor) != pid
    messages = (await visitor.entry(prompt_id))["status"]["messages"]
    assert [kind for kind, _ in messages].count("execution_start") == 1
    assert len(pictures(home)) == 1


async def test_a_job_that_kills_its_worker_twice_is_failed_with_the_reason(
    visitor: Visitor,
) -> None:
    """The error names the node, and how the worker died; the next job runs."""
    prompt_id = await visitor.submit(through("Die"))
    after = await visitor.submit(walk())
    status = (await visitor.entry(prompt_id))["status"]
    kind, error = status["messages"][-1]
    assert (kind, error["node_id"], error["node_type"]) == ("execution_error", "2", "Die")
    assert error["exception_type"] == "WorkerDied"
    assert error["exception_message"] == (
        "The worker process was killed by SIGKILL. It was the second one that died of this job."
    )
    assert (await visitor.entry(after))["status"]["completed"] is True


async def test_a_job_that_kills_its_worker_once_succeeds(visitor: Visitor, tmp_path: Path) -> None:
    """The second attempt is as good as a first."""
    prompt_id = await visitor.submit(through("Die", only_once=str(tmp_path / "died")))
    assert (await visitor.entry(prompt_id))["status"]["completed"] is True


async def test_what_a_dead_worker_had_sent_is_read_before_its_job_is_run_again(
    server: Server, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that the job is done and dies before that is heard: the job stays done."""
    said, read = asyncio.Event(), asyncio.Event()
    hear = workers.Worker._hear

    async def slow(worker: workers.Worker, frame: frames.Frame) -> None:
        if isinstance(frame, frames.Succeeded):
            said.set()
            await read.wait()
        await hear(worker, frame)

    monkeypatch.setattr(workers.Worker, "_hear", slow)
    monkeypatch.setattr(workers, "_DRAIN_SECONDS", 120.0)
    prompt_id = await visitor.submit(walk())
    await asyncio.wait_for(said.wait(), 90)
    body = server.services.worker._body
    assert body is not None
    os.kill(body.process.pid, signal.SIGKILL)
    await asyncio.wait_for(body.process.wait(), 90)
    read.set()
    assert (await visitor.entry(prompt_id))["status"]["completed"] is True
    assert (await visitor.get(f"/api/jobs/{prompt_id}"))["attempt"] == 1


async def test_a_node_that_does_not_stop_is_stopped(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is killed after a while, the job is cancelled, and the next one runs."""
    monkeypatch.setattr(workers, "_STOP_SECONDS", 0.3)
    prompt_id = await visitor.submit(walk(steps=1, seconds=60.0))
    await visitor.running(prompt_id)
    await visitor.post("/interrupt", {"prompt_id": prompt_id})
    messages = (await visitor.entry(prompt_id))["status"]["messages"]
    assert messages[-1][0] == "execution_interrupted"
    after = await visitor.submit(walk())
    assert (await visitor.entry(after))["status"]["completed"] is True


@pytest.mark.slow
async def test_a_worker_that_falls_silent_is_replaced(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease without a sign of life: it is taken for dead, and its job runs elsewhere."""
    monkeypatch.setattr(frames, "LEASE_SECONDS", frames.HEARTBEAT_SECONDS + 1.5)
    pid = await worker_pid(visitor)
    await asyncio.sleep(frames.LEASE_SECONDS + 1)
    assert await worker_pid(visitor) == pid, "it had nothing to say but signs of life"
    prompt_id = await visitor.submit(walk(steps=20, seconds=0.02))
    await visitor.running(prompt_id)
    os.kill(pid, signal.SIGSTOP)
    assert (await visitor.entry(prompt_id))["status"]["completed"] is True
    assert await worker_pid(visitor) != pid


async def test_a_server_killed_mid_run_loses_nothing(home: Path) -> None:
    """kill -9 of the server: every accepted job is there after the restart, and ends, in order."""
    async with another_process(home) as (process, visitor):
        first = await visitor.submit(walk(value=1))
        await visitor.entry(first)
        running = await visitor.submit(walk(steps=30, seconds=0.05, value=2))
        waiting = [await visitor.submit(walk(value=value)) for value in range(3, 8)]
        await visitor.running(running)
        pid = await worker_pid(visitor)
        process.kill()
        await process.wait()
        assert await gone(pid), "the worker outlived its server"
    async with another_process(home) as (_, visitor):
        queue = await visitor.get("/queue")
        left = [item[1] for item in (*queue["queue_running"], *queue["queue_pending"])]
        assert left == [running, *waiting]
        assert list(await visitor.get("/history")) == [first]
        await visitor.idle()
        history = await visitor.get("/history")
    assert list(history) == [first, running, *waiting]
    assert all(entry["status"]["completed"] for entry in history.values())
    assert len(pictures(home)) == 7


@pytest.mark.slow
async def test_no_answered_submission_is_ever_lost(home: Path) -> None:
    """Six kill -9 at different moments of a stream of submissions: each that was answered ends."""
    accepted: list[str] = []
    for number in range(6):
        async with another_process(home) as (process, visitor):
            accepted.append(await visitor.submit(walk()))  # however long the start takes
            killing = asyncio.get_running_loop().call_later(0.1 + 0.13 * number, process.kill)
            with contextlib.suppress(ClientConnectionError):
                for value in range(1000):
                    accepted.append(await visitor.submit(walk(value=value % 100)))
            killing.cancel()
    async with another_process(home) as (_, visitor):
        await visitor.wait_for("/prompt", lambda page: page["exec_info"]["queue_remaining"] == 0)
        history = await visitor.get("/history")
    assert len(accepted) > 6, "nothing was submitted while the kills were under way"
    assert set(accepted) <= set(history)
    assert all(entry["status"]["completed"] for entry in history.values())
    assert pictures(home)


async def test_a_stop_asked_for_holds_beyond_the_death_of_the_server(
    home: Path, start: Start
) -> None:
    """A job that was being stopped when the server died is not run again."""
    async with start() as (server, visitor):
        prompt_id = await visitor.submit(walk(steps=10_000, seconds=0.01))
        await visitor.running(prompt_id)
        body = server.services.worker._body
        assert body is not None
        os.kill(body.process.pid, signal.SIGSTOP)  # so that it cannot obey in time
        await visitor.post("/interrupt", {"prompt_id": prompt_id})
    async with start() as (_, visitor):
        status = (await visitor.entry(prompt_id))["status"]
    assert [kind for kind, _ in status["messages"]][-1] == "execution_interrupted"


async def test_a_server_stopped_in_peace_queues_what_was_running(home: Path, start: Start) -> None:
    """The next start begins it anew, before what waited behind it."""
    async with start() as (_, visitor):
        prompt_id = await visitor.submit(walk(steps=20, seconds=0.02))
        behind = await visitor.submit(walk())
        await visitor.running(prompt_id)
    async with start() as (_, visitor):
        await visitor.idle()
        assert list(await visitor.get("/history")) == [prompt_id, behind]


async def test_numbers_go_on_after_a_restart(start: Start) -> None:
    """A later job never overtakes an earlier one because the server was restarted."""
    async with start() as (_, visitor):
        await visitor.submit(walk())
        await visitor.submit(walk(), front=True)
    async with start() as (_, visitor):
        _, body = await visitor.post("/prompt", {"prompt": walk()})
    assert body["number"] == 2


async def test_nodes_are_known_at_once_after_the_first_start(start: Start) -> None:
    """The schema comes from the disk: no worker has spoken yet."""
    async with start() as (_, visitor):
        first = await visitor.get("/api/schema")
    async with start() as (server, visitor):
        assert server.services.worker.hello is None
        assert await visitor.get("/api/schema") == first
        assert server.services.worker.hello is None


async def test_a_worker_that_cannot_start_is_reported(start: Start) -> None:
    """Readiness says why there is none, and the server goes on."""
    async with start(catalog="no_such_module") as (_, visitor):
        await visitor.wait_for("/system_stats", lambda page: "code 1" in str(page["worker"]))
        async with visitor.session.get("/readyz") as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "1"
            assert "No module named 'no_such_module'" in (await answer.json())["error"]["message"]
        assert await visitor.get("/healthz") == {"status": "ok"}


async def test_a_home_has_one_server(server: Server, start: Start, home: Path) -> None:
    """A second one on the same folder is refused, and says what to do."""
    message = f"Another Safelight uses {home}. Stop it, or start with another --home."
    with pytest.raises(CannotServe) as refusal:
        async with start():
            pass
    assert str(refusal.value) == message


async def test_a_port_has_one_server(server: Server, start: Start, tmp_path: Path) -> None:
    """A second one on the same port is refused, and says what to do."""
    with pytest.raises(CannotServe, match=f"Cannot listen on 127.0.0.1:{server.port}: .*--port"):
        async with start(home=tmp_path / "other", port=server.port):
            pass


async def test_a_file_that_is_no_database_is_refused(start: Start, home: Path) -> None:
    """Nothing is overwritten."""
    home.mkdir()
    (home / "safelight.db").write_text("these are my notes, and no database at all" * 100)
    with pytest.raises(CannotServe, match=r"safelight\.db cannot be read as Safelight's database"):
        async with start():
            pass
    assert (home / "safelight.db").read_text().startswith("these are my notes")
