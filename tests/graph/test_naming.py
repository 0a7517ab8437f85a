from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pytest
from tests.graph.darkroom import NOWHERE

from safelight.graph.events import NodeFailed
from safelight.graph.folders import Folders
from safelight.graph.kinds import Kind
from safelight.graph.naming import Names
from safelight.graph.node import Context, Folder, Node, Output
from safelight.graph.wiring import Call, Graph, Input, Link


class A(Node):
    """Anything."""

    image: Annotated[str, Folder("input")]

    def run(self, ctx: Context) -> Annotated[int, Output("INT")]:
        return 0


class Kindred(dict[str, Kind]):
    """Every class is like A, or a plain one."""

    def __missing__(self, name: str) -> Kind:
        kind = Kind.of(A)
        return kind if name == "Open" else replace(kind, folders={})


def named(graph: Graph, folders: Folders, salt: str = "") -> Names:
    """The names of all results."""
    names = Names(Kindred(), folders, salt)
    for key, call in graph.calls.items():
        names.add(key, call)
    return names


def name(node_class: str = "A", version: int = 1, salt: str = "", **inputs: Input) -> str:
    """The name of the result of one node, fed by others where it has links."""
    calls = {"s": Call("S", 1, {}), "t": Call("T", 1, {}), "u": Call("S", 1, {})}
    graph = Graph({**calls, "x": Call(node_class, version, inputs)}, ("x",))
    return named(graph, NOWHERE, salt)["x"]


@pytest.mark.parametrize(
    "other",
    [
        name("B", a=1),
        name(version=2, a=1),
        name(salt="cuda", a=1),
        name(b=1),
        name(a=2),
        name(a=1.0),
        name(a=True),
        name(a="1"),
        name(a=Link("s", 0)),
        name(a=1, b=1),
        name(),
    ],
)
def test_whatever_a_result_depends_on_changes_its_name(other: str) -> None:
    """Class, version, surroundings, names of inputs, values and their exact types."""
    assert name(a=1) != other


def test_a_source_counts_by_its_own_name_and_the_slot() -> None:
    """Not by its id."""
    assert name(a=Link("s", 0)) == name(a=Link("u", 0))
    assert name(a=Link("s", 0)) != name(a=Link("t", 0))
    assert name(a=Link("s", 0)) != name(a=Link("s", 1))


def test_the_order_of_inputs_does_not_count() -> None:
    """They are known by name."""
    assert name(a=1, b=2) == name(b=2, a=1)


def test_text_cannot_be_mistaken_for_structure() -> None:
    """Nor can half a character break it."""
    assert name(a="1;b=2") != name(a="1", b=2)
    assert name(a="x';b='y") != name(a="x", b="y")
    assert name(a="\ud800") != name(a="\ud801")


def test_a_file_counts_by_its_stamp(tmp_path: Path) -> None:
    """And a file that went away is told by name."""
    folders = Folders(tmp_path)
    folders.create()
    graph = Graph({"x": Call("Open", 1, {"image": "a.png"})}, ("x",))
    names = []
    for content in (b"1", b"22"):
        (tmp_path / "input" / "a.png").write_bytes(content)
        names.append(named(graph, folders)["x"])
    assert names[0] != names[1]
    (tmp_path / "input" / "a.png").unlink()
    with pytest.raises(NodeFailed) as failed:
        named(graph, folders)
    assert str(failed.value) == "node x (Open): input: there is no file 'a.png'"
