"""What there is: nodes, the machine, and what this server can do."""

import asyncio
import hashlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from aiohttp import ETag, web

from safelight_server.openapi import document as describe_api
from safelight_server.protocol import FEATURES, JsonObject, dumps
from safelight_server.routes import answer, both
from safelight_server.services import Services, services_of

# The release of ComfyUI whose wire protocol is spoken here; clients look for such a number.
_SPOKEN = "0.3.64"


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get("/api/schema", schema),
        *both("GET", "/object_info", object_info),
        *both("GET", "/object_info/{name}", one_object_info),
        web.get("/api/nodes/{name}/source", node_source),
        web.get("/api/sources/{file:.+}", source_file),
        *both("GET", "/system_stats", system_stats),
        *both("GET", "/features", features),
        web.get("/api/openapi.json", openapi),
    ]


async def schema(request: web.Request) -> web.Response:
    """Answer all nodes and types as the canvas reads them."""
    services = services_of(request)
    known = await services.shelf.wait()
    body = await asyncio.to_thread(lambda: dumps(known.public(services.folders)))
    return _revisited(request, body)


async def object_info(request: web.Request) -> web.Response:
    """Answer all nodes as ComfyUI's clients read them."""
    services = services_of(request)
    known = await services.shelf.wait()
    body = await asyncio.to_thread(lambda: dumps(known.object_info(services.folders)))
    return _revisited(request, body)


async def one_object_info(request: web.Request) -> web.Response:
    """Answer one node as ComfyUI's clients read it; nothing when there is no such node."""
    services, name = services_of(request), request.match_info["name"]
    known = await services.shelf.wait()
    nodes = await asyncio.to_thread(known.object_info, services.folders)
    return answer({name: nodes[name]} if name in nodes else {})


async def node_source(request: web.Request) -> web.Response:
    """Answer in which file a node class stands, and which files it runs."""
    return answer(await services_of(request).worker.sources.node(request.match_info["name"]))


async def source_file(request: web.Request) -> web.Response:
    """Answer the text of a file that nodes run, and where the names in it come from."""
    return answer(await services_of(request).worker.sources.file(request.match_info["file"]))


async def system_stats(request: web.Request) -> web.Response:
    """Answer what this machine is and how much memory it has (bytes)."""
    services = services_of(request)
    hello = services.worker.hello
    system: JsonObject = {
        "os": sys.platform,
        **_memory(),
        "comfyui_version": _SPOKEN,
        "safelight_version": _own_version(),
        "python_version": platform.python_version(),
        "pytorch_version": None if hello is None else hello.torch,
        "embedded_python": False,
        "argv": ["safelight"],
    }
    return answer(
        {
            "system": system,
            "devices": [] if hello is None else list(hello.devices),
            "worker": _worker(services),
            "queue": await services.jobs.state(),
        }
    )


async def features(request: web.Request) -> web.Response:
    """Answer what this server can do."""
    return answer(FEATURES)


async def openapi(request: web.Request) -> web.Response:
    """Answer all routes, as OpenAPI 3.1."""
    return answer(describe_api(request.app, _own_version()))


def _worker(services: Services) -> JsonObject:
    worker, hello = services.worker, services.worker.hello
    if hello is None:
        return {"state": "absent", "reason": worker.trouble, "pid": worker.pid}
    return {
        "state": "idle" if worker.idle else "busy",
        "pid": worker.pid,
        "device": hello.device,
        "precision": hello.precision,
    }


def _own_version() -> str:
    try:
        return version("safelight")
    except PackageNotFoundError:  # run from its sources
        return "0"


def _memory() -> dict[str, int | None]:
    """Return the machine's memory in bytes, where the system tells it."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names or "SC_AVPHYS_PAGES" not in names:
        return {"ram_total": None, "ram_free": None}
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        "ram_total": page * os.sysconf("SC_PHYS_PAGES"),
        "ram_free": page * os.sysconf("SC_AVPHYS_PAGES"),
    }


def _revisited(request: web.Request, body: str) -> web.Response:
    """Answer JSON, or only that it has not changed since the client saw it."""
    tag = hashlib.sha256(body.encode()).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if ETag(tag) in (request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(
        text=body, content_type="application/json", charset="utf-8", headers=headers
    )
