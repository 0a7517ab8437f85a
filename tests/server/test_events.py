import asyncio
import json
import time
from typing import Any

import pytest
from tests.server.conftest import Start
from tests.server.visitor import Ear, Visitor, walk

from safelight_server import eventlog
from safelight_server.routes import events

KINDS = [
    *("execution_start", "execution_cached", "executing", "executing", "executing", "executed"),
    "execution_success",
]
STREAM = {"Accept": "text/event-stream"}


def parsed(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream by name, comments left out."""
    found: list[tuple[str, dict[str, Any]]] = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def read_stream(visitor: Visitor, path: str, **headers: str) -> str:
    """Read a stream to its end."""
    async with visitor.session.get(path, headers={**STREAM, **headers}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        return await answer.text()


async def test_what_happened_can_be_asked_for_by_number(visitor: Visitor) -> None:
    """All of it, or what came after a number; numbers have no gaps."""
    job_id = await visitor.submit(walk())
    await visitor.idle()
    page = await visitor.get(f"/api/jobs/{job_id}/events")
    assert (page["job"], page["status"], page["more"]) == (job_id, "completed", False)
    assert [event["type"] for event in page["events"]] == KINDS
    assert [event["sequence"] for event in page["events"]] == list(range(1, 8))
    assert page["last"] == 7
    later = await visitor.get(f"/api/jobs/{job_id}/events?since=5")
    assert later["events"] == page["events"][5:]
    assert (await visitor.get(f"/api/jobs/{job_id}/events?since=7"))["events"] == []
    for path, status in (("unknown/events", 404), (f"{job_id}/events?since=x", 400)):
        async with visitor.session.get(f"/api/jobs/{path}") as answer:
            assert answer.status == status


async def test_a_long_log_comes_in_pieces(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says that there is more, and a stream tells them all."""
    job_id = await visitor.submit(walk())
    await visitor.idle()
    monkeypatch.setattr("safelight_server.eventlog.EventLog.since.__defaults__", (3,))
    page = await visitor.get(f"/api/jobs/{job_id}/events")
    assert (len(page["events"]), page["last"], page["more"]) == (3, 3, True)
    stream = parsed(await read_stream(visitor, f"/api/jobs/{job_id}/events"))
    assert [kind for kind, _ in stream] == [*KINDS, "end"]


async def test_a_stream_replays_and_then_follows_to_the_end(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With signs of life while nothing happens, and the end as its last event."""
    monkeypatch.setattr(eventlog, "HEARTBEAT_SECONDS", 0.05)
    job_id = await visitor.submit(walk(steps=10, seconds=0.05))
    await visitor.running(job_id)
    text = await read_stream(visitor, f"/api/jobs/{job_id}/events")
    assert ": waiting\n\n" in text
    stream = parsed(text)
    assert [kind for kind, _ in stream] == [*KINDS, "end"]
    assert stream[-1][1] == {"job": job_id, "status": "completed", "last": 7}


async def test_a_browser_that_comes_back_gets_the_rest(visitor: Visitor) -> None:
    """By the number in its header; when it has everything it is told not to come again."""
    job_id = await visitor.submit(walk())
    await visitor.idle()
    address = f"/api/jobs/{job_id}/events?since=1"
    rest = parsed(await read_stream(visitor, address, **{"Last-Event-ID": "6"}))
    assert [kind for kind, _ in rest] == ["execution_success", "end"]
    headers = {**STREAM, "Last-Event-ID": "7"}
    async with visitor.session.get(address, headers=headers) as answer:
        assert answer.status == 204


async def test_a_stream_of_a_waiting_job_ends_with_its_cancellation(visitor: Visitor) -> None:
    """Its only event, and the end."""
    await visitor.post("/api/queue/pause")
    job_id = await visitor.submit(walk())
    reading = asyncio.create_task(read_stream(visitor, f"/api/jobs/{job_id}/events"))
    await asyncio.sleep(0.05)
    await visitor.post(f"/api/jobs/{job_id}/cancel")
    stream = parsed(await reading)
    assert [kind for kind, _ in stream] == ["execution_interrupted", "end"]
    assert stream[-1][1]["status"] == "cancelled"


async def test_open_streams_do_not_hold_up_the_end_of_a_server(start: Start) -> None:
    """They end with it."""
    async with start() as (server, visitor):
        await visitor.post("/api/queue/pause")
        job_id = await visitor.submit(walk())
        reading = asyncio.create_task(read_stream(visitor, f"/api/jobs/{job_id}/events"))
        while not server.services.store.news:
            await asyncio.sleep(0.01)
        server.services.store.news.close()
        began = time.monotonic()
        assert parsed(await reading) == []
        assert time.monotonic() - began < 1
        assert len(server.services.store.news) == 0


async def resume(ear: Ear, **data: object) -> None:
    """Ask over the socket for what was missed."""
    await ear.socket.send_json({"type": "resume", "data": data})


async def test_a_socket_resumes_where_it_broke_off(visitor: Visitor) -> None:
    """What was missed is told again by number, then the rest, then the end."""
    job_id = await visitor.submit(walk(steps=10, seconds=0.03), client_id="gone")
    await visitor.running(job_id)
    async with visitor.listening("me") as ear:
        await resume(ear, job=job_id, since=1)
        end = await ear.until_type("job_end")
    assert end == {"job": job_id, "status": "completed", "last": 7}
    told = ear.of_type("job_event")
    assert [event["sequence"] for event in told] == list(range(2, 8))
    assert [event["type"] for event in told] == KINDS[1:]
    assert {event["job"] for event in told} == {job_id}
    log = await visitor.get(f"/api/jobs/{job_id}/events?since=1")
    assert [{**event, "job": job_id} for event in log["events"]] == told


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"job": "unknown"}, "not_found"),
        ({"job": 7}, "invalid_body"),
        ({"since": 1}, "invalid_body"),
        ({"job": "a", "since": -1}, "invalid_body"),
        ({"job": "a", "since": "1"}, "invalid_body"),
        ({"job": "a", "since": True}, "invalid_body"),
        ({"job": "a", "since": 2**63}, "invalid_body"),
    ],
)
async def test_what_cannot_be_resumed_is_refused(
    visitor: Visitor, data: dict[str, object], kind: str
) -> None:
    """In the shape of all refusals, and the socket goes on."""
    async with visitor.listening("me") as ear:
        await resume(ear, **data)
        refused = await ear.until_type("resume_refused")
        assert (refused["job"], refused["error"]["type"]) == (data.get("job"), kind)
        await ear.until_end(await visitor.submit(walk(), client_id="me"))


async def test_a_socket_follows_so_many_jobs_and_no_more(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following one again does not count twice."""
    monkeypatch.setattr(events, "_MOST_FOLLOWED", 1)
    await visitor.post("/api/queue/pause")
    first, second = [await visitor.submit(walk(value=value)) for value in range(2)]
    async with visitor.listening("me") as ear:
        for job in (first, first, second):
            await resume(ear, job=job)
        refused = await ear.until_type("resume_refused")
        assert (refused["job"], refused["error"]["type"]) == (second, "too_many")
