"""Reading what clients send: bounded, strict JSON, and the fields of a submission.

A body is bytes from a stranger.  It is measured before it is held, must be JSON as the standard
has it (no NaN, no number too large to be one), and every field that has the wrong type is named.
"""

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, TypeVar

from aiohttp import web

from safelight_server.protocol import JsonObject, Refused

T = TypeVar("T")

JSON_LIMIT = 32 * 2**20
FILE_LIMIT = 100 * 2**20
_THREAD_FROM = 256 * 1024  # beyond this, parsing would hold up other clients' answers
_ID_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as posted: the document, who asks, and where in the queue it wants to stand."""

    prompt: object
    client_id: str | None = None
    prompt_id: str | None = None
    number: float | None = None
    front: bool = False
    extra_data: JsonObject = field(default_factory=dict)
    targets: tuple[str, ...] | None = None


async def read_json(request: web.Request) -> object:
    """Return the JSON value of a request's body.

    Raises:
        Refused: 413 when it is longer than the limit, 400 when it is not strict JSON.
    """
    if (request.content_length or 0) > JSON_LIMIT:
        raise too_large(JSON_LIMIT)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > JSON_LIMIT:
            raise too_large(JSON_LIMIT)
    if len(body) > _THREAD_FROM:
        return await asyncio.to_thread(parse_json, bytes(body))
    return parse_json(bytes(body))


async def receive(request: web.Request, into: IO[bytes], limit: int = FILE_LIMIT) -> None:
    """Write a request's body into a file.

    Raises:
        Refused: 413 when it is longer than the limit.
    """
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        into.write(chunk)


async def read_object(request: web.Request) -> JsonObject:
    """Return the JSON object of a request's body; an empty body is an empty object.

    Raises:
        Refused: as `read_json`, and 400 when the value is not an object.
    """
    if not request.can_read_body:
        return {}
    value = await read_json(request)
    if not isinstance(value, dict):
        raise Refused("invalid_body", f"The body must be a JSON object, not {_named(value)}.")
    return value


def parse_json(body: bytes | str) -> object:
    """Parse strict JSON.

    Raises:
        Refused: 400, with the place of the first mistake.
    """
    try:
        value: object = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise Refused("invalid_json", "The body is nested too deeply to be read.") from error
    except UnicodeDecodeError as error:
        raise Refused("invalid_json", "The body is not UTF-8 text.", details=str(error)) from error
    except ValueError as error:
        raise Refused("invalid_json", "The body is not JSON.", details=str(error)) from error
    return value


def read_submission(body: object) -> Submission:
    """Check the fields of a submission, apart from the workflow itself.

    Raises:
        Refused: naming the first field that is not what it must be.
    """
    if not isinstance(body, dict):
        raise Refused("invalid_body", f"The body must be a JSON object, not {_named(body)}.")
    if body.get("prompt") is None:
        message = 'The body has no "prompt": send the workflow there.'
        raise Refused("no_prompt", message, details=message)
    extra = _optional(body, "extra_data", dict, "an object") or {}
    client = identifier(body, "client_id")
    return Submission(
        prompt=body["prompt"],
        client_id=client if client is not None else identifier(extra, "client_id"),
        prompt_id=identifier(body, "prompt_id"),
        number=number(body),
        front=bool(_optional(body, "front", bool, "true or false")),
        extra_data=extra,
        targets=_targets(body),
    )


def read_ids(body: JsonObject, key: str) -> tuple[str, ...]:
    """Return a list of ids from a body, or none when the key is absent.

    Raises:
        Refused: when it is not a list of strings.
    """
    value = _optional(body, key, list, "a list of ids") or []
    if not all(isinstance(each, str) for each in value):
        raise Refused("invalid_body", f'"{key}" must be a list of strings.')
    return tuple(value)


def too_large(limit: int) -> Refused:
    """Return the refusal of a body beyond `limit` bytes."""
    message = f"The body is larger than {limit // 2**20} MiB, the most that is read here."
    return Refused("body_too_large", message, status=413)


def _optional(body: Mapping[str, object], key: str, wanted: type[T], called: str) -> T | None:
    value = body.get(key)
    if value is not None and not isinstance(value, wanted):
        raise Refused("invalid_body", f'"{key}" must be {called}, not {_named(value)}.')
    return value


def identifier(body: Mapping[str, object], key: str) -> str | None:
    """Return an id from a body, which may be a number, or `None` where it is missing.

    Raises:
        Refused: when it is neither, too long, or holds what cannot be shown.
    """
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused("invalid_body", f'"{key}" must be a string, not {_named(value)}.')
    text = str(value)
    if len(text) > _ID_LIMIT or not text.isprintable():
        message = f'"{key}" must be at most {_ID_LIMIT} printable characters.'
        raise Refused("invalid_body", message)
    return text or None


def number(body: Mapping[str, object]) -> float | None:
    """Return the place in the queue that a body asks for, or `None`.

    Raises:
        Refused: when it is no number, or far too large.
    """
    value = body.get("number")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**31:
        raise Refused("invalid_body", '"number" must be a number between -2^31 and 2^31.')
    return float(value)


def _targets(body: Mapping[str, object]) -> tuple[str, ...] | None:
    if body.get("partial_execution_targets") is None:
        return None
    return read_ids(body, "partial_execution_targets")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large to be a number")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _named(value: object) -> str:
    match value:
        case None:
            return "null"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "a string"
        case bool():
            return "a boolean"
        case _:
            return "a number"
