"""What the server and a worker say to each other, as dataclasses.

Text frames are JSON objects with the class's `type` and its fields.  A preview is binary: the
length of a JSON header (big-endian, 4 bytes), the header, the JPEG.  Whatever belongs to a run
carries the job and the attempt, so that what a stale attempt says can be told apart.
"""

import dataclasses
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

LEASE_SECONDS = 30.0  # a worker that says nothing for so long is taken for dead
HEARTBEAT_SECONDS = 5.0
TOKEN_VARIABLE = "SAFELIGHT_WORKER_TOKEN"


class FrameError(ValueError):
    """A frame that nobody here knows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A text frame."""

    type: ClassVar[str] = ""

    def encode(self) -> str:
        """Return the frame as JSON."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return json.dumps({"type": self.type, **fields}, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Hello(Frame):
    """The worker knows its nodes and can take a job."""

    type: ClassVar[str] = "hello"
    schema: Any
    device: str
    precision: str
    torch: str | None
    devices: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat(Frame):
    """The worker lives, whatever it is busy with."""

    type: ClassVar[str] = "heartbeat"


@dataclass(frozen=True, slots=True)
class Sources(Frame):
    """The code behind the nodes, as it was asked for."""

    type: ClassVar[str] = "sources"
    nodes: Mapping[str, Any]
    files: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunFrame(Frame):
    """Something about a run."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Cached(RunFrame):
    """These nodes need not run: their results are at hand."""

    type: ClassVar[str] = "cached"
    nodes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Started(RunFrame):
    """A node begins."""

    type: ClassVar[str] = "started"
    node: str


@dataclass(frozen=True, slots=True)
class Progress(RunFrame):
    """A node has done `value` of `total` steps."""

    type: ClassVar[str] = "progress"
    node: str
    value: int
    total: int


@dataclass(frozen=True, slots=True)
class Finished(RunFrame):
    """A node is done, or was found done; `shown` is what it has for the user."""

    type: ClassVar[str] = "finished"
    node: str
    cached: bool
    shown: Mapping[str, Any] | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Expanded(RunFrame):
    """A node has put further nodes in its place; `children` gives the class of each."""

    type: ClassVar[str] = "expanded"
    node: str
    children: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Warned(RunFrame):
    """A node was not called, and why."""

    type: ClassVar[str] = "warned"
    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class Succeeded(RunFrame):
    """The run has made all that was wanted."""

    type: ClassVar[str] = "succeeded"


@dataclass(frozen=True, slots=True)
class Stopped(RunFrame):
    """The run was stopped before or in a node, as it was asked to be."""

    type: ClassVar[str] = "stopped"
    node: str | None
    node_type: str | None


@dataclass(frozen=True, slots=True)
class Failed(RunFrame):
    """A node failed, or the workflow itself was refused (then no node is named)."""

    type: ClassVar[str] = "failed"
    node: str | None
    node_type: str | None
    exception_type: str
    exception_message: str
    traceback: Sequence[str] = ()
    current_inputs: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment(RunFrame):
    """Run this: to the worker."""

    type: ClassVar[str] = "job"
    prompt: Mapping[str, Any]
    targets: Sequence[str]
    extra: Mapping[str, Any]
    watched: bool


@dataclass(frozen=True, slots=True)
class Watch(RunFrame):
    """Whether somebody looks at the run's previews: to the worker."""

    type: ClassVar[str] = "watch"
    watched: bool


@dataclass(frozen=True, slots=True)
class Cancel(RunFrame):
    """Stop the run at the next step: to the worker."""

    type: ClassVar[str] = "cancel"


@dataclass(frozen=True, slots=True)
class Free(Frame):
    """Forget remembered results before the next job: to the worker."""

    type: ClassVar[str] = "free"


@dataclass(frozen=True, slots=True)
class Show(Frame):
    """Send the code behind the nodes: to the worker."""

    type: ClassVar[str] = "show"


@dataclass(frozen=True, slots=True)
class Preview:
    """An unfinished picture of a node."""

    job: str
    attempt: int
    node: str
    jpeg: bytes

    def encode(self) -> bytes:
        """Return the binary frame."""
        header = json.dumps({"job": self.job, "attempt": self.attempt, "node": self.node}).encode()
        return struct.pack(">I", len(header)) + header + self.jpeg

    @classmethod
    def decode(cls, frame: bytes) -> "Preview":
        """Read a binary frame.

        Raises:
            FrameError: when it is none.
        """
        try:
            (length,) = struct.unpack_from(">I", frame)
            header = json.loads(frame[4 : 4 + length])
            return cls(**header, jpeg=frame[4 + length :])
        except (struct.error, TypeError, ValueError) as error:
            raise FrameError(f"not a preview: {error}") from error


_FROM_WORKER = (
    *(Hello, Heartbeat, Sources),
    *(Cached, Started, Progress, Finished, Expanded, Warned, Succeeded, Stopped, Failed),
)
_TO_WORKER = (Assignment, Watch, Cancel, Free, Show)
_KINDS = {each.type: each for each in (*_FROM_WORKER, *_TO_WORKER)}


def decode(text: str) -> Frame:
    """Read a text frame.

    Raises:
        FrameError: when its type is unknown or its fields are not those of the type.
    """
    try:
        fields = json.loads(text)
        return _KINDS[fields.pop("type")](**fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FrameError(f"not a frame: {error}") from error
