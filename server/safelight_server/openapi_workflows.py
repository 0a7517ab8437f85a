"""What the description of the API says of workflows and what runs them, by their dataclasses."""

from collections.abc import Mapping, Sequence
from typing import Any

from safelight_server.openai_requests import ImageRequest
from safelight_server.protocol import JsonObject
from safelight_server.sharing import Share
from safelight_server.workflows_calls import LONGEST_WAIT, WorkflowRun
from safelight_server.workflows_records import (
    Workflow,
    WorkflowPatch,
    WorkflowPost,
    WorkflowPut,
    WorkflowVersion,
)

SCHEMAS: Sequence[type[Any]] = (
    Workflow,
    WorkflowVersion,
    WorkflowPost,
    WorkflowPut,
    WorkflowPatch,
    WorkflowRun,
    Share,
    ImageRequest,
)
_TEXT: JsonObject = {"type": "string"}
_WHOLE: JsonObject = {"type": "integer"}
_SWITCH: JsonObject = {"enum": ["true", "false"]}
_ONE = "/api/workflows/{id}"


def _of(record: type[Any]) -> JsonObject:
    return {"$ref": f"#/components/schemas/{record.__name__}"}


def _list(name: str, record: type[Any]) -> JsonObject:
    return {"type": "object", "properties": {name: {"type": "array", "items": _of(record)}}}


QUERIES: Mapping[str, Mapping[str, JsonObject]] = {
    "/api/workflows": {
        "search": {"type": "string", "description": "Words that all occur, in any case."},
        "tag": {"type": "string", "description": "Tags that it has all of, apart by commas."},
        "deleted": _SWITCH,
        "sort_by": {"enum": ["changed", "created", "name"]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 500},
        "offset": _WHOLE,
    },
    f"{_ONE}/run": {
        "wait": {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT},
        "version": _WHOLE,
        "client_id": _TEXT,
        "prompt_id": {"type": "string", "description": "Of the job; said twice, it runs once."},
        "front": _SWITCH,
        "metadata": {**_SWITCH, "description": "Whether files tell how they were made."},
    },
    f"{_ONE}/schema": {"version": _WHOLE},
    f"{_ONE}/diff": {"from": _WHOLE, "to": _WHOLE},
}
BODIES: Mapping[tuple[str, str], JsonObject] = {
    ("POST", "/api/workflows"): _of(WorkflowPost),
    ("PUT", _ONE): _of(WorkflowPut),
    ("PATCH", _ONE): _of(WorkflowPatch),
    ("POST", f"{_ONE}/shares"): {"type": "object", "properties": {"version": _WHOLE}},
    ("POST", "/v1/images/generations"): _of(ImageRequest),
    ("POST", f"{_ONE}/run"): {"type": "object", "description": "As its schema says."},
    ("PUT", f"{_ONE}/thumbnail"): {
        "type": "object",
        "properties": {"job": _TEXT, "filename": _TEXT, "type": _TEXT, "subfolder": _TEXT},
    },
}
ANSWERS: Mapping[tuple[str, str], JsonObject] = {
    ("GET", "/api/workflows"): _list("workflows", Workflow),
    ("POST", "/api/workflows"): _of(Workflow),
    ("GET", _ONE): _of(Workflow),
    ("PUT", _ONE): _of(Workflow),
    ("PATCH", _ONE): _of(Workflow),
    ("DELETE", _ONE): _of(Workflow),
    ("POST", f"{_ONE}/restore"): _of(Workflow),
    ("POST", f"{_ONE}/run"): _of(WorkflowRun),
    ("GET", f"{_ONE}/shares"): _list("shares", Share),
    ("POST", f"{_ONE}/shares"): _of(Share),
    ("GET", f"{_ONE}/versions"): _list("versions", WorkflowVersion),
    ("PUT", f"{_ONE}/thumbnail"): _of(Workflow),
    ("DELETE", f"{_ONE}/thumbnail"): _of(Workflow),
}
_FILE: JsonObject = {"type": "string", "contentMediaType": "application/octet-stream"}
FORMS: Mapping[str, JsonObject] = {
    "/v1/images/edits": {
        "allOf": [
            _of(ImageRequest),
            {
                "type": "object",
                "required": ["image"],
                "properties": {"image": _FILE, "mask": _FILE},
            },
        ]
    },
}
_REFUSED = {key: {"type": ["string", "null"]} for key in ("message", "type", "param", "code")}
OPENAI_REFUSAL: JsonObject = {
    "type": "object",
    "properties": {"error": {"type": "object", "properties": _REFUSED}},
}
