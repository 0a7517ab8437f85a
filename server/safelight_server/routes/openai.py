"""Pictures for programs that were written for OpenAI's API."""

import time

from aiohttp import web

from safelight_server.openai_requests import read_edit, read_generation
from safelight_server.protocol import JsonObject
from safelight_server.routes import answer
from safelight_server.services import services_of


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.post("/v1/images/generations", generations),
        web.post("/v1/images/edits", edits),
    ]


async def generations(request: web.Request) -> web.Response:
    """Make pictures of words, with the workflow that the user has picked for it."""
    asked = await read_generation(request)
    return _told(request, await services_of(request).images.generate(asked))


async def edits(request: web.Request) -> web.Response:
    """Make pictures of words and a picture, with the workflow that the user has picked for it."""
    wanted = await read_edit(request)
    return _told(request, await services_of(request).images.edit(wanted))


def _told(request: web.Request, made: list[JsonObject]) -> web.Response:
    """Answer pictures; an address is told whole, as it is reached from where it was asked."""
    origin = str(request.url.origin())
    data = [
        {**each, "url": f"{origin}{each['url']}"} if "url" in each else dict(each) for each in made
    ]
    return answer({"created": int(time.time()), "data": data})
