"""Running a graph: one function with four plugs.

`cache` remembers results under their names, `observe` hears what happens,
`stop` is asked whether to go on, `invoke` runs one node, here or elsewhere.
The graph was checked when it was parsed, so nothing is checked here but what
only a run can know: the plain values that come by wire, and what a node returns.
"""

from collections.abc import Callable, Mapping, MutableMapping

from safelight.graph.context import Surroundings
from safelight.graph.events import (
    Cached,
    Event,
    Expanded,
    Finished,
    Interrupted,
    NodeFailed,
    Previewed,
    Progress,
    Started,
    Warned,
)
from safelight.graph.node import Context, Node
from safelight.graph.running import Plugs, Run
from safelight.graph.wiring import Graph

__all__ = [
    "Cached",
    "Event",
    "Expanded",
    "Finished",
    "Interrupted",
    "NodeFailed",
    "Previewed",
    "Progress",
    "Started",
    "Surroundings",
    "Warned",
    "execute",
]


def _ignore(event: Event) -> None:
    """Hear nothing."""


def _never() -> bool:
    return False


def _here(node: Node, context: Context) -> object:
    return node.run(context)


def execute(
    graph: Graph,
    catalog: Mapping[str, type[Node]],
    surroundings: Surroundings,
    *,
    cache: MutableMapping[str, object] | None = None,
    observe: Callable[[Event], object] = _ignore,
    stop: Callable[[], bool] = _never,
    invoke: Callable[[Node, Context], object] = _here,
) -> dict[str, object]:
    """Run what the wanted nodes need and return their results by node id.

    A result is let go after its last user, unless the cache keeps it.

    Args:
        graph: As `parse` returned it.
        catalog: The node classes that the graph names.
        surroundings: What every node may ask of its context.
        cache: Remembers results between runs; None remembers nothing.
        observe: Called with each event, one at a time; those of nodes that run
            beside others come from their threads.
        stop: Asked before each node and after each tracked step.
        invoke: Runs one node and returns its result.

    Raises:
        NodeFailed: When a node raised, or its file is gone; the exception is chained.
        Interrupted: When `stop` said so.
    """
    plugs = Plugs(_Forgetful() if cache is None else cache, observe, stop, invoke)
    return Run(graph, catalog, surroundings, plugs).results()


class _Forgetful(dict[str, object]):
    """A cache that remembers nothing."""

    def __setitem__(self, name: str, value: object) -> None:
        """Let go of the value."""
