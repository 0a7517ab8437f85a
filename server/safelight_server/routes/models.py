"""Models by folder: names, sizes, what their writers noted, the pictures beside them."""

import asyncio

from aiohttp import web

from safelight.graph.folders import MODEL_KINDS
from safelight_server import models
from safelight_server.protocol import Refused
from safelight_server.routes import answer, both
from safelight_server.services import services_of


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        *both("GET", "/models", kinds),
        *both("GET", "/models/{kind}", names),
        *both("GET", "/embeddings", embeddings),
        *both("GET", "/view_metadata/{kind}", metadata),
        *both("GET", "/experiment/models", places),
        *both("GET", "/experiment/models/{kind}", described),
        *both("GET", "/experiment/models/preview/{kind}/{number}/{name}", preview),
        web.get("/internal/folder_paths", directories),
    ]


async def kinds(request: web.Request) -> web.Response:
    """Answer the folders in which models lie."""
    return answer(list(MODEL_KINDS))


async def names(request: web.Request) -> web.Response:
    """Answer the models of one folder."""
    kind = models.kind_of(request.match_info["kind"])
    return answer(await asyncio.to_thread(services_of(request).folders.names, kind))


async def embeddings(request: web.Request) -> web.Response:
    """Answer the textual inversions, without their suffixes."""
    found = await asyncio.to_thread(services_of(request).folders.names, "embeddings")
    return answer(models.without_suffixes(found))


async def metadata(request: web.Request) -> web.Response:
    """Answer what the writer of a model noted in it."""
    kind = models.kind_of(request.match_info["kind"])
    name = request.query.get("filename", "")
    folders = services_of(request).folders
    return answer(await asyncio.to_thread(models.metadata, folders, kind, name))


async def places(request: web.Request) -> web.Response:
    """Answer the folders in which models lie, with all their directories."""
    found = models.directories(services_of(request).folders)
    return answer([{"name": kind, "folders": folders} for kind, folders in found.items()])


async def described(request: web.Request) -> web.Response:
    """Answer the models of one folder with their sizes and times."""
    kind = models.kind_of(request.match_info["kind"])
    folders = services_of(request).folders
    return answer(await asyncio.to_thread(lambda: list(models.described(folders, kind))))


async def preview(request: web.Request) -> web.Response:
    """Answer the picture that lies beside a model."""
    kind = models.kind_of(request.match_info["kind"])
    if not request.match_info["number"].isdecimal():
        raise Refused("invalid_path", "The number of a directory is a whole number.")
    folders, name = services_of(request).folders, request.match_info["name"]
    made = await asyncio.to_thread(models.picture_beside, folders, kind, name)
    return web.Response(body=made, content_type="image/webp")


async def directories(request: web.Request) -> web.Response:
    """Answer where models of each kind are looked for."""
    return answer(models.directories(services_of(request).folders))
