"""The code behind the nodes, as the worker sent it: asked for when somebody first wants to see it.

The server opens no file for it.  What a client names is looked up among what was sent, so a name
that leads elsewhere leads to nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from safelight_server.frames import Sources
from safelight_server.protocol import Refused

PATIENCE_SECONDS = 20.0
_RETRY_SECONDS = 3


class SourceShelf:
    """The code of the present worker's nodes; `ask` lets the worker send it."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._known = asyncio.Event()
        self._sources: Sources | None = None
        self._waiting = 0

    def learn(self, sources: Sources) -> None:
        """Take what the worker sent."""
        self._sources = sources
        self._known.set()

    async def renew(self) -> None:
        """Forget what an earlier worker sent; another may have other files."""
        self._sources = None
        self._known.clear()
        if self._waiting:
            await self._ask()

    async def node(self, name: str) -> dict[str, Any]:
        """Return where the code of a node class stands, and which files of the course it runs.

        Raises:
            Refused: 404 for a class without code to show, 503 when no worker has spoken in time.
        """
        found = (await self._wait()).nodes.get(name)
        if found is None:
            message = f"There is no source to show of a node class called {name[:80]!r}."
            raise Refused("not_found", message, status=404)
        return {"class_type": name, **found}

    async def file(self, name: str) -> dict[str, Any]:
        """Return the text of a file, and where the names in it come from.

        Raises:
            Refused: 404 for a file that is not among them, 503 when no worker has spoken in time.
        """
        found = (await self._wait()).files.get(name)
        if found is None:
            message = f"{name[:80]!r} is not among the files of the nodes."
            raise Refused("not_found", message, status=404)
        return {"file": name, **found}

    async def _wait(self) -> Sources:
        if self._sources is None:
            self._waiting += 1
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await self._ask()
                        await self._known.wait()
            finally:
                self._waiting -= 1
        if self._sources is None:
            message = "The worker has not sent the code of its nodes yet. Try again."
            raise Refused("starting", message, status=503, retry_seconds=_RETRY_SECONDS)
        return self._sources
