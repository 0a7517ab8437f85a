"""Every message that crosses the wire between the server and its clients, as a dataclass.

The names of types, keys and error kinds are those that existing ComfyUI clients look for, so
they are never renamed here.  Text frames are `{"type": ..., "data": {...}}`; binary ones are in
`previews`.  What the worker says is in `frames`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

JsonObject = Mapping[str, object]

FEATURES: JsonObject = {"supports_preview_metadata": True, "max_upload_size": 100 * 2**20}


def dumps(value: object) -> str:
    """Write strict JSON: no NaN, no Infinity, nothing outside ASCII.

    Raises:
        ValueError: when the value holds a number that JSON cannot hold.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Message:
    """A text frame: the class names its type, the fields are its data, in order."""

    type: ClassVar[str] = ""

    def data(self) -> dict[str, object]:
        """Return the payload; fields that are `None` stay, since clients look for them."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}

    def encode(self) -> str:
        """Return the whole text frame."""
        return dumps({"type": self.type, "data": self.data()})


@dataclass(frozen=True, slots=True)
class Status(Message):
    """How many jobs are waiting or running; only the first one to a socket tells it its id."""

    type: ClassVar[str] = "status"
    remaining: int
    sid: str | None = None
    paused: bool = False

    def data(self) -> dict[str, object]:
        """Nest the number as clients expect it; a pause is told while it lasts."""
        remaining: JsonObject = {"queue_remaining": self.remaining}
        told = {**remaining, "paused": True} if self.paused else remaining
        info: dict[str, object] = {"status": {"exec_info": told}}
        return info if self.sid is None else info | {"sid": self.sid}


@dataclass(frozen=True, slots=True)
class FeatureFlags(Message):
    """What this server can do, in answer to what the client can."""

    type: ClassVar[str] = "feature_flags"

    def data(self) -> dict[str, object]:
        """Return the flags themselves."""
        return dict(FEATURES)


@dataclass(frozen=True, slots=True)
class ExecutionStart(Message):
    """A job has left the queue and runs."""

    type: ClassVar[str] = "execution_start"
    prompt_id: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ExecutionCached(Message):
    """The nodes whose results are at hand, so that they will not run."""

    type: ClassVar[str] = "execution_cached"
    nodes: Sequence[str]
    prompt_id: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ProgressState(Message):
    """How far each node of the run has come; nodes not begun are left out."""

    type: ClassVar[str] = "progress_state"
    prompt_id: str
    nodes: Mapping[str, JsonObject]


@dataclass(frozen=True, slots=True)
class Executing(Message):
    """A node begins."""

    type: ClassVar[str] = "executing"
    node: str
    display_node: str
    prompt_id: str


@dataclass(frozen=True, slots=True)
class ExecutingNone(Message):
    """The run is over, however it ended: the frame that scripts wait for."""

    type: ClassVar[str] = "executing"
    prompt_id: str

    def data(self) -> dict[str, object]:
        """Say that no node executes."""
        return {"node": None, "prompt_id": self.prompt_id}


@dataclass(frozen=True, slots=True)
class ExecutingNow(Message):
    """Told to a client that comes back while its job runs: the node at work."""

    type: ClassVar[str] = "executing"
    node: str


@dataclass(frozen=True, slots=True)
class Progress(Message):
    """A node has done `value` of `max` steps."""

    type: ClassVar[str] = "progress"
    value: float
    max: float
    prompt_id: str
    node: str


@dataclass(frozen=True, slots=True)
class Executed(Message):
    """A node has something to show (`output`), made now or found in the cache."""

    type: ClassVar[str] = "executed"
    node: str
    display_node: str
    output: JsonObject | None
    prompt_id: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExecutionSuccess(Message):
    """Every wanted output is there."""

    type: ClassVar[str] = "execution_success"
    prompt_id: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ExecutionError(Message):
    """A node failed, or the worker that ran it died."""

    type: ClassVar[str] = "execution_error"
    prompt_id: str
    node_id: str | None
    node_type: str | None
    executed: Sequence[str]
    exception_message: str
    exception_type: str
    traceback: Sequence[str]
    current_inputs: Mapping[str, Sequence[object]]
    current_outputs: Sequence[str]
    timestamp: int


@dataclass(frozen=True, slots=True)
class ExecutionWarning(Message):
    """A node was not called, since a wire brought it no value; the run goes on."""

    type: ClassVar[str] = "execution_warning"
    prompt_id: str
    node_id: str
    node_type: str
    message: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ExecutionInterrupted(Message):
    """Somebody stopped the job."""

    type: ClassVar[str] = "execution_interrupted"
    prompt_id: str
    node_id: str | None
    node_type: str | None
    executed: Sequence[str]
    timestamp: int


@dataclass(frozen=True, slots=True)
class Submitted(Message):
    """The answer to a submission over the socket: what the POST would have answered."""

    type: ClassVar[str] = "submitted"
    request: object
    status: int
    body: JsonObject


@dataclass(frozen=True, slots=True)
class SchemaChanged(Message):
    """The worker knows other nodes than before; clients may fetch the schema again."""

    type: ClassVar[str] = "schema_changed"
    digest: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a submission that is now in the store."""

    prompt_id: str
    number: float
    node_errors: JsonObject = field(default_factory=dict)
    conversion: tuple[str, ...] = ()  # what was guessed to read a file of ComfyUI's canvas

    def body(self) -> JsonObject:
        """Return the JSON answer."""
        body: JsonObject = {
            "prompt_id": self.prompt_id,
            "number": whole(self.number),
            "node_errors": self.node_errors,
        }
        return {**body, "conversion": list(self.conversion)} if self.conversion else body


class Refused(Exception):
    """A request that cannot be followed, with the answer that says why."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        details: str = "",
        status: int = 400,
        node_errors: JsonObject | None = None,
        extra: JsonObject | None = None,
        retry_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.details = details
        self.status = status
        self.node_errors: JsonObject = {} if node_errors is None else node_errors
        self.extra: JsonObject = {} if extra is None else extra
        self.retry_seconds = retry_seconds

    def body(self) -> JsonObject:
        """Return the JSON answer, in the one shape that all refusals have."""
        return {
            "error": {
                "type": self.kind,
                "message": self.message,
                "details": self.details,
                "extra_info": self.extra,
            },
            "node_errors": self.node_errors,
        }


def whole(number: float) -> float:
    """Return an integral number as an int, so that JSON shows 3 and not 3.0."""
    return int(number) if float(number).is_integer() else number
