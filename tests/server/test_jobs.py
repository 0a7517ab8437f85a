from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.server.conftest import Start
from tests.server.visitor import Visitor, through, walk


def ids(page: dict[str, Any]) -> list[str]:
    """The jobs of a page."""
    return [job["id"] for job in page["jobs"]]


@asynccontextmanager
async def paused(visitor: Visitor) -> AsyncGenerator[None, None]:
    """Pause the queue for a while."""
    assert (await visitor.post("/api/queue/pause"))[1]["paused"] is True
    yield
    assert (await visitor.post("/api/queue/resume"))[1]["paused"] is False


async def patch(visitor: Visitor, job_id: str, body: object) -> tuple[int, Any]:
    """Change a job; return the status and the answer."""
    async with visitor.session.patch(f"/api/jobs/{job_id}", json=body) as answer:
        return answer.status, await answer.json()


async def test_jobs_are_listed_in_every_state(visitor: Visitor) -> None:
    """One each of those that ended well, failed, were cancelled, and wait; newest first."""
    document = {"safelight": 1, "id": "mine", "name": "A", "nodes": walk(), "parameters": {}}
    done = await visitor.submit(document)
    failed = await visitor.submit(through("Fail", message="boom"))
    await visitor.idle()
    async with paused(visitor):
        gone = await visitor.submit(walk(value=1))
        await visitor.post(f"/api/jobs/{gone}/cancel")
        waiting = await visitor.submit(walk(value=2))
        page = await visitor.get("/api/jobs")
        assert ids(page) == [waiting, gone, failed, done]
        assert page["pagination"] == {"offset": 0, "limit": None, "total": 4, "has_more": False}
        statuses = ["pending", "cancelled", "failed", "completed"]
        assert [job["status"] for job in page["jobs"]] == statuses
        for status, job_id in zip(statuses, ids(page), strict=True):
            assert ids(await visitor.get(f"/api/jobs?status={status}")) == [job_id]
        both = await visitor.get("/api/jobs?status=failed,completed&sort_order=asc")
        assert ids(both) == [done, failed]
        assert ids(await visitor.get("/api/jobs?workflow_id=mine")) == [done]
        pending, _, broken, made = page["jobs"]
    assert set(pending) == {"id", "status", "priority", "create_time", "outputs_count"}
    assert broken["execution_error"]["exception_message"] == "boom"
    assert (made["outputs_count"], made["workflow_id"]) == (1, "mine")
    assert made["preview_output"]["nodeId"] == "3"
    assert made["preview_output"]["mediaType"] == "images"
    assert made["create_time"] <= made["execution_start_time"] <= made["execution_end_time"]


async def test_the_list_of_jobs_is_paged(visitor: Visitor) -> None:
    """By limit and offset, with the total; a negative offset is none."""
    async with paused(visitor):
        made = [await visitor.submit(walk(value=value)) for value in range(5)]
        page = await visitor.get("/api/jobs?limit=2&offset=1&sort_order=asc")
        assert ids(page) == made[1:3]
        assert page["pagination"] == {"offset": 1, "limit": 2, "total": 5, "has_more": True}
        assert ids(await visitor.get("/api/jobs?limit=2&offset=-9")) == made[:2:-1]
        assert ids(await visitor.get("/api/jobs?offset=9")) == []
        await visitor.post("/queue", {"clear": True})


async def test_jobs_are_sorted_by_how_long_they_took(visitor: Visitor) -> None:
    """The slow one stands first, though it was asked for first."""
    slow = await visitor.submit(walk(steps=5, seconds=0.05))
    quick = await visitor.submit(walk(value=9))
    await visitor.idle()
    assert ids(await visitor.get("/api/jobs")) == [quick, slow]
    assert ids(await visitor.get("/api/jobs?sort_by=execution_duration")) == [slow, quick]


@pytest.mark.parametrize(
    "query",
    [
        *("status=done", "status=pending,zzz", "sort_by=name", "sort_order=up"),
        *("limit=0", "limit=-1", "limit=x", "offset=x", "limit=99999999999999999999"),
    ],
)
async def test_a_list_that_cannot_be_made_is_refused(visitor: Visitor, query: str) -> None:
    """400 with the name of the parameter."""
    async with visitor.session.get(f"/api/jobs?{query}") as answer:
        assert answer.status == 400
        message = (await answer.json())["error"]["message"]
    assert f'"{query.partition("=")[0]}"' in message


