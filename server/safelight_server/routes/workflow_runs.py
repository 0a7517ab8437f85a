"""Workflows as functions: what they take, and calling them."""

from aiohttp import web

from safelight_server.bodies import identifier, read_object
from safelight_server.listing import whole_number
from safelight_server.protocol import Refused
from safelight_server.routes import answer, switched_on
from safelight_server.services import services_of
from safelight_server.workflows_calls import LONGEST_WAIT, Calling


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get("/api/workflows/{id}/schema", schema),
        web.post("/api/workflows/{id}/run", run),
    ]


async def schema(request: web.Request) -> web.Response:
    """Answer what a workflow can be given, as a JSON schema of the body of its run."""
    calls = services_of(request).calls
    return answer(await calls.schema(request.match_info["id"], _version(request)))


async def run(request: web.Request) -> web.Response:
    """Run a workflow with the parameters of the body; with "wait", answer its results."""
    values, query = await read_object(request), request.query
    seconds = whole_number(query, "wait") or 0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise Refused("invalid_query", f'"wait" must be from 0 to {LONGEST_WAIT} seconds.')
    calls, calling = services_of(request).calls, _calling(request)
    job, document = await calls.begin(request.match_info["id"], values, calling, _version(request))
    found = await calls.outcome(job, document, seconds)
    told = answer(found.body())
    told.set_status(200 if found.over else 202)
    return told


def _calling(request: web.Request) -> Calling:
    """Return who calls and how; that stands in the address, for the body is the parameters."""
    query = request.query
    return Calling(
        client_id=identifier(query, "client_id"),
        job=identifier(query, "prompt_id"),
        front=switched_on(request, "front"),
        extra={} if switched_on(request, "metadata", usual=True) else {"save_metadata": False},
    )


def _version(request: web.Request) -> int | None:
    version = whole_number(request.query, "version")
    if version is not None and not 0 < version < 2**31:
        raise Refused("invalid_query", '"version" must be the number of a version, from 1.')
    return version
