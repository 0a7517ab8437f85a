"""What a client is told: files, events, outcomes and workflows, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

USUAL_ADDRESS = "http://127.0.0.1:8188"
_FILE = ("filename", "subfolder", "type")


class ClientError(Exception):
    """Something did not go as asked; the message says what."""


class Unreachable(ClientError):
    """No server answers at the address."""


class Refusal(ClientError):
    """The server will not do it.

    Attributes:
        kind: The type of the error, as `prompt_outputs_failed_validation`.
        status: Of the answer, as 404.
        details: What would be right.
        node_errors: What is wrong with a workflow, by node.
    """

    def __init__(self, status: int, body: object) -> None:
        told = body if isinstance(body, Mapping) else {}
        error = told.get("error")
        about: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
        self.status = status
        self.kind = str(about.get("type", "unknown"))
        self.message = str(about.get("message", f"The server answered {status}."))
        self.details = str(about.get("details", ""))
        self.node_errors: Mapping[str, Any] = told.get("node_errors") or {}
        super().__init__("\n".join(filter(None, [self.message, self.details])))


@dataclass(frozen=True, slots=True)
class File:
    """A file on the server, as messages name it."""

    filename: str
    subfolder: str = ""
    type: str = "output"
    node: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any], node: str = "") -> "File":
        """Read what a message tells of a file."""
        name, subfolder, place = (str(told.get(key, "")) for key in _FILE)
        return cls(name, subfolder, place, node)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job.

    Attributes:
        type: As `executing`, `progress`, `executed`, `execution_success`.
        data: As the protocol has it for that type.
        sequence: Its number in the log of the job; `None` for what is not kept, as progress.
    """

    type: str
    data: Mapping[str, Any]
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job stands.

    Attributes:
        job: Its id.
        status: pending, in_progress, completed, failed or cancelled.
        outputs: What its nodes have shown, by node, or by result of the workflow that was run.
        error: Why it failed, in words.
    """

    job: str
    status: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing will follow."""
        return self.status not in ("pending", "in_progress")

    @property
    def completed(self) -> bool:
        """Whether it did all that was asked."""
        return self.status == "completed"

    @property
    def files(self) -> tuple[File, ...]:
        """Every file that was shown, in order."""
        return tuple(
            File.of(item, name)
            for name, output in self.outputs.items()
            if isinstance(output, Mapping)
            for items in output.values()
            if isinstance(items, list)
            for item in items
            if isinstance(item, Mapping) and "filename" in item
        )


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A job in a list; times are in milliseconds since 1970."""

    id: str
    status: str
    created: int
    workflow: str | None = None


@dataclass(frozen=True, slots=True)
class WorkflowEntry:
    """A workflow of the library in a list."""

    id: str
    name: str
    version: int
    tags: tuple[str, ...] = ()
    read_only: bool = False
