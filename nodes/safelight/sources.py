"""The code behind each node class: its own file, and the files of the course that it runs.

Nothing is hidden: the canvas opens a node on its source.  What a class runs is found by reading,
not by running.  From the body of its `run`, then from the rest of the class, every name that
stands for something of the same package is followed to where it is defined; what lies in the
class's own folder is glue and is followed on, anything else is a place worth reading.  A file
lists the names that it has from other files, so that a reader can follow them too.

Only files of the packages of the nodes themselves are told, never any other of this machine.
"""

import ast
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# What nodes are written in and where weights lie, not what nodes do.
_MACHINERY = ("safelight.graph", "safelight.diffusion.memory")

Definition = ast.stmt


@dataclass(frozen=True)
class Place:
    """Something that a package defines: a top-level name of a module."""

    module: str
    name: str


class Library:
    """Modules of the packages of nodes, read once each."""

    def __init__(self) -> None:
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> "Module | None":
        """Return a module, or `None` where there is none to read."""
        if name not in self._modules:
            self._modules[name] = _open(name)
        return self._modules[name]

    def find(self, module: str, dotted: str) -> Place | None:
        """Follow a name as `module` writes it, over imports, to where it is defined."""
        seen: set[tuple[str, str]] = set()
        while (module, dotted) not in seen:
            seen.add((module, dotted))
            here = self.module(module)
            first, _, rest = dotted.partition(".")
            if here is None:
                return None
            if first in here.definitions:
                return Place(module, first)
            if first not in here.imports:
                return None
            module, dotted = here.imports[first]
            if not dotted or self.module(f"{module}.{dotted}") is not None:
                module = f"{module}.{dotted}" if dotted else module
                dotted = rest
                if not dotted:
                    return None
        return None

    def runs(self, start: Place) -> list[Place]:
        """Return what a class runs outside its own folder, in the order in which it is met."""
        glue = start.module.rpartition(".")[0] or start.module
        found: dict[Place, None] = {}
        seen, waiting = {start}, deque([start])
        while waiting:
            at = waiting.popleft()
            here = self.module(at.module)
            if here is None:
                continue
            for dotted in _names(here.definitions[at.name]):
                place = self.find(at.module, dotted)
                if place is None or place in seen or _is_machinery(place.module):
                    continue
                seen.add(place)
                if place.module == glue or place.module.startswith(f"{glue}."):
                    waiting.append(place)
                else:
                    found[place] = None
        return list(found)


@dataclass(frozen=True)
class Module:
    """A module as it is written."""

    name: str
    file: str
    text: str
    tree: ast.Module

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        """What it defines at its top, by name."""
        return {name: node for node in self.tree.body for name in _defined(node)}

    @cached_property
    def imports(self) -> Mapping[str, tuple[str, str]]:
        """Names that it has from its own package: of which module, and under what name there."""
        root = self.name.partition(".")[0]
        found: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                source = _absolute(self, node)
                if source.partition(".")[0] == root:
                    found |= {each.asname or each.name: (source, each.name) for each in node.names}
        return found

    def line(self, name: str) -> int:
        """Return where a definition begins, from 1."""
        node = self.definitions[name]
        decorators = getattr(node, "decorator_list", [])
        return min([node.lineno, *(each.lineno for each in decorators)])


def sources(classes: Mapping[str, type]) -> dict[str, Any]:
    """Return the code behind node classes, given by the names of nodes, as JSON values.

    `nodes` tells for each its `file`, the `line` where it begins, and the `course`: other
    files with the names that it runs.  `files` are all that can be reached, by path inside their
    package: `text`, and `names` with file and line of what they have from one another.
    """
    library = Library()
    nodes: dict[str, Any] = {}
    waiting: deque[str] = deque()
    for name, node_class in classes.items():
        own = library.module(node_class.__module__)
        if own is not None and node_class.__name__ in own.definitions:
            start = Place(own.name, node_class.__name__)
            course = _by_file(library, library.runs(start))
            nodes[name] = {"file": own.file, "line": own.line(start.name), "course": course}
            waiting.append(own.name)
    return {"nodes": nodes, "files": _reachable(library, waiting)}


def _reachable(library: Library, waiting: deque[str]) -> dict[str, Any]:
    """Return the files of these modules and of all that they import, from one to the next."""
    files: dict[str, Any] = {}
    while waiting:
        module = library.module(waiting.popleft())
        if module is None or module.file in files:
            continue
        names: dict[str, Any] = {}
        for name in module.imports:
            place = library.find(module.name, name)
            target = place and library.module(place.module)
            if place and target:
                names[name] = [target.file, target.line(place.name)]
                waiting.append(target.name)
        for source, name in module.imports.values():
            waiting.extend((source, f"{source}.{name}"))
        files[module.file] = {"text": module.text, "names": names}
    return files


def _by_file(library: Library, places: Iterable[Place]) -> list[dict[str, Any]]:
    told: dict[str, dict[str, Any]] = {}
    for place in places:
        module = library.module(place.module)
        if module is not None:
            first = {"file": module.file, "line": module.line(place.name), "names": []}
            told.setdefault(module.file, first)["names"].append(place.name)
    return list(told.values())


def _open(name: str) -> Module | None:
    """Read a module that lies inside the package whose name it bears."""
    path = _path(name)
    folder = next((each for each in _roots(name) if path and path.is_relative_to(each)), None)
    if path is None or path.suffix != ".py" or folder is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
        return Module(name, path.relative_to(folder.parent).as_posix(), text, ast.parse(text))
    except (OSError, ValueError, SyntaxError):  # what cannot be read cannot be shown
        return None


def _roots(name: str) -> list[Path]:
    """Return the folders of the package that a module belongs to, or the module by itself."""
    root = sys.modules.get(name.partition(".")[0])
    if root is None:
        return []
    folders = list(getattr(root, "__path__", ())) or [getattr(root, "__file__", None)]
    return [Path(each).resolve() for each in folders if each is not None]


def _path(name: str) -> Path | None:
    """Return the file of a module, loading nothing that is not loaded."""
    origin = getattr(sys.modules.get(name), "__file__", None)
    parent = name.rpartition(".")[0]
    if origin is None and hasattr(sys.modules.get(parent), "__path__"):
        spec = find_spec(name)
        origin = None if spec is None else spec.origin
    return None if origin is None else Path(origin).resolve()


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    """Return the module that an import names, with the leading dots resolved."""
    if node.level == 0:
        return node.module or ""
    package = module.name.split(".")
    if not module.file.endswith("/__init__.py"):
        package = package[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def _defined(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign():
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case _:
            pass


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a definition uses, dotted where it takes parts; what runs, first."""
    if isinstance(node, ast.ClassDef):
        ordered = sorted(node.body, key=lambda each: getattr(each, "name", "") != "run")
        for each in (*ordered, *node.bases, *node.decorator_list):
            yield from _names(each)
    elif isinstance(node, ast.FunctionDef):
        for statement in (*node.body, node.args, *([node.returns] if node.returns else [])):
            yield from _names(statement)
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute) and (dotted := _dotted(node)):
        yield dotted
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)


def _dotted(node: ast.Attribute) -> str:
    parts = [node.attr]
    inner: ast.expr = node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    return ".".join([inner.id, *reversed(parts)]) if isinstance(inner, ast.Name) else ""


def _is_machinery(module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in _MACHINERY)
