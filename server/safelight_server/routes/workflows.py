"""The library of workflows: kept with all their versions, found again, compared, recovered."""

import asyncio
from pathlib import Path

from aiohttp import web

from safelight_server import files
from safelight_server.bodies import identifier, read_object
from safelight_server.jobs import unknown_job
from safelight_server.listing import describe, whole_number
from safelight_server.protocol import JsonObject, Refused
from safelight_server.routes import answer, switched_on
from safelight_server.services import Services, services_of
from safelight_server.workflows import Library
from safelight_server.workflows_records import (
    Workflow,
    WorkflowPatch,
    WorkflowPost,
    WorkflowPut,
    WorkflowQuery,
)

_ONE = "/api/workflows/{id}"


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get("/api/workflows", listing),
        web.post("/api/workflows", add),
        web.get(_ONE, show),
        web.put(_ONE, save),
        web.patch(_ONE, edit),
        web.delete(_ONE, delete),
        web.post(f"{_ONE}/restore", restore),
        web.get(f"{_ONE}/versions", versions),
        web.get(f"{_ONE}/versions/{{version}}", show_version),
        web.get(f"{_ONE}/diff", diff),
        web.get(f"{_ONE}/thumbnail", thumbnail),
        web.put(f"{_ONE}/thumbnail", set_thumbnail),
        web.delete(f"{_ONE}/thumbnail", remove_thumbnail),
    ]


async def listing(request: web.Request) -> web.Response:
    """Answer workflows, searched and filtered by tags, page by page; examples come last."""
    query = WorkflowQuery.read(request.query)
    found, total = await _library(request).page(query)
    more = query.offset + len(found) < total
    pagination = {"offset": query.offset, "limit": query.limit, "total": total, "has_more": more}
    return answer({"workflows": [each.body() for each in found], "pagination": pagination})


async def add(request: web.Request) -> web.Response:
    """Keep a new workflow, of any format; answer its entry."""
    post = WorkflowPost.read(await read_object(request))
    workflow, guesses = await _library(request).add(post)
    return _entry(workflow, conversion=list(guesses))


async def show(request: web.Request) -> web.Response:
    """Answer a workflow with its newest version."""
    workflow, document = await _library(request).document(_id(request))
    return _entry(workflow, document=document)


async def save(request: web.Request) -> web.Response:
    """Keep a new version, if it differs, unless somebody else saved one since the base."""
    put = WorkflowPut.read(await read_object(request))
    base = _matched(request) if put.base is None else put.base
    library = _library(request)
    workflow, changed, guesses = await library.save(_id(request), put.document, base)
    return _entry(workflow, saved=changed, conversion=list(guesses))


async def edit(request: web.Request) -> web.Response:
    """Give a workflow another name or other tags; that makes no new version."""
    patch = WorkflowPatch.read(await read_object(request))
    return _entry(await _library(request).edit(_id(request), patch))


async def delete(request: web.Request) -> web.Response:
    """Put a workflow into the bin; with forever=true, delete one that lies there."""
    library, workflow_id = _library(request), _id(request)
    if switched_on(request, "forever"):
        await library.purge(workflow_id)
        return web.Response(status=204)
    return _entry(await library.bin(workflow_id))


async def restore(request: web.Request) -> web.Response:
    """Take a workflow out of the bin."""
    return _entry(await _library(request).restore(_id(request)))


async def versions(request: web.Request) -> web.Response:
    """Answer what versions of a workflow there are, the newest first."""
    found = await _library(request).versions(_id(request))
    return answer({"versions": [each.body() for each in found]})


async def show_version(request: web.Request) -> web.Response:
    """Answer a workflow with one of its versions."""
    version = _version(request.match_info["version"], "version")
    workflow, document = await _library(request).document(_id(request), version)
    told: JsonObject = {"id": workflow.id, "version": version, "document": document}
    return answer(told)


async def diff(request: web.Request) -> web.Response:
    """Answer what is different between two versions, node by node."""
    old, new = (_version(request.query.get(name), name) for name in ("from", "to"))
    found = await _library(request).difference(_id(request), old, new)
    return answer({"id": _id(request), "from": old, "to": new, **found})


async def thumbnail(request: web.Request) -> web.Response:
    """Answer the picture of a workflow, at most 512 pixels wide and high."""
    picture = await _library(request).thumbnail(_id(request))
    headers = {"Cache-Control": "private, max-age=86400" if "of" in request.query else "no-cache"}
    return web.Response(body=picture, content_type="image/webp", headers=headers)


async def set_thumbnail(request: web.Request) -> web.Response:
    """Make a workflow's picture of what a job showed, or of a file."""
    path = await _pictured(services_of(request), await read_object(request))
    return _entry(await _library(request).set_thumbnail(_id(request), path))


async def remove_thumbnail(request: web.Request) -> web.Response:
    """Take the picture of a workflow away."""
    return _entry(await _library(request).set_thumbnail(_id(request), None))


async def _pictured(services: Services, body: JsonObject) -> Path:
    """Return the picture that a body names, by its job or as messages name files."""
    named, job_id = body, identifier(body, "job")
    if job_id is not None:
        entry = await services.listing.one(job_id)
        if entry is None:
            raise unknown_job(job_id)
        preview = describe(entry).get("preview_output")
        if not isinstance(preview, dict):
            raise Refused("no_picture", f"The job {job_id!r} has shown no picture.", status=409)
        named = preview
    words = [named.get(key, usual) for key, usual in _NAMED.items()]
    if not words[0] or not all(isinstance(word, str) for word in words):
        message = 'Name a "job", or a picture by "filename", "subfolder" and "type".'
        raise Refused("invalid_body", message)
    filename, place, subfolder = map(str, words)
    return await asyncio.to_thread(files.locate, services.folders, filename, place, subfolder)


_NAMED = {"filename": "", "type": "output", "subfolder": ""}


def _entry(workflow: Workflow, **more: object) -> web.Response:
    """Answer an entry, with the tag by which to save over it."""
    told = answer({**workflow.body(), **more})
    told.headers["ETag"] = f'"{workflow.version}"'
    told.headers["Cache-Control"] = "no-cache"
    return told


def _matched(request: web.Request) -> int | None:
    """Return the version that If-Match names, or `None` for any.

    Raises:
        Refused: 428 where there is no such header.
    """
    found = request.if_match
    if not found:
        message = 'Say which version you began from: "base", or the header If-Match.'
        raise Refused("base_required", message, details='If-Match: "3", or * for any', status=428)
    return None if found[0].value == "*" else _version(found[0].value, "If-Match")


def _version(text: str | None, name: str) -> int:
    found = whole_number({name: text}, name) if text else None
    if found is None or not 0 < found < 2**31:
        raise Refused("invalid_query", f'"{name}" must be the number of a version, from 1.')
    return found


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _library(request: web.Request) -> Library:
    return services_of(request).library
