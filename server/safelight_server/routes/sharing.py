"""Links to workflows: making, listing and revoking them, and what they show."""

import asyncio
import json

from aiohttp import web

from safelight_server.bodies import read_object
from safelight_server.files import disposition
from safelight_server.protocol import Refused
from safelight_server.routes import answer
from safelight_server.security import SHARE_TOKEN
from safelight_server.services import services_of
from safelight_server.sharing import Sharing
from safelight_server.sharing_page import page

_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get("/api/workflows/{id}/shares", listing),
        web.post("/api/workflows/{id}/shares", create),
        web.delete("/api/shares/{token}", revoke),
        web.get(f"/s/{{token:{SHARE_TOKEN}}}", show),
        web.get(f"/s/{{token:{SHARE_TOKEN}}}.json", download),
        web.get(f"/s/{{token:{SHARE_TOKEN}}}/thumbnail", thumbnail),
    ]


async def listing(request: web.Request) -> web.Response:
    """Answer the links to a workflow, the newest first."""
    found = await _sharing(request).listed(request.match_info["id"])
    return answer({"shares": [each.body() for each in found]})


async def create(request: web.Request) -> web.Response:
    """Make a link to a version of a workflow, the newest where none is named."""
    version = (await read_object(request)).get("version")
    if version is not None and (type(version) is not int or not 0 < version < 2**31):
        raise Refused("invalid_body", '"version" must be the number of a version, from 1.')
    wanted = version if isinstance(version, int) else None
    return answer((await _sharing(request).create(request.match_info["id"], wanted)).body())


async def revoke(request: web.Request) -> web.Response:
    """Let a link lead nowhere from now on."""
    await _sharing(request).revoke(request.match_info["token"])
    return web.Response(status=204)


async def show(request: web.Request) -> web.Response:
    """Show the workflow that a link leads to, as a page to be read."""
    token = request.match_info["token"]
    shared = await _sharing(request).open(token)
    text = await asyncio.to_thread(page, shared, f"/s/{token}")
    return web.Response(text=text, content_type="text/html", headers=_HEADERS)


async def download(request: web.Request) -> web.Response:
    """Answer the workflow that a link leads to, as a file for the canvas."""
    shared = await _sharing(request).open(request.match_info["token"])
    text = await asyncio.to_thread(json.dumps, shared.document, indent=2)
    name = disposition(f"{shared.name[:100]}.json")
    headers = {**_HEADERS, "Content-Disposition": f"attachment; {name}"}
    return web.Response(text=text, content_type="application/json", headers=headers)


async def thumbnail(request: web.Request) -> web.Response:
    """Answer the picture of the workflow that a link leads to."""
    picture = await _sharing(request).picture(request.match_info["token"])
    return web.Response(body=picture, content_type="image/webp", headers=_HEADERS)


def _sharing(request: web.Request) -> Sharing:
    return services_of(request).sharing
