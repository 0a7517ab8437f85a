"""What the command line does without a server: run, check, convert, explain.

Each command returns the exit code of the process: 0 done, 1 the run failed, 2 the command
or the workflow is wrong.  Results go to standard output, everything else to standard error.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from safelight.footprint import room_for_weights
from safelight.graph.catalog import Catalog
from safelight.graph.comfy import Format
from safelight.graph.convert import converted
from safelight.graph.events import Event, Finished, Interrupted, NodeFailed, Started
from safelight.graph.events import Progress as Stepped
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import FolderError, Folders
from safelight.graph.node import Shown
from safelight.graph.problems import Invalid
from safelight.graph.schema import Schema, describe
from safelight.graph.workflow import Graph, apply_settings, parse

DONE, FAILED, WRONG = 0, 1, 2
LARGEST_DOCUMENT = 64 * 2**20  # bytes; a workflow of 10,000 nodes has about 5 million

_console = Console(stderr=True, highlight=False)


class DocumentError(ValueError):
    """A file holds no workflow; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and in what to compute, as the user asked for it."""

    device: str
    precision: str
    memory_bytes: int | None = None  # for weights; else most of what the device has
    tells: bool = True  # files how they were made


def read_document(path: Path) -> object:
    """Read a workflow: a JSON file, or a picture that carries one.

    Raises:
        DocumentError: there is no such file, or no workflow in it.
    """
    try:
        if path.stat().st_size > LARGEST_DOCUMENT:
            raise DocumentError(f"{path} is larger than {LARGEST_DOCUMENT >> 20} MB")
        content = path.read_bytes()
    except IsADirectoryError:
        raise DocumentError(f"{path} is a folder, not a workflow") from None
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error
    if content.startswith(b"\x89PNG"):
        content = _carried(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is not JSON: {error}") from error


def _carried(path: Path) -> bytes:
    """Return the workflow that a PNG carries, or else its prompt, or how it says it was made."""
    with Image.open(path) as picture:
        texts = {**picture.info}
    for key in ("workflow", "prompt"):
        if isinstance(texts.get(key), str):
            return str(texts[key]).encode()
    if isinstance(texts.get("parameters"), str):
        return json.dumps(texts["parameters"]).encode()
    raise DocumentError(f"{path} is a picture without a workflow in it")


def load_library() -> tuple[Catalog, Schema]:
    """Import the node classes, telling of packages that would not load."""
    catalog, failures = Catalog.discover()
    for name, failure in failures.items():
        _complain(f"The node package {name} was left out: {failure}")
    return catalog, describe(catalog)


def check(path: Path, settings: Mapping[str, str], folders: Folders) -> int:
    """Say everything that is wrong with a workflow, or that it is sound."""
    _, schema = load_library()
    graph = _parsed(path, settings, schema, folders)
    if graph is None:
        return WRONG
    print(f"{path}: {len(graph.calls)} nodes, no mistakes")
    return DONE


def convert(path: Path, target: Path | None, kind: Format) -> int:
    """Write a workflow in another format, telling what had to be guessed."""
    _, schema = load_library()
    try:
        result = converted(read_document(path), schema, kind)
        text = json.dumps(result.document, indent=2, ensure_ascii=False) + "\n"
        if target is None:
            print(text, end="")
        else:
            target.write_text(text, encoding="utf-8")
    except (DocumentError, Invalid) as error:
        _complain(str(error))
        return WRONG
    except OSError as error:
        _complain(f"{target} cannot be written: {error.strerror}")
        return FAILED
    for guess in result.guesses:
        _complain(guess)
    return DONE


def explain(names: Sequence[str]) -> int:
    """List the nodes there are, or explain one."""
    _, schema = load_library()
    if not names:
        for name, spec in sorted(
            schema.nodes.items(), key=lambda item: (item[1].category, item[0])
        ):
            print(f"{spec.category:<18} {name:<26} {spec.title}")
        return DONE
    unknown = [name for name in names if name not in schema.nodes]
    if unknown:
        _complain(f"There is no node {unknown[0]}; `safelight nodes` lists them all.")
        return WRONG
    print("\n\n".join(schema.manual(name) for name in names))
    return DONE


def run(
    path: Path,
    settings: Mapping[str, str],
    folders: Folders,
    machine: Machine,
    *,
    as_json: bool,
) -> int:
    """Run a workflow here and name the pictures it made."""
    catalog, schema = load_library()
    graph = _parsed(path, settings, schema, folders)
    if graph is None:
        return WRONG
    document = apply_settings(read_document(path), settings, schema)
    surroundings = _surroundings(document, folders, machine)
    if surroundings is None:
        return WRONG
    began = time.monotonic()
    try:
        with _Report(graph, quiet=as_json) as report:
            results = execute(graph, catalog, surroundings, observe=report.hear)
    except NodeFailed as failure:
        _complain(str(failure))
        return FAILED
    except (KeyboardInterrupt, Interrupted):
        _complain("Stopped.")
        return FAILED
    files = [_place(folders, record) for record in _records(results)]
    if as_json:
        seconds = round(time.monotonic() - began, 3)
        print(json.dumps({"files": files, "seconds": seconds, "prompt": graph.prompt()}))
    else:
        print("\n".join(files))
    return DONE


def _parsed(
    path: Path, settings: Mapping[str, str], schema: Schema, folders: Folders
) -> Graph | None:
    """Read and check a workflow, or complain of all that is wrong with it."""
    try:
        return parse(apply_settings(read_document(path), settings, schema), schema, folders)
    except DocumentError as error:
        _complain(str(error))
    except Invalid as error:
        _complain(f"{path} cannot run:")
        for problem in error.problems:
            wish = f" ({problem.details})" if problem.details else ""
            _complain(f"  {problem}{wish}")
    return None


def _surroundings(
    document: Mapping[str, object], folders: Folders, machine: Machine
) -> Surroundings | None:
    """Settle on a device and a precision, or complain that they are not to be had."""
    from safelight.diffusion import memory  # imports torch: not before it is needed

    try:
        place = memory.choose(machine.device, machine.precision)
    except ValueError as error:
        _complain(str(error))
        return None
    room = machine.memory_bytes
    memory.limit(room_for_weights(place.device.type) if room is None else room)
    precision = next(name for name, dtype in memory.FORMATS.items() if dtype == place.dtype)
    metadata = {"workflow": document} if "safelight" in document else {}
    return Surroundings(
        folders,
        metadata,
        place.device.type,
        precision,
        looking=lambda: False,
        tells=machine.tells,
    )


def _records(results: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return the files that the effect nodes wrote, in order."""
    shown = (result.ui for result in results.values() if isinstance(result, Shown))
    return [record for ui in shown for record in ui.get("images", [])]


def _place(folders: Folders, record: Mapping[str, object]) -> str:
    """Return the path of a written file."""
    name = f"{record['subfolder']}/{record['filename']}".lstrip("/")
    try:
        return str(folders.resolve(str(record["type"]), name).resolve())
    except FolderError:
        return name  # somebody was quicker to move it away


def _complain(text: str) -> None:
    _console.print(escape(text), soft_wrap=True)


class _Report:
    """A progress bar that follows a run, one line for the node at work."""

    def __init__(self, graph: Graph, *, quiet: bool) -> None:
        self._graph = graph
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=_console,
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "_Report":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def hear(self, event: Event) -> None:
        """Show what the executor reports."""
        match event:
            case Started(node):
                call = self._graph.calls[node]
                self._bar.reset(self._task, description=call.title or call.node_class, total=None)
            case Stepped(_, value, total):
                self._bar.update(self._task, completed=value, total=total)
            case Finished():
                self._bar.update(self._task, completed=1, total=1)
            case _:
                pass
