"""For monitors: does the server live, can it do its work? And the door for the worker."""

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from safelight_server.metrics import CONTENT_TYPE, Gauge
from safelight_server.protocol import Refused
from safelight_server.routes import answer
from safelight_server.services import services_of

_MOST_BYTES = 64 * 2**20  # of one frame from the worker


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get("/healthz", healthy),
        web.get("/readyz", ready),
        web.get("/metrics", metrics),
        web.get("/internal/worker", welcome),
        web.options("/{path:.*}", options),
    ]


async def healthy(request: web.Request) -> web.Response:
    """Answer that the server lives."""
    return answer({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Answer whether a job submitted now could run."""
    services = services_of(request)
    if services.worker.hello is None:
        message = f"There is no worker: {services.worker.trouble}."
        raise Refused("not_ready", message, status=503, retry_seconds=1)
    try:
        await services.jobs.remaining()
    except SQLAlchemyError as error:
        raise Refused("not_ready", "The queue cannot be read.", status=503) from error
    return answer({"status": "ready"})


async def metrics(request: web.Request) -> web.Response:
    """Answer what a monitor draws: what stands now, and what was counted since the start."""
    services = services_of(request)
    counts, worker = await services.store.counts(), services.worker
    paused = services.dispatcher.paused
    gauges: tuple[Gauge, ...] = (
        ("safelight_jobs", "Jobs in the store.", [({"state": s}, n) for s, n in counts.items()]),
        ("safelight_queue_paused", "Whether waiting jobs stay.", [({}, paused)]),
        ("safelight_clients", "Sockets that listen.", [({}, len(services.clients))]),
        ("safelight_worker_ready", "Whether there is one.", [({}, worker.hello is not None)]),
        ("safelight_worker_busy", "Whether it runs a job.", [({}, worker.run is not None)]),
    )
    text = services.metrics.text(gauges)
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


async def welcome(request: web.Request) -> web.WebSocketResponse:
    """Let the worker in that this server started, and nobody else."""
    worker = services_of(request).worker
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not worker.knows(token) or "Origin" in request.headers:
        raise Refused("forbidden", "Only this server's own worker may enter here.", status=403)
    socket = web.WebSocketResponse(compress=False, max_msg_size=_MOST_BYTES)
    await socket.prepare(request)
    await worker.attend(socket)
    return socket


async def options(request: web.Request) -> web.Response:
    """Answer OPTIONS on any path with nothing, as clients expect."""
    return web.Response()
