"""What a run reports while it goes on, and the two ways in which it ends early."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from safelight.graph.node import Shown


@dataclass(frozen=True, slots=True)
class Cached:
    """The first event: these nodes have remembered results, whether needed or not."""

    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """A node begins to run."""

    node: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A node did `value` of `total` steps."""

    node: str
    value: int
    total: int


@dataclass(frozen=True, slots=True)
class Previewed:
    """A node shows an unfinished picture."""

    node: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """A needed node has its result, computed in `seconds` or remembered.

    `shown` is what an effect node tells the user.
    """

    node: str
    cached: bool
    shown: Shown | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Expanded:
    """A node has put further nodes in its place: their ids, and the class of each."""

    node: str
    children: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Warned:
    """A node was not called, since a wire brought no value, and this is why."""

    node: str
    reason: str


Event: TypeAlias = Cached | Started | Progress | Previewed | Finished | Expanded | Warned


class Interrupted(Exception):
    """The run was stopped before or in the node `node`."""

    def __init__(self, node: str) -> None:
        super().__init__(f"stopped at node {node}")
        self.node = node


class NodeFailed(Exception):
    """A node raised `cause`, which is also chained.

    `inputs` are its plain inputs; what came by other wires is given by type.
    When a node of an expansion fails, `within` tells which, and `node` is the
    one of the graph that it stands for.
    """

    def __init__(
        self,
        node: str,
        node_class: str,
        cause: Exception,
        inputs: Mapping[str, object],
        within: str = "",
    ) -> None:
        place = f" in {within}" if within else ""
        words = str(cause) or type(cause).__name__
        super().__init__(f"node {node} ({node_class}){place}: {words}")
        self.node = node
        self.node_class = node_class
        self.cause = cause
        self.inputs = inputs
        self.within = within
