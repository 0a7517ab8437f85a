"""How much the graph itself costs: microseconds per trivial node.

Run `python tests/benchmarks/executor.py`.  Aims: computed under 50, cached
under 10, and the same for 10,000 nodes as for 100.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from safelight.graph.catalog import Catalog
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import Context, Node, Output, Shown
from safelight.graph.schema import describe
from safelight.graph.workflow import parse

FOLDERS = Folders(Path("nowhere"))
REPEATS = 5


@dataclass(frozen=True)
class Number:
    """What travels on the benchmark's wires."""

    wire: ClassVar[str] = "NUMBER"
    value: int


class Start(Node):
    """Give a number."""

    value: int

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Wrap it."""
        return Number(self.value)


class Step(Node):
    """Add one."""

    a: Number
    by: int = 1

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Add."""
        return Number(self.a.value + self.by)


class Join(Node):
    """Add two numbers."""

    a: Number
    b: Number

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Add."""
        return Number(self.a.value + self.b.value)


class Show(Node):
    """Show a number."""

    effect: ClassVar[bool] = True
    a: Number

    def run(self, ctx: Context) -> Shown:
        """Show it."""
        return Shown({"numbers": [{"value": self.a.value}]})


def chain(count: int) -> dict[str, Any]:
    """Return a workflow of `count` nodes, each fed by the one before."""
    nodes: dict[str, Any] = {"0": {"class_type": "Start", "inputs": {"value": 1}}}
    for index in range(1, count - 1):
        nodes[str(index)] = {"class_type": "Step", "inputs": {"a": [str(index - 1), 0]}}
    nodes["show"] = {"class_type": "Show", "inputs": {"a": [str(count - 2), 0]}}
    return nodes


def tree(count: int) -> dict[str, Any]:
    """Return a workflow of `count` nodes in which each joins two others, and leaves differ."""
    inner = (count - 2) // 2
    nodes: dict[str, Any] = {}
    for index in range(inner):
        inputs = {"a": [str(2 * index + 1), 0], "b": [str(2 * index + 2), 0]}
        nodes[str(index)] = {"class_type": "Join", "inputs": inputs}
    for index in range(inner, 2 * inner + 1):
        nodes[str(index)] = {"class_type": "Start", "inputs": {"value": index}}
    nodes["show"] = {"class_type": "Show", "inputs": {"a": ["0", 0]}}
    return nodes


@dataclass(frozen=True)
class Row:
    """Microseconds per node of one workflow."""

    shape: str
    nodes: int
    parsed: float
    computed: float
    cached: float


def measure(shape: str, document: Mapping[str, Any]) -> Row:
    """Parse, run and run again, each several times; the fastest counts."""
    catalog = Catalog.of(Start, Step, Join, Show)
    schema = describe(catalog)
    surroundings = Surroundings(FOLDERS)
    graph = parse(document, schema, FOLDERS)
    warm: dict[str, object] = {}
    execute(graph, catalog, surroundings, cache=warm)
    return Row(
        shape,
        len(document),
        _fastest(lambda: parse(document, schema, FOLDERS)) / len(document),
        _fastest(lambda: execute(graph, catalog, surroundings, cache={})) / len(document),
        _fastest(lambda: execute(graph, catalog, surroundings, cache=warm)) / len(document),
    )


def _fastest(work: Callable[[], object]) -> float:
    """Return the microseconds of the fastest of some repeats."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds) * 1e6


def main() -> None:
    """Print the table."""
    print(f"{'shape':6} {'nodes':>6} {'parsed':>8} {'computed':>9} {'cached':>7}   us per node")
    for shape, build in (("chain", chain), ("tree", tree)):
        for count in (100, 1_000, 10_000):
            row = measure(shape, build(count))
            print(
                f"{row.shape:6} {row.nodes:6} {row.parsed:8.1f} {row.computed:9.1f}"
                f" {row.cached:7.1f}"
            )


if __name__ == "__main__":
    main()
