"""Jobs one by one and as a list, and the queue as a whole: paused or not, in which order."""

import asyncio

from aiohttp import web

from safelight_server.bodies import identifier, number, read_object
from safelight_server.jobs import unknown_job
from safelight_server.listing import JobQuery, describe, describe_whole
from safelight_server.protocol import Refused, dumps
from safelight_server.routes import answer
from safelight_server.services import services_of


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get("/api/jobs", listing),
        web.get("/api/jobs/{id}", show),
        web.patch("/api/jobs/{id}", move),
        web.post("/api/jobs/{id}/cancel", cancel),
        web.post("/api/jobs/{id}/retry", retry),
        web.get("/api/queue/state", state),
        web.post("/api/queue/pause", pause),
        web.post("/api/queue/resume", resume),
    ]


async def listing(request: web.Request) -> web.Response:
    """Answer jobs in whatever state, filtered, sorted and page by page."""
    page = await services_of(request).listing.page(JobQuery.read(request.query))
    return web.json_response(text=await asyncio.to_thread(lambda: dumps(page.body())))


async def show(request: web.Request) -> web.Response:
    """Answer one job with what it has shown and what was asked."""
    job_id = request.match_info["id"]
    entry = await services_of(request).listing.one(job_id)
    if entry is None:
        raise unknown_job(job_id)
    return web.json_response(text=await asyncio.to_thread(lambda: dumps(describe_whole(entry))))


async def move(request: web.Request) -> web.Response:
    """Give a waiting job another number, or the first place; answer the job."""
    body, job_id = await read_object(request), request.match_info["id"]
    wanted, front = number(body), body.get("front") is True
    if (wanted is None) is not front:
        message = 'Send either {"number": N}, where smaller runs first, or {"front": true}.'
        raise Refused("invalid_body", message)
    services = services_of(request)
    await services.jobs.move(job_id, wanted)
    entry = await services.listing.one(job_id)
    if entry is None:
        raise unknown_job(job_id)
    return answer(describe(entry))


async def cancel(request: web.Request) -> web.Response:
    """Cancel one job, whether it waits or runs; answer the state in which it was found."""
    job_id = request.match_info["id"]
    job = await services_of(request).jobs.cancel(job_id)
    if job is None:
        raise unknown_job(job_id)
    return answer({"prompt_id": job.id, "state": job.state})


async def retry(request: web.Request) -> web.Response:
    """Accept a finished job once more, under a new id."""
    body, job_id = await read_object(request), request.match_info["id"]
    accepted = await services_of(request).jobs.retry(job_id, identifier(body, "client_id"))
    return answer({**accepted.body(), "retry_of": job_id})


async def state(request: web.Request) -> web.Response:
    """Answer whether the queue is paused, and how many jobs wait and run."""
    return answer(await services_of(request).jobs.state())


async def pause(request: web.Request) -> web.Response:
    """Let waiting jobs wait, also after a restart; what runs goes on."""
    return await _paused(request, True)


async def resume(request: web.Request) -> web.Response:
    """Let waiting jobs run again."""
    return await _paused(request, False)


async def _paused(request: web.Request, paused: bool) -> web.Response:
    jobs = services_of(request).jobs
    await jobs.pause(paused)
    return answer(await jobs.state())
