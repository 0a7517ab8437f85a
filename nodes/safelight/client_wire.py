"""The client's side of the wire: events read off a socket, and when to try again."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from websockets.asyncio.client import ClientConnection

from safelight.client_values import Event, Refusal, Unreachable

PATIENCE_SECONDS = 60.0  # to reach a server again that was reached before
_PAUSE_SECONDS = 0.2  # between attempts to reach it


async def heard(socket: ClientConnection, job: str) -> AsyncGenerator[Event, None]:
    """Yield what a socket tells of a job until it is over.

    Raises:
        Refusal: when there is no such job.
    """
    async for message in socket:
        if isinstance(message, bytes):
            continue  # a preview
        said = json.loads(message)
        data = said.get("data") or {}
        match said.get("type"):
            case "job_event" if data.get("job") == job:
                yield Event(data["type"], data["data"], data["sequence"])
            case "progress" if data.get("prompt_id") == job:
                yield Event("progress", data)
            case "job_end" if data.get("job") == job:
                return
            case "resume_refused" if data.get("job") == job:
                raise Refusal(404, {"error": data["error"]})
            case _:
                pass
    raise ConnectionResetError("the server closed the connection")


class Patience:
    """How long to try again: not at all before a server has answered, a while after that."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock()

    def renew(self) -> None:
        """Begin anew, since it has answered."""
        self._until = self._clock() + PATIENCE_SECONDS

    async def take(self, error: Exception) -> None:
        """Wait a little, or say that it does not answer any more."""
        if self._clock() >= self._until:
            raise Unreachable(f"{self._address} does not answer: {error}") from error
        await asyncio.sleep(_PAUSE_SECONDS)


def parsed(content: bytes | bytearray | None) -> Any:
    """Return the JSON of an answer; of one that has none, nothing."""
    try:
        return json.loads(content or b"null")
    except ValueError:
        return None


def resumption(job: str, since: int) -> str:
    """Return the message that asks for what happened to a job after an event."""
    return json.dumps({"type": "resume", "data": {"job": job, "since": since}})
