"""The browsers and scripts that listen, each behind a queue of its own.

Whoever has something to tell puts it into a client's queue and goes on; one task per client sends.
So a client that reads slowly delays nobody.  When its queue grows, previews go first (only the
newest waits), then progress that newer progress has overtaken.  What a client must know to
follow a run is never dropped: one that leaves megabytes of such messages unread is disconnected,
and can come back and ask.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import WSCloseCode, web

from safelight_server.asked import Logs
from safelight_server.logs import LogEntry
from safelight_server.protocol import Message

_CALM = 32  # frames that may wait before older progress is dropped for newer
_MOST_FRAMES = 50_000
_MOST_BYTES = 64 * 2**20


class Weight(Enum):
    """What may happen to a waiting frame when a client is slow."""

    PREVIEW = "only the newest waits"
    PROGRESS = "dropped for newer progress"
    STATE = "never dropped"


@dataclass(frozen=True, slots=True)
class Frame:
    """One websocket message, ready to be sent."""

    content: str | bytes
    weight: Weight = Weight.STATE

    @classmethod
    def of(cls, message: Message) -> "Frame":
        """Encode a message; its type decides its weight."""
        passing = message.type in ("progress", "progress_state", "logs")
        return cls(message.encode(), Weight.PROGRESS if passing else Weight.STATE)


@dataclass(slots=True, eq=False)
class Client:
    """One connected socket: an identity, not just its id."""

    id: str
    socket: web.WebSocketResponse
    wants_metadata: bool = False  # asked for previews that say whose picture they are
    wants_logs: bool = False  # asked to hear what the server logs
    waiting: deque[Frame] = field(default_factory=deque)
    _bytes: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _overwhelmed: bool = False

    def put(self, frame: Frame) -> None:
        """Queue a frame; returns at once whatever the client does."""
        if self._overwhelmed:
            return
        if frame.weight is Weight.PREVIEW:
            self._drop(Weight.PREVIEW)
        elif frame.weight is Weight.PROGRESS and len(self.waiting) >= _CALM:
            self._drop(Weight.PREVIEW)
            self._drop(Weight.PROGRESS)
        self.waiting.append(frame)
        self._bytes += len(frame.content)
        self._overwhelmed = len(self.waiting) > _MOST_FRAMES or self._bytes > _MOST_BYTES
        self._news.set()

    def say(self, message: Message) -> None:
        """Queue a message."""
        self.put(Frame.of(message))

    async def send(self) -> None:
        """Send what waits, for as long as the socket is open."""
        while not self.socket.closed:
            while self.waiting and not self._overwhelmed:
                frame = self.waiting.popleft()
                self._bytes -= len(frame.content)
                if isinstance(frame.content, str):
                    await self.socket.send_str(frame.content)
                else:
                    await self.socket.send_bytes(frame.content)
            if self._overwhelmed:
                await self.disconnect()
                return
            self._news.clear()
            await self._news.wait()

    async def disconnect(self) -> None:
        """Close the socket of a client that does not read."""
        self.waiting.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow")

    def _drop(self, weight: Weight) -> None:
        if any(frame.weight is weight for frame in self.waiting):
            self.waiting = deque(frame for frame in self.waiting if frame.weight is not weight)
            self._bytes = sum(len(frame.content) for frame in self.waiting)


class Clients:
    """Everybody who listens, by client id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Client] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def join(self, client: Client) -> None:
        """Let `client` receive what is for its id, in place of any socket before it."""
        self._by_id[client.id] = client

    def leave(self, client: Client) -> None:
        """Forget `client`, unless another socket has taken its id meanwhile."""
        if self._by_id.get(client.id) is client:
            del self._by_id[client.id]

    def of(self, client_id: str | None) -> Client | None:
        """Return who listens under an id."""
        return None if client_id is None else self._by_id.get(client_id)

    def broadcast(self, messages: Iterable[Message]) -> None:
        """Tell everybody."""
        for message in messages:
            frame = Frame.of(message)
            for client in self._by_id.values():
                client.put(frame)

    def log(self, entry: LogEntry) -> None:
        """Tell those who subscribed to the log."""
        for client in self._by_id.values():
            if client.wants_logs:
                client.say(Logs([entry.body()]))

    async def close(self) -> None:
        """Say good-bye to everybody, as the server goes."""
        everybody = list(self._by_id.values())
        closing = (
            each.socket.close(code=WSCloseCode.GOING_AWAY, message=b"server stops")
            for each in everybody
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.gather(*closing, return_exceptions=True)
