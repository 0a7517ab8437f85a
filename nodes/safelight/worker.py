"""The worker: a process that runs graphs for a server, and may die without harm.

    python -m safelight.worker --server ws://127.0.0.1:8188/internal/worker --home DIR ...

Three threads.  The main one loads the nodes (and with them torch) and runs one job at a time.
One listens to the server: jobs, and the wish to stop one.  One sends what the run reports, and a
sign of life when there is nothing to report.  When the server goes, so does the worker, at once:
whatever it was doing will be done again by another, and must not be done twice.
"""

import argparse
import contextlib
import faulthandler
import gc
import importlib
import json
import math
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from safelight.footprint import device_memory, installed_memory, room_for_weights, size_of
from safelight.graph import executor
from safelight.graph.cache import MemoryCache
from safelight.graph.catalog import Catalog
from safelight.graph.diskcache import DiskCache, TwoTiers
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.problems import Invalid
from safelight.graph.schema import Schema, describe
from safelight.graph.workflow import parse
from safelight.outbox import Outbox
from safelight.reporting import reporter
from safelight.sources import sources
from safelight_server import frames

_CACHE_SHARE = 0.4  # of the machine's memory, for results kept between jobs
_DISK_CACHE = 4 * 2**30  # bytes of results kept on disk
_OUT_OF_MEMORY = (
    "There was not enough memory. What earlier jobs left has been dropped; if it happens again, "
    "make the picture or the batch smaller."
)


@dataclass(slots=True)
class Task:
    """A job under way: what the server gave, and what it said since."""

    frame: frames.Assignment
    stopped: threading.Event
    watched: bool

    def hear(self, frame: frames.RunFrame) -> None:
        """Take what the server says of the job while it runs."""
        if isinstance(frame, frames.Cancel):
            self.stopped.set()
        elif isinstance(frame, frames.Watch):
            self.watched = frame.watched


