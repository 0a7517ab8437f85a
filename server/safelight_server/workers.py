"""The worker process: started, listened to, and started again when it dies.

Models live there and nodes run there, so whatever they do to a process happens to that one.  It
holds one websocket to the server.  Each process gets a token of its own, so that what remains of
an earlier one cannot speak for it.  A worker that says nothing for a lease's length, closes its
socket or does not stop when asked is killed; its job goes back to whoever gave it.
"""

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import WSMsgType, web

from safelight_server import frames
from safelight_server.runs import Run
from safelight_server.shelf import SchemaShelf
from safelight_server.sources import SourceShelf

_FIRST_PAUSE = 0.2  # seconds before a dead worker's successor starts, doubled each time
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 60.0  # after living so long, a worker's death is taken for the first one
_LAST_WORDS_SECONDS = 3.0  # between the end of a worker's socket and that of its process
_STOP_SECONDS = 20.0  # how long a node may go on after it was asked to stop
_DRAIN_SECONDS = 10.0  # for reading what a dead process had sent; it is all here already
_log = logging.getLogger("safelight.server")


class Employer(Protocol):
    """Who gives the worker its jobs, and hears how they end."""

    def worker_ready(self) -> None:
        """The worker can take a job."""

    async def schema_changed(self, digest: str) -> None:
        """The worker knows other nodes than were known."""

    async def run_ended(self, run: Run, frame: frames.RunFrame) -> None:
        """The worker says that a run succeeded, stopped or failed."""

    async def run_lost(self, run: Run, reason: str) -> None:
        """The worker died with a run; the reason is a sentence."""


@dataclass(slots=True)
class _Body:
    """One process: its token, its socket once it has called, its last words."""

    process: asyncio.subprocess.Process
    token: str
    heard: float
    socket: web.WebSocketResponse | None = None
    words: bytes = b""
    read: asyncio.Event = field(default_factory=asyncio.Event)  # its socket, to the end

    def kill(self) -> None:
        # Not by Popen.kill, which may reap the process before its end has been noticed here.
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def reason(self) -> str:
        """Return how the process ended, as the end of a sentence."""
        code = self.process.returncode or 0
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        lines = self.words.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"ended with code {code}" + (f": {last}" if code and last else "")


