"""Putting the nodes of an expansion into the graph, and making a result of what they gave.

The nodes get ids that tell whose they are: `<node>.<call>.<expansion>.<key>`.
Their values are checked like those that come by wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from safelight.graph.book import Book
from safelight.graph.fetching import Wires
from safelight.graph.folders import Folders
from safelight.graph.kinds import Kind
from safelight.graph.node import Node
from safelight.graph.returns import Child, Expansion, Slots, links_of
from safelight.graph.values import Refused, coerced, nearest
from safelight.graph.wiring import Call, Held, Input, Link, sources

_PLAIN = (bool, int, float, str)


@dataclass(frozen=True, slots=True)
class Unfolder:
    """Takes the nodes of expansions into the book of a run."""

    catalog: Mapping[str, type[Node]]
    book: Book
    folders: Folders

    def unfold(self, key: str, call: int, count: int, expansion: Expansion) -> "Unfolded":
        """Take in the nodes of an expansion.

        Args:
            key: The node that returned it.
            call: In which of its calls.
            count: How many expansions that call has made before.
            expansion: As the node returned it.

        Raises:
            ValueError: When a class, an input or a link is none, or a value does not fit.
            NodeFailed: When a file is not there.
        """
        prefix = f"{key}.{call}.{count}."
        calls = {
            prefix + local: self._call(local, child, expansion, prefix, self.book.names[key])
            for local, child in expansion.nodes.items()
        }
        outputs = tuple(
            self._link(output, expansion, prefix) if isinstance(output, Link) else output
            for output in expansion.outputs
        )
        self.book.roots.update(dict.fromkeys(calls, key))
        self.book.adopt(_ordered(calls), (*self.book.places[key], call, count))
        effects = [each for each, call in calls.items() if self._is_effect(call)]
        return Unfolded(Expansion({}, outputs, expansion.then), calls, effects)

    def _is_effect(self, call: Call) -> bool:
        return self.book.kinds[call.node_class].node_class.effect

    def _call(self, key: str, child: Child, expansion: Expansion, prefix: str, owner: str) -> Call:
        if child.node_class not in self.catalog:
            near = nearest(child.node_class, list(self.catalog))
            raise ValueError(f"{prefix}{key}: there is no node class {child.node_class!r}{near}")
        kind = self.book.kinds[child.node_class]
        inputs: dict[str, Input] = {}
        for name, value in child.inputs.items():
            if name not in kind.inputs:
                near = nearest(name, list(kind.inputs))
                raise ValueError(f"{prefix}{key}: {child.node_class} has no input {name!r}{near}")
            if isinstance(value, Link):
                inputs[name] = self._link(value, expansion, prefix)
            elif isinstance(value, _PLAIN) and name in kind.widgets:
                inputs[name] = self._value(kind, name, value, prefix + key)
            else:
                inputs[name] = Held(value, f"{owner}/{key}/{name}")
        return Call(child.node_class, kind.node_class.version, inputs, child.title)

    def _value(self, kind: Kind, name: str, value: object, place: str) -> Input:
        try:
            return coerced(kind.widgets[name], value, self.folders)
        except Refused as refusal:
            raise ValueError(f"{place}: {name}: {refusal}") from None

    def _link(self, link: Link, expansion: Expansion, prefix: str) -> Link:
        if link.source in expansion.nodes:
            node_class = expansion.nodes[link.source].node_class
            link = Link(prefix + link.source, link.slot)
        elif link.source in self.book.calls:
            node_class = self.book.calls[link.source].node_class
        else:
            raise ValueError(f"the expansion links to {link.source!r}, which is no node")
        if node_class in self.catalog and link.slot >= len(self.book.kinds[node_class].many):
            raise ValueError(f"{link.source} ({node_class}) has no output {link.slot}")
        return link


@dataclass(frozen=True, slots=True)
class Unfolded:
    """An expansion in the graph: what is left of it, its calls, and those that must run."""

    rest: Expansion
    calls: Mapping[str, Call]
    effects: list[str]

    @property
    def awaited(self) -> list[str]:
        """The nodes that must be done before it has a result."""
        return [*self.effects, *(link.source for link in links_of(self.rest))]

    @property
    def classes(self) -> dict[str, str]:
        """The class of each of its nodes."""
        return {key: call.node_class for key, call in self.calls.items()}


def _ordered(calls: Mapping[str, Call]) -> dict[str, Call]:
    """Return the calls with sources before their users."""
    upstream = {key: [s for s in sources(call) if s in calls] for key, call in calls.items()}
    try:
        return {key: calls[key] for key in TopologicalSorter(upstream).static_order()}
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"the expansion waits for itself: {circle}") from None


def resolved(rest: Expansion, wires: Wires) -> object:
    """Return the result of an expansion all of whose links are known."""
    brought = tuple(
        wires.values(output) if isinstance(output, Link) else (output,) for output in rest.outputs
    )
    return Slots(brought) if rest.then is None else rest.then(brought)
