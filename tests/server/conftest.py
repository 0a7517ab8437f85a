"""A server with a real socket and a real worker process that runs the tiny catalog."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from tests.server.visitor import Visitor

from safelight_server.serve import ServeOptions, Server, running

ROOT = Path(__file__).resolve().parents[2]
CATALOG = "tests.server.tiny_nodes"

Start = Callable[..., AbstractAsyncContextManager[tuple[Server, Visitor]]]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let child processes find what the tests find."""
    paths = (ROOT, ROOT / "nodes", ROOT / "server")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder of its own."""
    return tmp_path / "home"


@pytest.fixture
def start(home: Path) -> Start:
    """Return what starts a server on the home folder, as often as a test wants."""

    @asynccontextmanager
    async def started(**options: Any) -> AsyncGenerator[tuple[Server, Visitor], None]:
        settings: dict[str, Any] = {"home": home, "port": 0, "catalog": CATALOG, **options}
        async with (
            running(ServeOptions(**settings)) as server,
            ClientSession(server.address) as session,
        ):
            yield server, Visitor(session)

    return started


@pytest.fixture
async def server(start: Start) -> AsyncIterator[Server]:
    """A running server."""
    async with start() as (server, _):
        yield server


@pytest.fixture
async def visitor(server: Server) -> AsyncIterator[Visitor]:
    """A client of the running server."""
    async with ClientSession(server.address) as session:
        yield Visitor(session)
