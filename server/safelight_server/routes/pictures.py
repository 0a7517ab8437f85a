"""Pictures out of the output, input and temp folders, and pictures in."""

import asyncio
import io
import tempfile
from pathlib import Path
from typing import IO

from aiohttp import BodyPartReader, web

from safelight_server import files, pictures
from safelight_server.bodies import FILE_LIMIT, parse_json, too_large
from safelight_server.files import Stored
from safelight_server.protocol import Refused
from safelight_server.routes import answer, both
from safelight_server.services import Services, services_of

_UPLOAD_LIMIT = FILE_LIMIT
_IN_MEMORY = 2**20  # of an upload, before it goes to a temporary file
_FIELD_LIMIT = 4096
_USUAL = {"filename": "", "subfolder": "", "type": "output"}  # of the reference to an original

Fields = dict[str, str]


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        *both("GET", "/view", view),
        *both("POST", "/upload/image", upload),
        *both("POST", "/upload/mask", upload_mask),
    ]


async def view(request: web.Request) -> web.StreamResponse:
    """Answer a picture: as it is, as a smaller preview, or one of its channels."""
    query = request.query
    if "filename" not in query:
        raise Refused("not_found", 'Name the file: "filename" is missing.', status=404)
    path = await asyncio.to_thread(
        files.locate,
        services_of(request).folders,
        query["filename"],
        query.get("type", "output"),
        query.get("subfolder", ""),
    )
    headers = {"Content-Disposition": files.disposition(path.name), "Cache-Control": "no-cache"}
    if "preview" in query:
        made, kind = await asyncio.to_thread(
            pictures.preview, path, query["preview"], query.get("channel", "")
        )
        return web.Response(body=made, content_type=kind, headers=headers)
    if query.get("channel") in ("rgb", "a"):
        only = pictures.only_colour if query["channel"] == "rgb" else pictures.only_alpha
        made = await asyncio.to_thread(only, path)
        return web.Response(body=made, content_type="image/png", headers=headers)
    return web.FileResponse(path, headers=files.shown_or_attached(path))


async def upload(request: web.Request) -> web.Response:
    """Keep an uploaded file and answer the name that it got."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as content:
        fields = await _receive(request, content)
        return await _keep(request, content, fields)


async def upload_mask(request: web.Request) -> web.Response:
    """Keep a copy of a picture that is as transparent as the uploaded one; answer its name."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as mask:
        fields = await _receive(request, mask)
        original = await asyncio.to_thread(_original, services_of(request), fields)
        mask.seek(0)
        masked = await asyncio.to_thread(pictures.with_alpha_of, mask, original)
    return await _keep(request, io.BytesIO(masked), fields)


async def _keep(request: web.Request, content: IO[bytes], fields: Fields) -> web.Response:
    wanted = Stored(fields["image"], fields.get("subfolder", ""), fields.get("type", "input"))
    overwrite = fields.get("overwrite", "").lower() in ("true", "1")
    folders = services_of(request).folders
    stored = await asyncio.to_thread(
        files.keep_upload, folders, content, wanted, overwrite=overwrite
    )
    return answer({"name": stored.name, "subfolder": stored.subfolder, "type": stored.type})


def _original(services: Services, fields: Fields) -> Path:
    """Return the picture that the mask is for."""
    named = parse_json(fields.get("original_ref", ""))
    if not isinstance(named, dict):
        raise Refused("invalid_body", '"original_ref" must be an object with a "filename".')
    wanted = {key: named.get(key) or usual for key, usual in _USUAL.items()}
    if not all(isinstance(value, str) for value in wanted.values()):
        raise Refused("invalid_body", '"original_ref" must hold strings.')
    return files.locate(services.folders, wanted["filename"], wanted["type"], wanted["subfolder"])


async def _receive(request: web.Request, content: IO[bytes]) -> Fields:
    """Read the form: the file into `content`, its name and the other fields as text."""
    if not request.content_type.startswith("multipart/"):
        raise Refused("invalid_body", "Upload with multipart/form-data.")
    fields: Fields = {}
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise Refused("invalid_body", "The form has a part without a name.")
            if part.name == "image":
                await _receive_file(part, content)
                if part.filename:
                    fields["image"] = part.filename
            else:
                text = await part.read_chunk(_FIELD_LIMIT)
                fields[part.name] = text.decode()
    except (ValueError, AssertionError) as error:
        raise Refused("invalid_body", "The form cannot be read.", details=str(error)) from error
    if "image" not in fields:
        raise Refused("no_file", 'The part "image" with a file is missing.')
    return fields


async def _receive_file(part: BodyPartReader, content: IO[bytes]) -> None:
    size = 0
    while chunk := await part.read_chunk(2**16):
        size += len(chunk)
        if size > _UPLOAD_LIMIT:
            raise too_large(_UPLOAD_LIMIT)
        content.write(chunk)
