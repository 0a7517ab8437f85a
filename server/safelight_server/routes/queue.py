"""Submitting jobs, looking at the queue and the history, stopping and forgetting."""

import asyncio

from aiohttp import web

from safelight_server.bodies import read_ids, read_json, read_object, read_submission
from safelight_server.listing import whole_number
from safelight_server.protocol import JsonObject, Refused, dumps
from safelight_server.routes import answer, both
from safelight_server.services import services_of


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        *both("GET", "/prompt", count),
        *both("POST", "/prompt", submit),
        *both("GET", "/queue", show_queue),
        *both("POST", "/queue", change_queue),
        *both("POST", "/interrupt", interrupt),
        *both("GET", "/history", show_history),
        *both("GET", "/history/{id}", show_entry),
        *both("POST", "/history", change_history),
        *both("POST", "/free", free),
    ]


async def count(request: web.Request) -> web.Response:
    """Answer how many jobs wait or run."""
    remaining = await services_of(request).jobs.remaining()
    return answer({"exec_info": {"queue_remaining": remaining}})


async def submit(request: web.Request) -> web.Response:
    """Accept a job: when the answer is 200, the job is on the disk."""
    submission = read_submission(await read_json(request))
    accepted = await services_of(request).jobs.submit(submission)
    return answer(accepted.body())


async def show_queue(request: web.Request) -> web.Response:
    """Answer the running and the waiting jobs, in the order in which they will run."""
    running, waiting = await services_of(request).jobs.queue()
    return answer(
        {
            "queue_running": [job.item() for job in running],
            "queue_pending": [job.item() for job in waiting],
        }
    )


async def change_queue(request: web.Request) -> web.Response:
    """Cancel waiting jobs; running ones are left alone."""
    body = await read_object(request)
    ids = _ids_or_all(body)
    if ids is None or ids:
        await services_of(request).jobs.cancel_waiting(ids)
    return web.Response()


async def interrupt(request: web.Request) -> web.Response:
    """Stop the running job, or the one named if it runs; a body that is no JSON names none."""
    try:
        body = await read_object(request)
    except Refused as refused:
        if refused.status != 400:
            raise
        body = {}
    job_id = body.get("prompt_id")
    await services_of(request).jobs.interrupt(None if job_id is None else [str(job_id)])
    return web.Response()


async def show_history(request: web.Request) -> web.Response:
    """Answer finished jobs by id, oldest first."""
    most, offset = whole_number(request.query, "max_items"), whole_number(request.query, "offset")
    if most is not None and most < 0:
        most = None
    if offset is not None and offset < 0:
        offset = None
    entries = await services_of(request).jobs.history(most, offset)
    body = await asyncio.to_thread(lambda: dumps({entry.id: entry.body() for entry in entries}))
    return web.json_response(text=body)


async def show_entry(request: web.Request) -> web.Response:
    """Answer one finished job by its id; nothing while it is unknown or not finished."""
    entry = await services_of(request).jobs.history_of(request.match_info["id"])
    return answer({} if entry is None else {entry.id: entry.body()})


async def change_history(request: web.Request) -> web.Response:
    """Forget finished jobs."""
    ids = _ids_or_all(await read_object(request))
    if ids is None or ids:
        await services_of(request).jobs.forget(ids)
    return web.Response()


async def free(request: web.Request) -> web.Response:
    """Let the worker drop what it remembers, before its next job."""
    body = await read_object(request)
    if body.get("unload_models") or body.get("free_memory"):
        await services_of(request).dispatcher.free()
    return web.Response()


def _ids_or_all(body: JsonObject) -> tuple[str, ...] | None:
    """Return the ids under "delete", or `None`, for all, when "clear" is set."""
    return None if body.get("clear") else read_ids(body, "delete")