async def test_a_job_is_shown_whole(visitor: Visitor) -> None:
    """With outputs, status and what was asked; unknown ones are 404."""
    job_id = await visitor.submit(walk(value=3), extra_data={"note": 1, "api_key_comfy_org": "s"})
    await visitor.idle()
    job = await visitor.get(f"/api/jobs/{job_id}")
    assert (job["status"], job["attempt"]) == ("completed", 1)
    assert len(job["outputs"]["3"]["images"]) == 1
    assert job["execution_status"]["completed"] is True
    assert job["workflow"]["prompt"]["1"]["inputs"] == {"value": 3}
    assert set(job["workflow"]["extra_data"]) == {"note", "create_time"}
    async with visitor.session.get("/api/jobs/unknown") as answer:
        assert (answer.status, (await answer.json())["error"]["message"]) == (
            404,
            "There is no job 'unknown'.",
        )


async def test_a_failed_job_can_be_tried_again(visitor: Visitor) -> None:
    """Under a new id, with the same workflow; the old one stays as it was."""
    failed = await visitor.submit(through("Fail", message="boom"))
    await visitor.idle()
    async with visitor.listening("me") as ear:
        status, body = await visitor.post(f"/api/jobs/{failed}/retry", {"client_id": "me"})
        assert (status, body["retry_of"]) == (200, failed)
        await ear.until_end(body["prompt_id"])
    (error,) = ear.of_type("execution_error")
    assert error["exception_message"] == "boom"
    again = await visitor.get(f"/api/jobs/{body['prompt_id']}")
    assert again["workflow"]["extra_data"]["retry_of"] == failed
    assert (await visitor.get("/api/jobs"))["pagination"]["total"] == 2


async def test_only_a_finished_job_can_be_tried_again(visitor: Visitor) -> None:
    """409 while it waits, 404 when it is unknown."""
    async with paused(visitor):
        waiting = await visitor.submit(walk())
        status, body = await visitor.post(f"/api/jobs/{waiting}/retry")
        assert (status, body["error"]["type"]) == (409, "job_not_finished")
        assert (await visitor.post("/api/jobs/unknown/retry"))[0] == 404


async def test_waiting_jobs_change_places(visitor: Visitor) -> None:
    """By number or to the front; those that do not wait stay where they are."""
    done = await visitor.submit(walk())
    await visitor.idle()
    async with paused(visitor):
        first, second, third = [await visitor.submit(walk(value=value)) for value in range(3)]
        status, job = await patch(visitor, first, {"number": 99.5})
        assert (status, job["id"], job["priority"]) == (200, first, 99.5)
        assert (await patch(visitor, third, {"front": True}))[0] == 200
        queue = await visitor.get("/queue")
        assert [item[1] for item in queue["queue_pending"]] == [third, second, first]
        assert (await patch(visitor, done, {"number": 1}))[1]["error"]["type"] == "job_not_waiting"
        for job_id, body, refusal in (
            (done, {"number": 1}, 409),
            ("unknown", {"number": 1}, 404),
            (first, {}, 400),
            (first, {"number": "x"}, 400),
            (first, {"number": 1, "front": True}, 400),
        ):
            assert (await patch(visitor, job_id, body))[0] == refusal
    await visitor.idle()
    assert list(await visitor.get("/history"))[1:] == [third, second, first]


def is_told_of_pause(data: dict[str, Any]) -> bool:
    """Whether this is the news that the queue stands still."""
    return bool(data.get("status", {}).get("exec_info", {}).get("paused", False))


async def test_a_paused_queue_keeps_its_jobs(visitor: Visitor) -> None:
    """What runs ends, nothing else begins, everybody hears of it, and then all run."""
    running = await visitor.submit(walk(steps=10, seconds=0.02))
    await visitor.running(running)
    async with visitor.listening("me") as ear, paused(visitor):
        waiting = await visitor.submit(walk(value=1))
        assert (await visitor.entry(running))["status"]["completed"] is True
        state = {"paused": True, "pending": 1, "running": 0}
        assert await visitor.get("/api/queue/state") == state
        assert (await visitor.get("/system_stats"))["queue"] == state
        await ear.until(lambda said: is_told_of_pause(said["data"]))
    assert (await visitor.entry(waiting))["status"]["completed"] is True
    idle = {"paused": False, "pending": 0, "running": 0}
    assert await visitor.get("/api/queue/state") == idle


async def test_a_pause_outlives_the_server(start: Start) -> None:
    """The next one keeps the jobs too, until it is told otherwise."""
    async with start() as (_, visitor):
        await visitor.post("/api/queue/pause")
        waiting = await visitor.submit(walk())
    async with start() as (_, visitor):
        await visitor.wait_for("/system_stats", lambda page: page["worker"]["state"] == "idle")
        assert (await visitor.get("/api/queue/state"))["paused"] is True
        assert await visitor.get(f"/history/{waiting}") == {}
        await visitor.post("/api/queue/resume")
        assert (await visitor.entry(waiting))["status"]["completed"] is True