class Worker:
    """The worker, through all the processes that are it one after another."""

    def __init__(
        self,
        arguments: Sequence[str],
        employer: Employer,
        shelf: SchemaShelf,
        write: Callable[[str], None],
    ) -> None:
        self._arguments = arguments
        self._employer = employer
        self._write = write  # takes down what the process says
        self._shelf = shelf
        self.sources = SourceShelf(self._ask_for_sources)
        self._body: _Body | None = None
        self.hello: frames.Hello | None = None
        self.run: Run | None = None
        self.trouble = "it is starting"  # why there is none, if there is none

    @property
    def idle(self) -> bool:
        """Whether it can take a job now."""
        return self.hello is not None and self.run is None

    @property
    def pid(self) -> int | None:
        """The number of the process, if there is one."""
        return None if self._body is None else self._body.process.pid

    async def keep(self, server: str) -> None:
        """Keep a worker alive until cancelled; `server` is the address that it calls."""
        pause = _FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                self.trouble = await self._live(server)
            except OSError as error:
                self.trouble = f"could not be started: {error}"
            if clock() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            _log.warning("The worker %s; the next starts in %.1f s.", self.trouble, pause)
            run, self.run, self.hello = self.run, None, None
            if run is not None:
                await self._employer.run_lost(run, f"The worker process {self.trouble}.")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def knows(self, token: str | None) -> bool:
        """Whether `token` is that of the present process."""
        expected = None if self._body is None else self._body.token
        given = (token or "").encode(errors="backslashreplace")
        return expected is not None and hmac.compare_digest(given, expected.encode())

    async def attend(self, socket: web.WebSocketResponse) -> None:
        """Listen to the worker until its socket closes, and see to it that its process ends too."""
        body = self._body
        if body is None or body.socket is not None:
            return
        body.socket = socket
        try:
            async for message in socket:
                body.heard = asyncio.get_running_loop().time()
                if message.type == WSMsgType.TEXT:
                    await self._hear(frames.decode(message.data))
                elif message.type == WSMsgType.BINARY:
                    self._see(frames.Preview.decode(message.data))
        except ValueError as error:
            _log.error("The worker is not understood: %s", error)
            body.kill()
        finally:  # it ends by itself then; a moment lets it say why
            body.read.set()
            asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, body.kill)

    async def assign(self, run: Run) -> None:
        """Give it a run; it must be idle."""
        self.run = run
        job = run.job
        watched = run.owner() is not None
        await self._say(
            frames.Assignment(job.id, job.attempt, job.prompt, job.wanted, job.extra, watched)
        )

    async def stop(self, run: Run) -> None:
        """Ask it to end a run at the next step, and kill it if it does not."""
        await self._say(frames.Cancel(run.job.id, run.job.attempt))
        asyncio.get_running_loop().call_later(_STOP_SECONDS, self._enforce, run)

    async def watch(self, run: Run) -> None:
        """Tell it whether somebody looks at a run's previews."""
        watched = run.owner() is not None
        await self._say(frames.Watch(run.job.id, run.job.attempt, watched))

    async def free(self) -> None:
        """Let it forget what it remembers of former jobs."""
        await self._say(frames.Free())

    async def _ask_for_sources(self) -> None:
        await self._say(frames.Show())

    def _enforce(self, run: Run) -> None:
        if self.run is run and self._body is not None:
            _log.warning("Job %s did not stop in %.0f s.", run.job.id, _STOP_SECONDS)
            self._body.kill()

    async def _say(self, frame: frames.Frame) -> None:
        body = self._body
        if body is not None and body.socket is not None:
            with contextlib.suppress(ConnectionError):  # its death is noticed elsewhere
                await body.socket.send_str(frame.encode())

    async def _live(self, server: str) -> str:
        """Be one process from its start to its end; return how it ended."""
        token = secrets.token_urlsafe(24)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "safelight.worker", "--server", server, *self._arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, frames.TOKEN_VARIABLE: token},
        )
        self._body = body = _Body(process, token, asyncio.get_running_loop().time())
        listening = asyncio.create_task(_read_words(body, self._write))
        try:
            silent = await self._outlive(body)
            await listening
            await _drain(body)
        finally:
            listening.cancel()
            body.kill()
            await process.wait()
            self._body = None
        return silent or body.reason()

    async def _outlive(self, body: _Body) -> str | None:
        """Wait for a process to end; kill it and say so when it falls silent."""
        clock = asyncio.get_running_loop().time
        while (left := body.heard + frames.LEASE_SECONDS - clock()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await body.process.wait()
                    return None
        body.kill()
        await body.process.wait()
        return f"said nothing for {frames.LEASE_SECONDS:.0f} seconds and was killed"

    async def _hear(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Hello():
                if self._shelf.learn(frame.schema):
                    await self._employer.schema_changed(frame.schema["digest"])
                self.hello = frame
                await self.sources.renew()
                self._employer.worker_ready()
            case frames.Sources():
                self.sources.learn(frame)
            case frames.RunFrame() if (run := self._current(frame)) is not None:
                if isinstance(frame, frames.Succeeded | frames.Stopped | frames.Failed):
                    await self._employer.run_ended(run, frame)
                    self.run = None
                    self._employer.worker_ready()
                else:
                    run.hear(frame)
            case _:
                pass

    def _see(self, preview: frames.Preview) -> None:
        if (run := self._current(preview)) is not None:
            run.show(preview)

    def _current(self, frame: frames.RunFrame | frames.Preview) -> Run | None:
        """Return the run a frame is about, or `None` when it is not the present one."""
        run = self.run
        if run is None or (run.job.id, run.job.attempt) != (frame.job, frame.attempt):
            return None
        return run


async def _drain(body: _Body) -> None:
    """Wait until all that a process sent before its end is heard: its job may be done."""
    if body.socket is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await body.read.wait()


async def _read_words(body: _Body, write: Callable[[str], None]) -> None:
    """Pass on what the worker writes to its standard error, and remember the end of it."""
    stream = body.process.stderr
    while stream is not None and (chunk := await stream.read(2**16)):
        body.words = (body.words + chunk)[-4000:]
        said = chunk.decode(errors="replace")
        write(said)
        sys.stderr.write(said)
        sys.stderr.flush()
