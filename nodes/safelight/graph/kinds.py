"""What running needs to know of a node class, read once from its annotations."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from safelight.graph.annotations import read
from safelight.graph.folders import Folders
from safelight.graph.node import Node
from safelight.graph.records import HiddenSpec, InputSpec
from safelight.graph.returns import Several

Stamp = Callable[[Mapping[str, object], Folders], str | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of nodes.

    Attributes:
        node_class: The class itself.
        renamed: The fields of inputs that are called otherwise, by the name of the input.
        gathered: The names of the inputs that a field gathers, by field.
        slots: The attributes of a result that hold the outputs; empty when it is the only one.
        many: Which outputs are lists.
        promise: The class that `run` must return an instance of, if checkable.
        inputs: The inputs by name.
        widgets: Those that are plain values, which may also come by wire.
        whole: Those that take a list at once.
        lazy: Those made on demand.
        raw: Those that take the wire itself.
        folders: Those that name files, and of which kind.
        hidden: What the executor tells a node.
        stamp: What else its results depend on; None when nothing.
        asynchronous: Whether `run` is a coroutine.
        effect: Whether it shows or saves something, so that equal nodes all run.
        aside: Whether other nodes go on while it runs.
        simple: Whether a call needs no more than one value for each input.
    """

    node_class: type[Node]
    renamed: Mapping[str, str]
    gathered: Mapping[str, tuple[str, ...]]
    slots: tuple[str, ...]
    many: tuple[bool, ...]
    promise: type | None
    inputs: Mapping[str, InputSpec]
    widgets: Mapping[str, InputSpec]
    whole: frozenset[str]
    lazy: frozenset[str]
    raw: frozenset[str]
    folders: Mapping[str, str]
    hidden: tuple[HiddenSpec, ...]
    stamp: Stamp | None
    asynchronous: bool
    effect: bool
    aside: bool
    simple: bool

    @classmethod
    def of(cls, node_class: type[Node]) -> "Kind":
        """Read a class."""
        reading = read(node_class)
        spec = reading.spec
        asynchronous = inspect.iscoroutinefunction(node_class.run)
        special = any(entry.many or entry.lazy or entry.raw for entry in spec.inputs)
        aside = asynchronous or node_class.beside
        stamped = getattr(node_class.stamp, "__func__", None) is not _NO_STAMP
        return cls(
            node_class=node_class,
            renamed=reading.renamed,
            gathered=reading.gathered,
            slots=reading.slots,
            many=tuple(entry.many for entry in spec.outputs),
            promise=reading.promise,
            inputs=spec.by_name,
            widgets={entry.name: entry for entry in spec.inputs if not entry.socket},
            whole=frozenset(entry.name for entry in spec.inputs if entry.many),
            lazy=frozenset(entry.name for entry in spec.inputs if entry.lazy),
            raw=frozenset(entry.name for entry in spec.inputs if entry.raw),
            folders={entry.name: entry.folder for entry in spec.inputs if entry.folder},
            hidden=spec.hidden,
            stamp=node_class.stamp if stamped else None,
            asynchronous=asynchronous,
            effect=node_class.effect,
            aside=aside,
            simple=not (special or aside or spec.hidden),
        )

    def node(self, inputs: Mapping[str, object]) -> Node:
        """Return a node with inputs as workflows name them."""
        if not (self.renamed or self.gathered):
            return self.node_class(**inputs)
        given = {entry.name: entry.default for entry in self.inputs.values() if entry.omissible}
        fields: dict[str, object] = {
            self.renamed.get(name, name): value for name, value in (given | dict(inputs)).items()
        }
        for field, names in self.gathered.items():
            fields[field] = {name: fields.pop(name) for name in names}
        return self.node_class(**fields)

    def told(self, kind: str) -> bool:
        """Whether the executor tells it that."""
        return any(entry.kind == kind for entry in self.hidden)

    def holds(self, result: object) -> bool:
        """Whether a remembered result is still good."""
        if isinstance(result, Several):
            return all(self.node_class.holds(each) for each in result.results)
        return self.node_class.holds(result)


_NO_STAMP = getattr(Node.stamp, "__func__", None)


class Kinds(dict[str, Kind]):
    """Kinds by name of class, read when first asked for."""

    def __init__(self, catalog: Mapping[str, type[Node]]) -> None:
        super().__init__()
        self._catalog = catalog

    def __missing__(self, name: str) -> Kind:
        kind = self[name] = Kind.of(self._catalog[name])
        return kind
