"""The same result made in other ways: copies of a part of a graph with some values changed.

Only what stands between a changed value and the result is copied; everything
else is shared, and so is, by its name, whatever was made before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safelight.graph.returns import Child
from safelight.graph.values import nearest
from safelight.graph.wiring import Call, Graph, Held, Link, parted, sources

_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Place:
    """An input of a node, written NODE.INPUT."""

    node: str
    input: str

    @classmethod
    def of(cls, text: str, graph: Graph) -> "Place":
        """Find a place in a graph.

        Raises:
            ValueError: When there is none; what is near is named.
        """
        node, name = parted(
            text.strip(),
            lambda node, name: node in graph.calls and name in graph.calls[node].inputs,
        )
        if "." not in text:
            raise ValueError(f"{text!r} is no input; write NODE.INPUT, as 3.steps")
        if node not in graph.calls:
            raise ValueError(f"{text}: there is no node {node!r}{nearest(node, list(graph.calls))}")
        values = {k: v for k, v in graph.calls[node].inputs.items() if not isinstance(v, Held)}
        if name not in values:
            kind = graph.calls[node].node_class
            raise ValueError(f"{text}: {kind} has no value {name!r}{nearest(name, list(values))}")
        return cls(node, name)


def variations(
    graph: Graph, result: Link, settings: Sequence[Mapping[Place, str]]
) -> tuple[dict[str, Child], list[Link]]:
    """Return the nodes that make a result once for each of the settings, and where each is.

    Raises:
        ValueError: When a place has no part in the result.
    """
    upstream = _upstream(graph, result.source)
    nodes: dict[str, Child] = {}
    links: list[Link] = []
    for index, setting in enumerate(settings):
        for place in setting:
            if place.node not in upstream:
                raise ValueError(f"{place.node}.{place.input} has no part in what is compared")
        changed = _downstream(upstream, {place.node for place in setting})
        for key in changed:
            nodes[f"{index}.{key}"] = _copy(upstream[key], key, setting, changed, index)
        source = f"{index}.{result.source}" if result.source in changed else result.source
        links.append(Link(source, result.slot))
    return nodes, links


def _upstream(graph: Graph, key: str) -> dict[str, Call]:
    """Return the calls that a result is made by, sources before their users."""
    needed = {key}
    for each in reversed(list(graph.calls)):
        if each in needed:
            needed.update(sources(graph.calls[each]))
    return {each: call for each, call in graph.calls.items() if each in needed}


def _downstream(calls: Mapping[str, Call], starts: set[str]) -> set[str]:
    """Return the calls that depend on some, these included."""
    reached = set(starts)
    for key, call in calls.items():
        if not reached.isdisjoint(sources(call)):
            reached.add(key)
    return reached


def _copy(
    call: Call, key: str, setting: Mapping[Place, str], changed: set[str], index: int
) -> Child:
    inputs: dict[str, object] = {}
    for name, value in call.inputs.items():
        wanted = setting.get(Place(key, name))
        if wanted is not None:
            inputs[name] = _TRUTH.get(wanted.lower(), wanted) if type(value) is bool else wanted
        elif isinstance(value, Link) and value.source in changed:
            inputs[name] = Link(f"{index}.{value.source}", value.slot)
        else:
            inputs[name] = value.value if isinstance(value, Held) else value
    return Child(call.node_class, inputs, call.title)
