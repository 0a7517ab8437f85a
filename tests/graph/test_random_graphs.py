from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.abacus import shown
from tests.graph.darkroom import node

# A graph: for each node its class, and the sources that it may draw from (taken modulo those
# before it), so that every list of these is a graph without circles.
PARTS = st.lists(
    st.tuples(
        st.sampled_from(["Number", "Upto", "Add", "Sum", "Choose", "Gate", "Tenfold", "Countdown"]),
        st.integers(0, 99),
        st.integers(0, 99),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)
BLOCKED = object()


def built(parts: list[tuple[str, int, int, int]]) -> dict[str, Any]:
    """The workflow that the parts stand for; every node is looked at."""
    nodes: dict[str, Any] = {"0": node("Number", value=1)}
    for index, (kind, a, b, value) in enumerate(parts, 1):
        one, two = ([str(source % index), 0] for source in (a, b))
        inputs: dict[str, dict[str, Any]] = {
            "Number": {"value": value},
            "Upto": {"below": value},
            "Add": {"a": one, "b": two},
            "Sum": {"numbers": one},
            "Choose": {"first": one, "second": two, "which": ("first", "second")[value % 2]},
            "Gate": {"number": one, "most": value},
            "Tenfold": {"number": one},
            "Countdown": {"number": value, "steps": one},
        }
        nodes[str(index)] = node(kind, **inputs[kind])
    looks = {f"look{key}": node("Look", number=[key, 0]) for key in nodes}
    return {**nodes, **looks}


def naive(nodes: Mapping[str, Any], key: str) -> list[Any]:
    """The values that a node gives, by the definition: everything anew for each question."""
    kind, inputs = nodes[key]["class_type"], nodes[key]["inputs"]
    columns = {
        name: naive(nodes, value[0]) if isinstance(value, list) else [value]
        for name, value in inputs.items()
        if not (kind == "Choose" and name not in ("which", inputs["which"]))
    }
    if kind == "Sum":
        columns = {"numbers": [columns["numbers"]]}
    if kind == "Tenfold":
        doubled: list[Any] = [v if v is BLOCKED else 2 * v for v in columns["number"]]
        return [BLOCKED if BLOCKED in doubled else 5 * sum(doubled)]
    count = 0 if not all(columns.values()) else max(map(len, columns.values()))
    given: list[Any] = []
    for row in range(count):
        values = {name: column[min(row, len(column) - 1)] for name, column in columns.items()}
        blocked = any(v is BLOCKED for v in values.values())
        if kind == "Sum":
            blocked = BLOCKED in values["numbers"]
        given += [BLOCKED] if blocked else one_call(kind, values)
    return given


def one_call(kind: str, values: Mapping[str, Any]) -> list[Any]:
    """What one call of a node gives."""
    match kind:
        case "Number":
            return [values["value"]]
        case "Upto":
            return list(range(values["below"]))
        case "Add":
            return [values["a"] + values["b"]]
        case "Sum":
            return [sum(values["numbers"])]
        case "Choose":
            return [values[values["which"]] or 0]
        case "Gate":
            return [values["number"] if values["number"] <= values["most"] else BLOCKED]
        case _:
            return [values["steps"] + values["number"]]


def looked(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """What each look sees, by the definition."""
    sights: dict[str, Any] = {}
    for key in (key for key in nodes if key.startswith("look")):
        values = [v for v in naive(nodes, nodes[key]["inputs"]["number"][0]) if v is not BLOCKED]
        sights[key] = {"numbers": [{"number": value} for value in values]} if values else {}
    return sights


@settings(deadline=None, max_examples=100)
@given(PARTS)
def test_every_graph_gives_what_its_definition_says(parts: list[tuple[str, int, int, int]]) -> None:
    """Without a cache, filling one, out of it, and with half of it gone."""
    nodes = built(parts)
    expected = looked(nodes)
    assert shown(nodes) == expected
    cache: dict[str, object] = {}
    assert shown(nodes, cache=cache) == expected
    assert shown(nodes, cache=cache) == expected
    for name in sorted(cache)[::2]:
        del cache[name]
    assert shown(nodes, cache=cache) == expected
