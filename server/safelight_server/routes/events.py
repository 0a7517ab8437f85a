"""The log of a job's events: as JSON, as a stream that goes on, and over a client's socket."""

import asyncio
import contextlib

from aiohttp import web

from safelight_server.asked import JobEnd, ResumeRefused
from safelight_server.eventlog import EventLog, Excerpt
from safelight_server.jobs import unknown_job
from safelight_server.listing import whole_number
from safelight_server.protocol import JsonObject, Refused, dumps
from safelight_server.routes import answer
from safelight_server.services import services_of
from safelight_server.sockets import Client

_MOST_FOLLOWED = 16  # jobs that one socket may follow at a time
_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # proxies shall pass each event on at once
}


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [web.get("/api/jobs/{id}/events", show)]


async def show(request: web.Request) -> web.StreamResponse:
    """Answer what happened to a job after event number "since"; a stream goes on to the end."""
    log, job_id = services_of(request).log, request.match_info["id"]
    streaming = "text/event-stream" in request.headers.get("Accept", "")
    since = max(_since(request, streaming), 0)
    excerpt = await log.since(job_id, since)
    if excerpt is None:
        raise unknown_job(job_id)
    if not streaming:
        return answer(excerpt.body())
    if excerpt.complete and not excerpt.events:
        return web.Response(status=204)  # by which browsers know not to come back
    return await _stream(request, log, job_id, since)


async def _stream(
    request: web.Request, log: EventLog, job_id: str, since: int
) -> web.StreamResponse:
    response = web.StreamResponse(headers=_STREAM)
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # the listener has left
        async with contextlib.aclosing(log.follow(job_id, since)) as excerpts:
            async for excerpt in excerpts:
                await response.write(_encoded(excerpt))
    return response


def _encoded(excerpt: Excerpt) -> bytes:
    """Return events as server-sent ones; without any, a comment that keeps the line open."""
    lines = [
        f"id: {event.sequence}\nevent: {event.event}\ndata: {dumps(event.record())}\n\n"
        for event in excerpt.events
    ]
    if excerpt.complete:
        end = JobEnd(excerpt.job, excerpt.status, excerpt.last)
        lines.append(f"event: end\ndata: {dumps(end.data())}\n\n")
    return ("".join(lines) or ": waiting\n\n").encode()


def _since(request: web.Request, streaming: bool) -> int:
    """Return the number of the last event that a client has; browsers say it in a header."""
    seen = {"since": request.headers["Last-Event-ID"]} if "Last-Event-ID" in request.headers else {}
    return whole_number(seen if streaming and seen else request.query, "since") or 0


class Following:
    """The jobs whose events a client has asked for over its socket."""

    def __init__(self, log: EventLog, client: Client) -> None:
        self._log = log
        self._client = client
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, data: JsonObject) -> None:
        """Tell the client what happened to a job since a number, and all that follows."""
        job_id, since = data.get("job"), data.get("since", 0)
        well_formed = isinstance(job_id, str) and type(since) is int and 0 <= since < 2**63
        if not isinstance(job_id, str) or not isinstance(since, int) or not well_formed:
            message = '"job" must be an id, and "since" the number of the last event seen.'
            return self._refuse(job_id, Refused("invalid_body", message))
        self._tasks = {key: task for key, task in self._tasks.items() if not task.done()}
        if job_id in self._tasks:
            self._tasks[job_id].cancel()
        elif len(self._tasks) >= _MOST_FOLLOWED:
            message = f"A socket may follow {_MOST_FOLLOWED} jobs at a time."
            return self._refuse(job_id, Refused("too_many", message))
        self._tasks[job_id] = asyncio.create_task(self._follow(job_id, since))
        return None

    def stop(self) -> None:
        """Follow nothing any more."""
        for task in self._tasks.values():
            task.cancel()

    async def _follow(self, job_id: str, since: int) -> None:
        known = False
        async with contextlib.aclosing(self._log.follow(job_id, since)) as excerpts:
            async for excerpt in excerpts:
                known = True
                for event in excerpt.events:
                    self._client.say(event)
                if excerpt.complete:
                    self._client.say(JobEnd(job_id, excerpt.status, excerpt.last))
        if not known:
            self._refuse(job_id, unknown_job(job_id))

    def _refuse(self, job_id: object, refused: Refused) -> None:
        self._client.say(ResumeRefused(job_id, refused.body()["error"]))
