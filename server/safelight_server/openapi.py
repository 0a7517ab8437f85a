"""The API described by itself: OpenAPI 3.1, read off the routes and the dataclasses.

A route's summary is the first line of its handler's docstring, its tag the handler's module.
What Python does not say, the parameters of addresses and the shape of bodies, stands in the
tables here.  Routes that exist with and without /api are told once, with it.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Union

from aiohttp import web

from safelight_server import asked, openapi_workflows, protocol
from safelight_server.bodies import Submission
from safelight_server.listing import DIRECTIONS, ORDERS, STATUSES
from safelight_server.protocol import Accepted, JsonObject, Message

_NAMES = {"targets": "partial_execution_targets"}  # of fields whose key is another one
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_HIDDEN = ("/internal/worker", "/{path}")
_IDS: JsonObject = {"type": "array", "items": {"type": "string"}}
_ANY_OBJECT: JsonObject = {"type": "object"}
_SWITCH: JsonObject = {"enum": ["true", "false"]}
_WHOLE: JsonObject = {"type": "integer"}
_TEXT: JsonObject = {"type": "string"}
_PLACE: JsonObject = {"enum": ["output", "input", "temp"]}

_QUERIES: Mapping[str, Mapping[str, JsonObject]] = {
    "/api/history": {"max_items": _WHOLE, "offset": _WHOLE},
    "/api/jobs/{id}/events": {"since": _WHOLE},
    "/api/view": {
        "filename": _TEXT,
        "type": _PLACE,
        "subfolder": _TEXT,
        "preview": _TEXT,
        "channel": {"enum": ["rgba", "rgb", "a"]},
    },
    "/api/view_metadata/{kind}": {"filename": _TEXT},
    "/api/ws": {"clientId": _TEXT},
    "/api/userdata": {"dir": _TEXT, "recurse": _SWITCH, "full_info": _SWITCH, "split": _SWITCH},
    "/api/v2/userdata": {"path": _TEXT},
    **openapi_workflows.QUERIES,
}
_WRITING: Mapping[str, JsonObject] = {"overwrite": _SWITCH, "full_info": _SWITCH}


def _object(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties}


_SOME_OR_ALL = _object(clear={"type": "boolean"}, delete=_IDS)
_FORM: JsonObject = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "contentMediaType": "application/octet-stream"},
        "type": _PLACE,
        "subfolder": _TEXT,
        "overwrite": _SWITCH,
        "original_ref": _TEXT,
    },
}
_FORMS = {
    "/api/upload/image": _FORM,
    "/api/upload/mask": _FORM,
    **openapi_workflows.FORMS,
}
_BODIES: Mapping[tuple[str, str], JsonObject] = {
    ("POST", "/api/prompt"): {"$ref": "#/components/schemas/Submission"},
    ("POST", "/api/convert"): {
        **_object(workflow={}, to={"enum": ["safelight", "api", "comfy"]}),
        "required": ["workflow"],
    },
    ("POST", "/api/queue"): _SOME_OR_ALL,
    ("POST", "/api/history"): _SOME_OR_ALL,
    ("POST", "/api/interrupt"): _object(prompt_id=_TEXT),
    ("POST", "/api/free"): _object(
        unload_models={"type": "boolean"}, free_memory={"type": "boolean"}
    ),
    ("POST", "/api/jobs/{id}/retry"): _object(client_id=_TEXT),
    ("PATCH", "/api/jobs/{id}"): _object(number={"type": "number"}, front={"const": True}),
    ("POST", "/api/settings"): _ANY_OBJECT,
    ("POST", "/api/settings/{id}"): {},
    ("PATCH", "/internal/logs/subscribe"): _object(clientId=_TEXT, enabled={"type": "boolean"}),
    **openapi_workflows.BODIES,
}
_ANSWERS: Mapping[tuple[str, str], JsonObject] = {
    ("POST", "/api/prompt"): {"$ref": "#/components/schemas/Accepted"},
    ("POST", "/api/jobs/{id}/retry"): {"$ref": "#/components/schemas/Accepted"},
    **openapi_workflows.ANSWERS,
}
_REFUSAL: JsonObject = {
    "type": "object",
    "required": ["error", "node_errors"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "details", "extra_info"],
            "properties": {
                "type": _TEXT,
                "message": _TEXT,
                "details": _TEXT,
                "extra_info": _ANY_OBJECT,
            },
        },
        "node_errors": _ANY_OBJECT,
    },
}


def document(app: web.Application, version: str) -> JsonObject:
    """Return the description of all routes of an application."""
    paths: dict[str, dict[str, JsonObject]] = {}
    for method, path, handler in sorted(_routes(app), key=lambda each: each[1]):
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, handler)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Safelight",
            "version": version,
            "description": "Routes under /api that ComfyUI has exist without the prefix too.",
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Refusal": _REFUSAL,
                "OpenAIRefusal": openapi_workflows.OPENAI_REFUSAL,
                "Submission": {**schema_of(Submission), "required": ["prompt"]},
                "Accepted": schema_of(Accepted),
                **{each.__name__: schema_of(each) for each in openapi_workflows.SCHEMAS},
                **{f"Message.{each.type}": schema_of(each) for each in _messages()},
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def schema_of(record: type[Any]) -> JsonObject:
    """Return the JSON schema of a dataclass."""
    hints = typing.get_type_hints(record)
    described: dict[str, object] = {
        "type": "object",
        "properties": {
            _NAMES.get(each.name, each.name): _type(hints[each.name])
            for each in dataclasses.fields(record)
        },
    }
    summary = (record.__doc__ or "").partition("\n")[0]
    return {**described, "description": summary}


def _type(hint: Any) -> JsonObject:
    """Return the JSON schema of an annotation; what JSON has no name for may be anything."""
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, Union):
        return {"anyOf": [_type(each) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (tuple, list, Sequence):
        return {"type": "array", "items": _type(arguments[0])}
    return _ANY_OBJECT if origin in (dict, Mapping) else {}


def _messages() -> Iterator[type[Message]]:
    """Yield what the websocket tells, one class per type."""
    seen: set[str] = set()
    for module in (protocol, asked):
        for each in vars(module).values():
            told = isinstance(each, type) and issubclass(each, Message) and each.type
            if told and told not in seen:
                seen.add(told)
                yield each


def _routes(app: web.Application) -> Iterator[tuple[str, str, Any]]:
    known = [
        (route.method, re.sub(r":[^}]*", "", route.resource.canonical), route.handler)
        for route in app.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "OPTIONS")
    ]
    paths = {path for _, path, _ in known}
    for method, path, handler in known:
        if path not in _HIDDEN and f"/api{path}" not in paths:
            yield method, path, handler


def _operation(method: str, path: str, handler: Any) -> JsonObject:
    summary = (handler.__doc__ or "").strip().partition("\n")[0]
    answered = _ANSWERS.get((method, path))
    told: JsonObject = {"application/json": {"schema": answered}} if answered else {}
    refusal = "OpenAIRefusal" if path.startswith("/v1/") else "Refusal"
    operation: dict[str, object] = {
        "operationId": f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}",
        "summary": summary,
        "tags": [handler.__module__.rpartition(".")[2]],
        "parameters": list(_parameters(method, path)),
        "responses": {
            "200": {"description": summary, **({"content": told} if told else {})},
            "4XX": {
                "description": "The request cannot be followed; the answer says why.",
                "content": _json({"$ref": f"#/components/schemas/{refusal}"}),
            },
        },
    }
    if (body := _BODIES.get((method, path))) is not None:
        operation["requestBody"] = {"content": _json(body)}
    elif (form := _FORMS.get(path)) is not None:
        operation["requestBody"] = {"content": {"multipart/form-data": {"schema": form}}}
    elif (method, path) == ("POST", "/api/userdata/{file}"):
        operation["requestBody"] = {"content": {"application/octet-stream": {}}}
    return operation


def _parameters(method: str, path: str) -> Iterator[JsonObject]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": _TEXT}
    wanted = _QUERIES.get(path, {})
    if path == "/api/jobs":
        wanted = _listing()
    elif method == "POST" and path.startswith("/api/userdata/"):
        wanted = _WRITING
    for name, schema in wanted.items():
        yield {"name": name, "in": "query", "required": False, "schema": schema}


def _listing() -> Mapping[str, JsonObject]:
    """Return the parameters of the list of jobs, by what reads them."""
    return {
        "status": {"type": "string", "description": f"Some of {', '.join(STATUSES)}, by commas."},
        "workflow_id": _TEXT,
        "sort_by": {"enum": list(ORDERS)},
        "sort_order": {"enum": list(DIRECTIONS)},
        "limit": {"type": "integer", "minimum": 1},
        "offset": _WHOLE,
    }


def _json(schema: JsonObject) -> JsonObject:
    return {"application/json": {"schema": schema}}
