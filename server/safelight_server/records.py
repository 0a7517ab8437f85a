"""What the store keeps, as values: a job, an event of its run, and an entry of the history."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Row

from safelight_server.protocol import JsonObject, whole
from safelight_server.tables import State

# Keys that clients may send along and that must not be shown to others afterwards.
WEBHOOK = "webhook"  # where the end of a job is to be told, which may hold a secret
_SECRETS = frozenset({"auth_token_comfy_org", "api_key_comfy_org", WEBHOOK})
_LONGEST_ID = 200
# The events that the history repeats as they were told.
_MESSAGES = frozenset(
    {
        "execution_start",
        "execution_cached",
        "execution_success",
        "execution_error",
        "execution_interrupted",
    }
)
REPEATED = _MESSAGES | {"executed"}  # what a history is made of


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job: a message's type and data, and when (ms since 1970)."""

    type: str
    data: JsonObject
    at_ms: int


@dataclass(frozen=True, slots=True)
class NewJob:
    """A checked submission, ready to be stored."""

    id: str
    number: float
    client_id: str | None
    prompt: JsonObject
    extra: JsonObject
    wanted: tuple[str, ...]
    digest: str
    created_ms: int

    def workflow_id(self) -> str | None:
        """Return what the workflow's own document calls itself, if it says so."""
        carried = self.extra.get("extra_pnginfo")
        document = carried.get("workflow") if isinstance(carried, Mapping) else None
        found = document.get("id") if isinstance(document, Mapping) else None
        return found if isinstance(found, str) and len(found) <= _LONGEST_ID else None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as stored."""

    id: str
    number: float
    state: State
    attempt: int
    deaths: int
    client_id: str | None
    prompt: Mapping[str, Any]
    extra: JsonObject
    wanted: tuple[str, ...]
    digest: str
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    workflow_id: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> "Job":
        """Read a row of the table `jobs`."""
        return cls(
            id=row.id,
            number=row.number,
            state=State(row.state),
            attempt=row.attempt,
            deaths=row.deaths,
            client_id=row.client_id,
            prompt=json.loads(row.prompt),
            extra=json.loads(row.extra),
            wanted=tuple(json.loads(row.wanted)),
            digest=row.digest,
            created_ms=row.created_ms,
            started_ms=row.started_ms,
            ended_ms=row.ended_ms,
            workflow_id=row.workflow_id,
        )

    def item(self) -> list[object]:
        """Return the five elements by which clients know a job of the queue."""
        return [whole(self.number), self.id, self.prompt, self.shown_extra(), list(self.wanted)]

    def shown_extra(self) -> JsonObject:
        """Return what was posted along with the job, without what others must not see."""
        return {key: value for key, value in self.extra.items() if key not in _SECRETS}


@dataclass
class Entry:
    """A finished job and the events of the attempt that finished it.

    It is read from its rows when it is asked for, so that a long history can be put together
    beside the event loop.
    """

    row: Row[Any]
    happened: list[Row[Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.row.id)

    @cached_property
    def job(self) -> Job:
        """The job."""
        return Job.of(self.row)

    @cached_property
    def events(self) -> list[Event]:
        """Its events that a history repeats, in order."""
        return [Event(row.type, json.loads(row.data), row.at_ms) for row in self.happened]

    @cached_property
    def outputs(self) -> JsonObject:
        """What its nodes have shown, by node."""
        return dict(_outputs(self.events))

    def body(self) -> JsonObject:
        """Return the history entry: outputs, messages and how it ended."""
        return {
            "prompt": self.job.item(),
            "outputs": self.outputs,
            "status": self.status(),
            "meta": dict(_meta(event) for event in self.events if _shows(event)),
        }

    def status(self) -> JsonObject:
        """Return how it ended, and what was told of it."""
        succeeded = self.job.state is State.DONE
        return {
            "status_str": "success" if succeeded else "error",
            "completed": succeeded,
            "messages": _messages(self.events),
        }


def _outputs(events: Iterable[Event]) -> Iterable[tuple[str, object]]:
    for event in events:
        if _shows(event):
            yield str(event.data["node"]), event.data["output"]


def _messages(events: Iterable[Event]) -> Sequence[object]:
    return [[event.type, event.data] for event in events if event.type in _MESSAGES]


def _shows(event: Event) -> bool:
    return event.type == "executed" and event.data["output"] is not None


def _meta(event: Event) -> tuple[str, JsonObject]:
    """Return a node that has shown something, and whom of the prompt it stands for."""
    node, root = str(event.data["node"]), event.data["display_node"]
    parent = None if root == node else root
    about = {"node_id": node, "display_node": root, "parent_node": parent, "real_node_id": root}
    return node, about
