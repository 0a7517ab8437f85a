"""What programs written for OpenAI's image API send, and how they want refusals told.

Names of fields, kinds of errors and the shapes of both are those that such programs know; fields
that mean nothing here (`user`, `quality`, `style` ...) are passed over.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import BodyPartReader, web

from safelight.graph.values import shown
from safelight_server.bodies import read_object
from safelight_server.protocol import JsonObject, Refused
from safelight_server.security import Handler

MOST_PICTURES = 10
LONGEST_PROMPT = 32_000  # characters
LARGEST_PICTURE = 50 * 2**20  # bytes
FORMATS = ("url", "b64_json")
SMALLEST_SIDE, LARGEST_SIDE = 64, 4096  # pixels
_LONGEST_FIELD = 4 * LONGEST_PROMPT  # bytes
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_PREFIX = "/v1/"


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """Pictures to be made of words; `model` may be the id of a workflow."""

    prompt: str
    model: str | None = None
    n: int = 1
    size: str = "auto"
    response_format: str = "url"
    seed: int | None = None

    @classmethod
    def read(cls, body: Mapping[str, object]) -> "ImageRequest":
        """Read a body.

        Raises:
            Refused: 400, naming the first field that cannot be followed.
        """
        prompt, model = body.get("prompt"), body.get("model")
        if not isinstance(prompt, str) or not 0 < len(prompt) <= LONGEST_PROMPT:
            raise wrong("prompt", f"a text of 1 to {LONGEST_PROMPT} characters", prompt)
        if model is not None and not isinstance(model, str):
            raise wrong("model", "a text", model)
        usual = "b64_json" if str(model).startswith("gpt-image") else "url"
        form = body.get("response_format") or usual
        if form not in FORMATS:
            raise wrong("response_format", f"one of {', '.join(FORMATS)}", form)
        size = body.get("size") or "auto"
        request = cls(prompt, model, _count(body), str(size), str(form), _seed(body))
        request.sides()
        return request

    def sides(self) -> tuple[int, int] | None:
        """Return width and height in pixels, or `None` where the workflow shall say.

        Raises:
            Refused: 400 when the size is none.
        """
        if self.size == "auto":
            return None
        found = _SIZE.fullmatch(self.size)
        width, height = (int(side) for side in found.groups()) if found else (0, 0)
        if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (width, height)):
            wish = f'"auto" or WIDTHxHEIGHT, each from {SMALLEST_SIDE} to {LARGEST_SIDE}'
            raise wrong("size", wish, self.size)
        return width, height


@dataclass(frozen=True, slots=True)
class EditRequest:
    """A picture to be made of another one, and of a mask where only a part shall change."""

    asked: ImageRequest
    image: bytes
    mask: bytes | None


async def read_generation(request: web.Request) -> ImageRequest:
    """Read the body of a generation.

    Raises:
        Refused: As `ImageRequest.read`.
    """
    return ImageRequest.read(await read_object(request))


async def read_edit(request: web.Request) -> EditRequest:
    """Read the form of an edit.

    Raises:
        Refused: As `ImageRequest.read`, 400 when there is not one picture, 413 when it is large.
    """
    if not request.content_type.startswith("multipart/"):
        raise Refused("invalid_body", "Send multipart/form-data with an image and a prompt.")
    pictures: dict[str, bytes] = {}
    fields: dict[str, object] = {}
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise Refused("invalid_body", "The form has a form within.")
            name = (part.name or "").removesuffix("[]")
            if name in pictures:
                raise wrong(name, "one picture", "several")
            if name in ("image", "mask"):
                pictures[name] = await _content(part, LARGEST_PICTURE)
            else:
                fields[name] = (await _content(part, _LONGEST_FIELD)).decode()
    except (ValueError, AssertionError) as error:
        raise Refused("invalid_body", "The form cannot be read.", details=str(error)) from error
    if not pictures.get("image"):
        raise wrong("image", "a picture", None)
    return EditRequest(ImageRequest.read(fields), pictures["image"], pictures.get("mask"))


@web.middleware
async def answer_openai_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell refusals under /v1 in the shape that programs written for OpenAI read."""
    if not request.path.startswith(_PREFIX):
        return await handler(request)
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response(_error(refused), status=refused.status)
    except web.HTTPException as error:
        kind = (error.reason or "error").lower().replace(" ", "_")
        told = Refused(
            kind, f"{error.reason}: {request.method} {request.path}", status=error.status
        )
        return web.json_response(_error(told), status=error.status)


def wrong(name: str, wish: str, got: object) -> Refused:
    """Return the refusal of one field."""
    message = f'"{name}" must be {wish}, got {shown(got)}.'
    return Refused("invalid_value", message, extra={"param": name})


def _error(refused: Refused) -> JsonObject:
    unknown = refused.kind == "token_required"
    parameters = refused.extra.get("parameters")
    first = next(iter(parameters), None) if isinstance(parameters, Mapping) else None
    about = f" {refused.details}" if refused.node_errors else ""
    return {
        "error": {
            "message": refused.message + about,
            "type": "server_error" if refused.status >= 500 else "invalid_request_error",
            "param": refused.extra.get("param", first),
            "code": "invalid_api_key" if unknown else refused.kind,
        }
    }


async def _content(part: BodyPartReader, limit: int) -> bytes:
    content = io.BytesIO()
    while chunk := await part.read_chunk(2**16):
        content.write(chunk)
        if content.tell() > limit:
            message = f'"{part.name}" is larger than {limit} bytes, the most that is read here.'
            extra = {"param": part.name}
            raise Refused("body_too_large", message, status=413, extra=extra)
    return content.getvalue()


def _whole(value: object) -> int | None:
    """Return a whole number, which a form sends as text."""
    if type(value) is int:
        return value
    digits = isinstance(value, str) and value.isdecimal() and len(value) <= 20
    return int(str(value)) if digits else None


def _count(body: Mapping[str, object]) -> int:
    value = body.get("n")
    count = 1 if value is None else _whole(value)
    if count is None or not 1 <= count <= MOST_PICTURES:
        raise wrong("n", f"a whole number from 1 to {MOST_PICTURES}", value)
    return count


def _seed(body: Mapping[str, object]) -> int | None:
    value = body.get("seed")
    seed = None if value is None else _whole(value)
    if value is not None and (seed is None or not 0 <= seed < 2**63):
        raise wrong("seed", "a whole number from 0", value)
    return seed
