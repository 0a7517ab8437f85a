"""Turning any workflow into another format, without running it."""

import asyncio
from collections.abc import Mapping

from aiohttp import web

from safelight.graph.comfy import Format
from safelight.graph.convert import Converted, converted
from safelight.graph.problems import Invalid
from safelight_server.admission import refused
from safelight_server.bodies import read_object
from safelight_server.protocol import Refused
from safelight_server.routes import answer, both
from safelight_server.services import services_of

_FORMATS: Mapping[str, Format] = {"safelight": "safelight", "api": "api", "comfy": "ui"}


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return both("POST", "/convert", convert)


async def convert(request: web.Request) -> web.Response:
    """Answer a workflow in another format, and everything that had to be guessed."""
    body = await read_object(request)
    if "workflow" not in body:
        raise Refused("invalid_body", '"workflow" is missing: the document to convert.')
    wanted = body.get("to", "safelight")
    if not isinstance(wanted, str) or wanted not in _FORMATS:
        raise Refused("invalid_body", f'"to" is one of {", ".join(_FORMATS)}.')
    schema = await services_of(request).shelf.wait()

    def work() -> Converted:
        return converted(body["workflow"], schema, _FORMATS[wanted])

    try:
        found = await asyncio.to_thread(work)
    except Invalid as invalid:
        raise refused(invalid) from invalid
    return answer({"workflow": found.document, "guesses": list(found.guesses)})
