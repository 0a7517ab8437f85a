"""Messages that only those hear who asked for them: the log, and the events of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from safelight_server.protocol import JsonObject, Message


@dataclass(frozen=True, slots=True)
class Logs(Message):
    """What the server or its worker said, to those who subscribed."""

    type: ClassVar[str] = "logs"
    entries: Sequence[JsonObject]
    size: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class JobEvent(Message):
    """Something that happened to a job, from the log: to those who resumed it."""

    type: ClassVar[str] = "job_event"
    job: str
    sequence: int
    attempt: int
    event: str
    detail: JsonObject
    timestamp: int

    def data(self) -> dict[str, object]:
        """Return the event, and whose it is."""
        return {"job": self.job, **self.record()}

    def record(self) -> dict[str, object]:
        """Return the event as a log shows it: type and data are those of the message it was."""
        return {
            "sequence": self.sequence,
            "attempt": self.attempt,
            "type": self.event,
            "data": self.detail,
            "timestamp": self.timestamp,
        }


@dataclass(frozen=True, slots=True)
class JobEnd(Message):
    """All that ever happened to a job has been told."""

    type: ClassVar[str] = "job_end"
    job: str
    status: str
    last: int


@dataclass(frozen=True, slots=True)
class ResumeRefused(Message):
    """A job cannot be resumed; the error has the shape of all refusals."""

    type: ClassVar[str] = "resume_refused"
    job: object
    error: object