class Worker:
    """The nodes, what is remembered between jobs, and the way to the server."""

    def __init__(self, options: argparse.Namespace, outbox: Outbox) -> None:
        self._options = options
        self._outbox = outbox
        builtin = {
            kind: {name: Path(path) for name, path in named.items()}
            for kind, named in json.loads(options.builtin).items()
        }
        self._folders = Folders(options.home, options.models, builtin)
        self._waiting: queue.SimpleQueue[Task | frames.Free] = queue.SimpleQueue()
        self._tasks: dict[tuple[str, int], Task] = {}
        self._cache: MutableMapping[str, object] = MemoryCache(options.cache_bytes, size_of)
        self._catalog, self._schema = Catalog(), Schema({}, {})
        self._device, self._precision = "cpu", "float32"

    def hear(self, text: str | bytes) -> None:
        """Take what the server says; called in the listening thread."""
        frame = frames.decode(text if isinstance(text, str) else text.decode())
        match frame:
            case frames.Assignment():
                task = Task(frame, threading.Event(), frame.watched)
                self._tasks[frame.job, frame.attempt] = task
                self._waiting.put(task)
            case frames.Free():
                self._waiting.put(frame)
            case frames.Show():
                threading.Thread(target=self._show, daemon=True).start()
            case frames.RunFrame(job=job, attempt=attempt):
                if (meant := self._tasks.get((job, attempt))) is not None:
                    meant.hear(frame)
            case _:
                pass

    def load(self) -> None:
        """Load the nodes and introduce itself; with the library, this imports torch."""
        self._catalog = _catalog(self._options.catalog)
        self._schema = describe(self._catalog)
        torch = sys.modules.get("torch")
        if torch is not None:
            from safelight.diffusion import memory

            placement = memory.choose(self._options.device, self._options.precision)
            self._device = placement.device.type
            self._precision = str(placement.dtype).removeprefix("torch.")
            room = self._options.memory_bytes
            memory.limit(room_for_weights(self._device) if room is None else room)
            self._remember_on_disk(self._options.disk_cache_bytes)
        self._outbox.put(
            frames.Hello(
                schema=self._schema.to_json(),
                device=self._device,
                precision=self._precision,
                torch=None if torch is None else str(torch.__version__),
                devices=device_memory(self._device),
            )
        )

    def _remember_on_disk(self, limit_bytes: int) -> None:
        """Keep results that are dear to make and cheap to store over restarts."""
        if limit_bytes <= 0:
            return
        from safelight.keeping import Values, build

        memory = MemoryCache(self._options.cache_bytes, size_of)
        folder = self._options.home / "cache" / "results"
        self._cache = TwoTiers(memory, DiskCache(folder, limit_bytes, Values(), build()))

    def work(self) -> None:
        """Run jobs, for ever."""
        while True:
            task = self._waiting.get()
            if isinstance(task, frames.Free):
                self._forget()
                continue
            self._outbox.put(self._outcome(task))
            del self._tasks[task.frame.job, task.frame.attempt]

    def _outcome(self, task: Task) -> frames.RunFrame:
        """Run a job to its end, whichever that is, and return it."""
        job, attempt = task.frame.job, task.frame.attempt
        try:
            self._run(task)
        except executor.Interrupted as stop:
            node_type = task.frame.prompt.get(stop.node, {}).get("class_type")
            return frames.Stopped(job, attempt, stop.node, node_type)
        except executor.NodeFailed as failure:
            return self._failure(task, failure)
        except Invalid as invalid:
            return frames.Failed(job, attempt, None, None, "Invalid", str(invalid))
        except Exception as error:  # a mistake of ours fails one job, not the worker
            lines = traceback.format_exception(error)
            kind = type(error).__name__
            return frames.Failed(job, attempt, None, None, kind, str(error), lines)
        return frames.Succeeded(job, attempt)

    def _run(self, task: Task) -> None:
        frame = task.frame
        graph = parse(frame.prompt, self._schema, self._folders, frame.targets)
        surroundings = Surroundings(
            folders=self._folders,
            metadata=frame.extra.get("extra_pnginfo") or {},
            device=self._device,
            precision=self._precision,
            looking=lambda: task.watched,
            tells=frame.extra.get("save_metadata") is not False,
        )
        execute(
            graph,
            self._catalog,
            surroundings,
            cache=self._cache,
            observe=reporter(self._outbox, frame),
            stop=task.stopped.is_set,
        )

    def _failure(self, task: Task, failure: executor.NodeFailed) -> frames.Failed:
        cause = failure.cause
        message = str(cause) or type(cause).__name__
        if isinstance(cause, MemoryError) or "OutOfMemory" in type(cause).__name__:
            message = f"{message}\n{_OUT_OF_MEMORY}"
            self._forget()
        return frames.Failed(
            job=task.frame.job,
            attempt=task.frame.attempt,
            node=failure.node,
            node_type=failure.node_class,
            exception_type=_type_name(cause),
            exception_message=message,
            traceback=traceback.format_tb(cause.__traceback__),
            current_inputs={name: [_told(value)] for name, value in failure.inputs.items()},
        )

    def _show(self) -> None:
        """Send the code behind the nodes; in a thread of its own, since jobs go on meanwhile."""
        self._outbox.put(frames.Sources(**sources(self._catalog)))

    def _forget(self) -> None:
        self._cache.clear()
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def main() -> None:
    """Serve one server until it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends us
    faulthandler.enable()  # a crash below Python says at least where it was
    options = _arguments()
    with connect(
        options.server,
        additional_headers={"Authorization": f"Bearer {os.environ.pop(frames.TOKEN_VARIABLE)}"},
        compression=None,
        max_size=None,
        proxy=None,
        ping_interval=None,
    ) as connection:
        outbox = Outbox(connection.send)
        worker = Worker(options, outbox)
        threading.Thread(target=outbox.keep_delivering, args=(_leave,), daemon=True).start()
        threading.Thread(target=_listen, args=(connection, worker.hear), daemon=True).start()
        try:
            worker.load()
            worker.work()
        except Exception:  # say why, and go before the end of the connection says that all is well
            _leave(1, traceback.format_exc())


def _listen(connection: ClientConnection, hear: Callable[[str | bytes], None]) -> None:
    """Hand on what the server says until it goes."""
    words = ""
    try:
        for message in connection:
            hear(message)
    except (ConnectionClosed, frames.FrameError) as error:
        words = f"safelight.worker: {error}\n"
    _leave(0, words)


def _leave(code: int = 0, words: str = "") -> None:
    """End the process without delay: nothing that it does is wanted any more."""
    with contextlib.suppress(OSError):  # whoever read our words may be dead
        sys.stderr.write(words)
        sys.stderr.flush()
    os._exit(code)


def _catalog(source: str | None) -> Catalog:
    """Return the nodes of a module or package, or all that are installed."""
    if source is None:
        catalog, failures = Catalog.discover()
        for name, failure in failures.items():
            print(f"safelight.worker: the package {name} is left out: {failure}", file=sys.stderr)
        return catalog
    return Catalog.of(importlib.import_module(source))


def _type_name(error: BaseException) -> str:
    kind = type(error)
    plain = kind.__module__ == "builtins"
    return kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"


def _told(value: object) -> object:
    """Return an input as JSON can tell it."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m safelight.worker", description=__doc__)
    parser.add_argument("--server", required=True, help="the server's door for workers, ws://…")
    parser.add_argument("--home", type=Path, required=True, help="the home folder")
    parser.add_argument("--models", type=Path, action="append", default=[], help="more models")
    parser.add_argument("--builtin", default="{}", help="files by kind and name, as JSON")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--memory-bytes", type=int, help="weights to keep; else most of what is")
    parser.add_argument("--catalog", help="a module of nodes, instead of all installed ones")
    share = int(_CACHE_SHARE * installed_memory())
    parser.add_argument("--cache-bytes", type=int, default=share, help="kept between jobs")
    parser.add_argument(
        "--disk-cache-bytes", type=int, default=_DISK_CACHE, help="kept over restarts; 0: nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
