"""The user, of whom there is one: settings and files that clients keep on the server."""

import asyncio
import tempfile
from pathlib import Path

from aiohttp import web

from safelight_server import files
from safelight_server.bodies import read_json, read_object, receive
from safelight_server.protocol import JsonObject, Refused
from safelight_server.routes import answer, both, switched_on
from safelight_server.services import services_of
from safelight_server.userdata import UserFiles, info

_IN_MEMORY = 2**20  # of a file, before it goes to a temporary one


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        *both("GET", "/users", users),
        *both("POST", "/users", new_user),
        *both("GET", "/settings", settings),
        *both("POST", "/settings", change_settings),
        *both("GET", "/settings/{id}", setting),
        *both("POST", "/settings/{id}", change_setting),
        *both("GET", "/userdata", listing),
        *both("GET", "/v2/userdata", tree),
        *both("GET", "/userdata/{file}", read),
        *both("POST", "/userdata/{file}", write),
        *both("DELETE", "/userdata/{file}", remove),
        *both("POST", "/userdata/{file}/move/{to}", move),
        *both("GET", "/user.css", style),
    ]


async def users(request: web.Request) -> web.Response:
    """Answer that settings are kept here, and whether there are any yet."""
    there = await asyncio.to_thread(_files(request).root.exists)
    return answer({"storage": "server", "migrated": there})


async def new_user(request: web.Request) -> web.Response:
    """Refuse: a home folder has one user."""
    message = "There is one user here. For another, start Safelight with another --home."
    raise Refused("single_user", message, status=403)


async def settings(request: web.Request) -> web.Response:
    """Answer all settings."""
    return answer(await services_of(request).settings.all())


async def setting(request: web.Request) -> web.Response:
    """Answer one setting, or null."""
    known = await services_of(request).settings.all()
    return answer(known.get(request.match_info["id"]))


async def change_settings(request: web.Request) -> web.Response:
    """Set all that the body holds; the others stay."""
    await services_of(request).settings.merge(await read_object(request))
    return web.Response()


async def change_setting(request: web.Request) -> web.Response:
    """Set one to the JSON value of the body."""
    value = await read_json(request)
    await services_of(request).settings.merge({request.match_info["id"]: value})
    return web.Response()


async def listing(request: web.Request) -> web.Response:
    """Answer the files of a folder, by their paths from it."""
    folder = request.query.get("dir", "")
    if not folder:
        raise Refused("invalid_query", 'Name the folder: "dir" is missing.')
    recurse = switched_on(request, "recurse")
    top, found = await asyncio.to_thread(_files(request).below, folder, recurse=recurse)
    names = [path.relative_to(top).as_posix() for path in found]
    if switched_on(request, "full_info"):
        told = zip(found, names, strict=True)
        return answer(await asyncio.to_thread(lambda: [info(*each) for each in told]))
    if switched_on(request, "split"):
        return answer([[name, *name.split("/")] for name in names])
    return answer(names)


async def tree(request: web.Request) -> web.Response:
    """Answer all folders and files below a folder, flat."""
    folder = request.query.get("path", "").strip("/")
    return answer(await asyncio.to_thread(_files(request).tree, folder))


async def read(request: web.Request) -> web.StreamResponse:
    """Answer a file as it is."""
    path = await asyncio.to_thread(_files(request).find, request.match_info["file"])
    return web.FileResponse(path, headers=files.shown_or_attached(path))


async def write(request: web.Request) -> web.Response:
    """Keep the body as a file and answer its name."""
    kept, overwrite = _files(request), switched_on(request, "overwrite", usual=True)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as content:
        await receive(request, content)
        path = await asyncio.to_thread(
            kept.put, request.match_info["file"], content, overwrite=overwrite
        )
    return answer(_told(request, path))


async def remove(request: web.Request) -> web.Response:
    """Delete a file."""
    await asyncio.to_thread(_files(request).remove, request.match_info["file"])
    return web.Response(status=204)


async def move(request: web.Request) -> web.Response:
    """Give a file another name and answer it."""
    path = await asyncio.to_thread(
        _files(request).move,
        request.match_info["file"],
        request.match_info["to"],
        overwrite=switched_on(request, "overwrite", usual=True),
    )
    return answer(_told(request, path))


async def style(request: web.Request) -> web.StreamResponse:
    """Answer the user's own style sheet, where there is one."""
    path = await asyncio.to_thread(_files(request).find, "user.css")
    headers = {"Content-Type": "text/css; charset=utf-8", "Cache-Control": "no-cache"}
    return web.FileResponse(path, headers=headers)


def _told(request: web.Request, path: Path) -> str | JsonObject:
    called = _files(request).name(path)
    return info(path, called) if switched_on(request, "full_info") else called


def _files(request: web.Request) -> UserFiles:
    return services_of(request).user
