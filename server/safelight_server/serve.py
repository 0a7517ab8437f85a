"""Starting and stopping a server: `run_server` for a command line, `running` for everything else.

async with running(ServeOptions(home=home, port=0)) as server:
    print(server.url)
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import IO

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError
from yarl import URL

from safelight_server import files
from safelight_server.app import make_app
from safelight_server.database import DatabaseUnusable
from safelight_server.options import ServeOptions
from safelight_server.runs import now_ms
from safelight_server.security import policy_for
from safelight_server.services import Services

__all__ = ["CannotServe", "ServeOptions", "Server", "run_server", "running", "serve"]

_log = logging.getLogger("safelight.server")


class CannotServe(Exception):
    """The server cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that accepts requests.

    Attributes:
        address: Where it answers, as `http://127.0.0.1:8188`.
        port: The port it listens on.
        token: What clients must show, or `None`.
        services: Its parts.
    """

    address: str
    port: int
    token: str | None
    services: Services
    tasks: tuple["asyncio.Task[None]", ...]

    @property
    def url(self) -> str:
        """The address to open in a browser, with the token where one is needed."""
        url = URL(self.address) / ""
        return str(url if self.token is None else url.with_query(token=self.token))

    async def wait(self) -> None:
        """Wait until something that should go on for ever ends, and raise what ended it."""
        done, _ = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


def run_server(options: ServeOptions, on_ready: Callable[[Server], None]) -> None:
    """Serve until the process is told to stop by SIGINT or SIGTERM.

    Raises:
        CannotServe: when the port or the home folder is in use or cannot be used.
    """
    speaker = logging.StreamHandler()
    speaker.setLevel(logging.WARNING)
    logging.basicConfig(format="%(message)s", handlers=[speaker])
    with contextlib.suppress(KeyboardInterrupt):  # where signals cannot be handled otherwise
        asyncio.run(serve(options, on_ready))


async def serve(
    options: ServeOptions, on_ready: Callable[[Server], None], stop: asyncio.Event | None = None
) -> None:
    """Serve until `stop` is set or a signal says so; `on_ready` is called once it accepts.

    Raises:
        CannotServe: as `run_server`.
    """
    stop = asyncio.Event() if stop is None else stop
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, other threads
            loop.add_signal_handler(name, stop.set)
    async with running(options) as server:
        on_ready(server)
        stopping, failing = asyncio.create_task(stop.wait()), asyncio.create_task(server.wait())
        await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failing.done():
            failing.result()
        failing.cancel()


@asynccontextmanager
async def running(options: ServeOptions) -> AsyncGenerator[Server, None]:
    """Start a server, yield it while it accepts requests, and stop it.

    Jobs that run when it stops are queued again by the next start.

    Raises:
        CannotServe: as `run_server`.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_owned(options.home))
        policy = policy_for(options.host, options.port, options.token, options.allowed_hosts)
        services = Services.of(options, policy)
        stack.enter_context(services.book.listening())
        stack.push_async_callback(services.database.close)
        stack.push_async_callback(services.webhooks.close)
        try:
            services.folders.create()
            await services.database.migrate()
        except (OSError, DatabaseUnusable) as error:
            raise CannotServe(str(error)) from error
        services.shelf.load()
        await services.jobs.recover()
        runner = web.AppRunner(make_app(services), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port = await _listen(runner, options)
        tasks = _background(services, f"ws://{_reachable(options.host)}:{port}/internal/worker")
        stack.push_async_callback(_cancel, tasks)
        address = f"http://{_reachable(options.host)}:{port}"
        yield Server(address, port, policy.token, services, tasks)


def _background(services: Services, door: str) -> tuple["asyncio.Task[None]", ...]:
    """Start what goes on for as long as the server does."""
    ongoing = (
        services.worker.keep(door),
        services.dispatcher.dispatch(),
        services.dispatcher.keep_writing(),
        _keep_sweeping(services),
    )
    return tuple(asyncio.create_task(each) for each in ongoing)


async def _keep_sweeping(services: Services) -> None:
    """Clear away what earlier deaths left: now, soon when the last drafts are old, then hourly."""
    for pause in chain([30.0], repeat(3600.0)):
        kept = services.options.retention
        try:
            await asyncio.to_thread(files.sweep, services.folders, kept.temp_days)
            await kept.forget(services.database, now_ms())
        except (OSError, SQLAlchemyError) as error:
            _log.warning("What is old could not be swept away: %s", error)
        await asyncio.sleep(pause)


async def _cancel(tasks: tuple["asyncio.Task[None]", ...]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(runner: web.AppRunner, options: ServeOptions) -> int:
    """Bind the port and return it."""
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError as error:
        message = (
            f"Cannot listen on {options.host}:{options.port}: {error.strerror}. "
            "Is another Safelight or ComfyUI running? Try --port with another number."
        )
        raise CannotServe(message) from error
    return int(runner.addresses[0][1])


def _reachable(host: str) -> str:
    """Return an address by which this machine reaches a server bound to `host`."""
    if host in ("", "0.0.0.0"):
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def _owned(home: Path) -> Generator[None, None, None]:
    """Hold the home folder, so that no two servers run the same jobs."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "safelight.lock").open("a+b")
    except OSError as error:
        raise CannotServe(f"The home folder {home} cannot be used: {error.strerror}.") from error
    with file:
        try:
            _lock(file)
        except OSError as error:
            message = f"Another Safelight uses {home}. Stop it, or start with another --home."
            raise CannotServe(message) from error
        yield


def _lock(file: IO[bytes]) -> None:
    """Lock a file for as long as it is open, or raise OSError."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
