"""Finding node classes: in modules, in packages, by entry point.

A package of nodes announces itself in its pyproject.toml:

    [project.entry-points."safelight.nodes"]
    my_nodes = "my_package.nodes"
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from types import ModuleType

from safelight.graph.node import Node, NodeDefinitionError, name_of

GROUP = "safelight.nodes"


class Catalog(Mapping[str, type[Node]]):
    """Node classes by name. Two classes of one name are an error."""

    def __init__(self, classes: Sequence[type[Node]] = ()) -> None:
        self._classes: dict[str, type[Node]] = {}
        for node_class in classes:
            name = name_of(node_class)
            other = self._classes.setdefault(name, node_class)
            if other is not node_class:
                raise NodeDefinitionError(
                    f"{name} is defined twice: in {other.__module__} and in {node_class.__module__}"
                )

    @classmethod
    def of(cls, *sources: ModuleType | type[Node]) -> "Catalog":
        """Collect classes: those given, those of given modules, those of given packages.

        Raises:
            NodeDefinitionError: When two classes have one name.
        """
        return cls([found for source in sources for found in _classes_in(source)])

    @classmethod
    def discover(
        cls, first: Sequence[str] = ("safelight.library",)
    ) -> tuple["Catalog", Mapping[str, Exception]]:
        """Collect the modules named in `first`, then every installed package of nodes.

        A package that fails to load, or repeats a name, is left out.

        Returns:
            The catalog, and the failures by name of package.

        Raises:
            ImportError: When a module of `first` cannot be imported.
        """
        catalog = cls.of(*map(importlib.import_module, first))
        failures: dict[str, Exception] = {}
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            if entry.value in first:
                continue
            try:
                found = cls.of(entry.load())
                catalog = cls([*catalog.values(), *found.values()])
            except Exception as failure:  # whatever a stranger's package does, the rest loads
                failures[entry.name] = failure
        return catalog, failures

    def __getitem__(self, name: str) -> type[Node]:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


def _classes_in(source: ModuleType | type[Node]) -> Iterator[type[Node]]:
    """Yield the node classes that a module or package itself defines."""
    if isinstance(source, type):
        yield source
        return
    for value in vars(source).values():
        if _is_node(value) and value.__module__ == source.__name__:
            yield value
    for entry in pkgutil.iter_modules(getattr(source, "__path__", ()), f"{source.__name__}."):
        if not entry.name.rpartition(".")[2].startswith("_"):
            yield from _classes_in(importlib.import_module(entry.name))


def _is_node(value: object) -> bool:
    """Whether it is a whole node class, rather than a base shared by some."""
    return (
        inspect.isclass(value)
        and issubclass(value, Node)
        and value.run is not Node.run
        and not value.__name__.startswith("_")
    )
