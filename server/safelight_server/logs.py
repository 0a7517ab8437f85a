"""What the server and its worker have said lately, for those who look at it in the browser.

The newest entries stay in memory, none of them long.  Whoever subscribes hears of new ones; the
log itself goes where it always did.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime

_MOST = 500
_LONGEST = 4000  # characters of an entry


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that was said, and when (seconds since 1970)."""

    at: float
    text: str

    def body(self) -> dict[str, str]:
        """Return the entry as clients of ComfyUI read it."""
        return {"t": datetime.fromtimestamp(self.at, UTC).isoformat(), "m": self.text}


class LogBook(logging.Handler):
    """Keeps the newest entries, and tells whoever wants to know."""

    def __init__(self, tell: Callable[[LogEntry], None]) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.entries: deque[LogEntry] = deque(maxlen=_MOST)
        self._tell = tell
        self._loop: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a logger says; any thread may."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.write, self.format(record) + "\n")

    def write(self, text: str) -> None:
        """Keep what the worker has written."""
        entry = LogEntry(time.time(), text[-_LONGEST:])
        self.entries.append(entry)
        self._tell(entry)

    def text(self) -> str:
        """Return all entries as one text."""
        return "".join(f"{entry.body()['t']} - {entry.text}" for entry in self.entries)

    @contextlib.contextmanager
    def listening(self) -> Generator[None, None, None]:
        """Listen to what the server logs; to be entered while the event loop runs."""
        logger = logging.getLogger("safelight")
        before, self._loop = logger.level, asyncio.get_running_loop()
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(self)
            logger.setLevel(before)
