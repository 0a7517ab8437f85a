"""Work that other nodes need not wait for: writing files, and coroutines.

Files are written by one thread, in the order in which they were asked for, so
that numbering them is safe; coroutines share one event loop in another.  Both
threads start when they are first needed.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_LOOK_S = 0.05  # how often one who waits looks whether to stop


class Background:
    """The nodes of a run that are at work beside it."""

    def __init__(self) -> None:
        self._running: dict[str, Future[Any]] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._files: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def busy(self) -> list[str]:
        """The nodes at work, the eldest first."""
        return list(self._running)

    def submit(self, key: str, work: Callable[[], object]) -> None:
        """Let a node work in the thread for files."""
        if self._files is None:
            self._files = ThreadPoolExecutor(1, "safelight-files")
        self._watch(key, self._files.submit(work))

    def submit_coroutine(self, key: str, work: Coroutine[Any, Any, object]) -> None:
        """Let a node work in the event loop."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_serve, args=(self._loop,), daemon=True).start()
        self._watch(key, asyncio.run_coroutine_threadsafe(work, self._loop))

    def ended(self) -> tuple[str, Future[Any]] | None:
        """Return a node that has ended, if there is one."""
        if self._ended.empty():
            return None
        key = self._ended.get()
        return key, self._running.pop(key)

    def wait(self, stop: Callable[[], bool]) -> tuple[str, Future[Any]] | None:
        """Return the next node that ends, or None as soon as `stop` says so."""
        while not stop():
            try:
                key = self._ended.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            return key, self._running.pop(key)
        return None

    def failure(self) -> BaseException | None:
        """Return why a node failed, if one did and was not taken away yet."""
        if not self._running:
            return None
        ended = (future for future in self._running.values() if future.done())
        return next((error for future in ended if (error := _error(future)) is not None), None)

    def close(self) -> None:
        """Wait for the files, stop the coroutines, end the threads."""
        if self._files is not None:
            self._files.shutdown(wait=True)
        if self._loop is not None:
            for future in self._running.values():
                future.cancel()
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _watch(self, key: str, future: Future[Any]) -> None:
        self._running[key] = future
        future.add_done_callback(lambda _: self._ended.put(key))


def _error(future: Future[Any]) -> BaseException | None:
    return None if future.cancelled() else future.exception()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run an event loop until it is stopped, then end what is left in it."""
    loop.run_forever()
    while left := asyncio.all_tasks(loop):
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left))
    loop.close()
