"""What front ends ask for besides the queue: scripts, translations, examples, logs."""

import asyncio
from pathlib import Path

from aiohttp import web

from safelight_server import packs
from safelight_server.bodies import read_object
from safelight_server.files import recent
from safelight_server.protocol import Refused
from safelight_server.routes import answer, both, page
from safelight_server.services import services_of


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        *both("GET", "/extensions", extensions),
        *both("GET", "/i18n", translations),
        *both("GET", "/workflow_templates", examples),
        web.get("/api/workflow_templates/{pack}/{name}", example),
        *both("GET", "/global_subgraphs", blueprints),
        *both("GET", "/global_subgraphs/{id}", blueprint),
        web.get("/internal/logs", log),
        web.get("/internal/logs/raw", log_entries),
        web.patch("/internal/logs/subscribe", subscribe),
        web.get("/internal/files/{place}", recent_files),
    ]


async def extensions(request: web.Request) -> web.Response:
    """Answer the scripts that a front end loads: those of the build that is served."""
    return answer(await asyncio.to_thread(_scripts, page.STATIC))


async def translations(request: web.Request) -> web.Response:
    """Answer the texts of packs by language."""
    return answer(await asyncio.to_thread(packs.translations, _packs(request)))


async def examples(request: web.Request) -> web.Response:
    """Answer the names of the example workflows by pack."""
    return answer(await asyncio.to_thread(packs.examples, _packs(request)))


async def example(request: web.Request) -> web.StreamResponse:
    """Answer one example workflow."""
    wanted = request.match_info
    path = await asyncio.to_thread(packs.example, _packs(request), wanted["pack"], wanted["name"])
    return web.FileResponse(path, headers={"Content-Type": "application/json; charset=utf-8"})


async def blueprints(request: web.Request) -> web.Response:
    """Answer the subgraphs that packs offer."""
    found = await asyncio.to_thread(packs.blueprints, _packs(request))
    return answer({key: packs.blueprint(path) for key, path in found.items()})


async def blueprint(request: web.Request) -> web.Response:
    """Answer one subgraph with its JSON."""
    found = await asyncio.to_thread(packs.blueprints, _packs(request))
    path = found.get(request.match_info["id"])
    if path is None:
        raise Refused("not_found", "There is no such subgraph.", status=404)
    text = await asyncio.to_thread(path.read_text, encoding="utf-8", errors="replace")
    return answer({**packs.blueprint(path), "data": text})


async def log(request: web.Request) -> web.Response:
    """Answer what was said lately, as one text."""
    return answer(services_of(request).book.text())


async def log_entries(request: web.Request) -> web.Response:
    """Answer what was said lately, entry by entry; there is no terminal with a size."""
    entries = [entry.body() for entry in services_of(request).book.entries]
    return answer({"entries": entries, "size": {"cols": 80, "rows": 24}})


async def subscribe(request: web.Request) -> web.Response:
    """Let a client hear what is said from now on, or no longer."""
    body = await read_object(request)
    client = services_of(request).clients.of(str(body.get("clientId")))
    if client is not None:
        client.wants_logs = body.get("enabled") is True
    return web.Response()


async def recent_files(request: web.Request) -> web.Response:
    """Answer the files of a place, newest first."""
    folders = services_of(request).folders
    return answer(await asyncio.to_thread(recent, folders, request.match_info["place"]))


def _packs(request: web.Request) -> Path:
    return services_of(request).folders.directory("custom_nodes")


def _scripts(static: Path) -> list[str]:
    found = (static / "extensions").rglob("*.js")
    return sorted(f"/{path.relative_to(static).as_posix()}" for path in found)
