"""From a submission to a job: the workflow checked, and what a picture will carry put together."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safelight.graph.convert import Converted, opened
from safelight.graph.folders import Folders
from safelight.graph.problems import Invalid, node_errors
from safelight.graph.schema import Schema
from safelight.graph.workflow import Graph, parse
from safelight_server.bodies import Submission
from safelight_server.protocol import JsonObject, Refused
from safelight_server.records import NewJob
from safelight_server.runs import now_ms
from safelight_server.webhooks import address_in


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job that may be stored, what was left out of it, and what was guessed to read it."""

    job: NewJob
    node_errors: JsonObject
    conversion: tuple[str, ...] = ()


def admit(
    submission: Submission, job_id: str, number: float, schema: Schema, folders: Folders
) -> Admitted:
    """Check a submission's workflow against the nodes that there are.

    What ComfyUI's canvas saves is converted first.  Outputs that cannot run
    are left out and reported, as long as one can.

    Raises:
        Refused: with every mistake.
    """
    converted, graph = _parsed(submission, schema, folders)
    job = NewJob(
        id=job_id,
        number=number,
        client_id=submission.client_id,
        prompt=graph.prompt(),
        extra=_extra(submission, converted.document),
        wanted=graph.wanted,
        digest=digest(submission),
        created_ms=now_ms(),
    )
    return Admitted(job, node_errors(graph.problems), converted.guesses)


def digest(submission: Submission) -> str:
    """Return a name of what was asked, by which a repeated submission is known."""
    asked = json.dumps([submission.prompt, submission.targets], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def _parsed(submission: Submission, schema: Schema, folders: Folders) -> tuple[Converted, Graph]:
    try:
        converted = opened(submission.prompt, schema)
        graph = parse(converted.document, schema, folders, submission.targets, partial=True)
    except Invalid as invalid:
        raise refused(invalid) from invalid
    return converted, graph


def refused(invalid: Invalid) -> Refused:
    """Return the answer that tells every mistake of a workflow."""
    body = invalid.to_json()
    error = body["error"]
    return Refused(
        error["type"],
        error["message"],
        details=error["details"],
        node_errors=body["node_errors"],
        extra=error["extra_info"],
    )


def _extra(submission: Submission, document: Mapping[str, object]) -> JsonObject:
    """Return what goes along with a job; a Safelight document is what its pictures carry."""
    address_in(submission.extra_data)
    extra: dict[str, Any] = {**submission.extra_data, "create_time": now_ms()}
    if submission.client_id is not None:
        extra["client_id"] = submission.client_id
    carried = extra.get("extra_pnginfo") or {}
    if not isinstance(carried, Mapping):
        raise Refused("invalid_body", '"extra_pnginfo" must be an object.')
    if "safelight" in document:
        extra["extra_pnginfo"] = {**carried, "workflow": document}
    return extra
