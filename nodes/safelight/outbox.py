"""What a worker sends to its server, mostly in a thread of its own, so that no step waits for it.

States go out in order and none is lost.  Progress goes out some twenty times a second; what comes
faster is left out, but never a node's last step, and never the step that a preview waits for.  A
preview that is overtaken by a newer one before it was sent is dropped.  The start of a node is
sent before the node runs: if it kills the process, the server knows which one it was.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed

from safelight_server import frames

_PROGRESS_SECONDS = 0.05


class Outbox:
    """Frames on their way to the server."""

    def __init__(
        self, send: Callable[[str | bytes], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._clock = clock
        self._waiting: deque[str | bytes] = deque()  # texts, and previews as bytes
        self._news = threading.Condition()
        self._sending = threading.Lock()
        self._progressed = -_PROGRESS_SECONDS
        self._pictured = False  # a preview waits for the progress that takes it along

    def put(self, frame: frames.Frame | frames.Preview) -> None:
        """Queue a frame; only the start of a node is sent before this returns.

        Raises:
            TypeError, ValueError: when it holds what JSON cannot, such as NaN.
        """
        content = frame.encode()
        with self._news:
            if isinstance(frame, frames.Progress) and not self._is_due(frame):
                return
            if isinstance(frame, frames.Preview):
                self._pictured = True
                self._drop_previews()
            self._waiting.append(content)
            self._news.notify()
        if isinstance(frame, frames.Started):
            with contextlib.suppress(ConnectionClosed):  # whoever listens notices, and leaves
                self.deliver()

    def deliver(self) -> None:
        """Send what is queued.

        Raises:
            ConnectionClosed: when the server has gone.
        """
        with self._sending:
            while self._waiting:
                with self._news:
                    content = self._waiting.popleft()
                self._send(content)

    def keep_delivering(self, leave: Callable[[], None]) -> None:
        """Send what comes, and signs of life between, until the server has gone."""
        try:
            while True:
                with self._news:
                    self._news.wait_for(lambda: bool(self._waiting), frames.HEARTBEAT_SECONDS)
                    if not self._waiting:
                        self._waiting.append(frames.Heartbeat().encode())
                self.deliver()
        except ConnectionClosed:
            leave()

    def _is_due(self, progress: frames.Progress) -> bool:
        now = self._clock()
        early = now - self._progressed < _PROGRESS_SECONDS
        if early and progress.value < progress.total and not self._pictured:
            return False
        self._progressed = now
        self._pictured = False
        return True

    def _drop_previews(self) -> None:
        if any(isinstance(content, bytes) for content in self._waiting):
            self._waiting = deque(each for each in self._waiting if isinstance(each, str))
