"""Subgraphs and reroutes of our own documents: laid flat before anything runs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.darkroom import NOWHERE, SCHEMA

from safelight.graph.convert import converted, to_document, to_ui
from safelight.graph.problems import Invalid
from safelight.graph.settings import apply_settings
from safelight.graph.wiring import Link
from safelight.graph.workflow import parse

END = {"name": "paper", "type": "PAPER"}
HANG = {"class_type": "Hang", "inputs": {"paper": ["5", 0], "name": "sheet"}}


def darkening(**more: Any) -> dict[str, Any]:
    """A definition: darken what comes in by what the instance says, then by 10."""
    return {
        "name": "Twice",
        "inputs": [END, {"name": "by", "type": "INT", "default": 2}],
        "outputs": [END],
        "nodes": {
            "in": {"class_type": "inputs:twice"},
            "out": {"class_type": "outputs:twice", "inputs": {"paper": ["2", 0]}},
            "1": {"class_type": "Darken", "inputs": {"paper": ["in", 0], "by": ["in", 1]}},
            "2": {"class_type": "Darken", "inputs": {"paper": ["1", 0], "by": 10}},
        },
        **more,
    }


def sheet(*, subgraphs: dict[str, Any] | None = None, **nodes: Any) -> dict[str, Any]:
    """A document that hangs up what node 5 gives."""
    return {
        "safelight": 1,
        "nodes": {"1": {"class_type": "TakePaper", "inputs": {"grey": 3}}, "9": HANG, **nodes},
        "subgraphs": {"twice": darkening()} if subgraphs is None else subgraphs,
    }


def twice(mode: str = "always", kind: str = "twice", **inputs: Any) -> dict[str, Any]:
    """An instance."""
    own = {"paper": ["1", 0], **inputs}
    return {"class_type": f"subgraph:{kind}", "inputs": own, "_meta": {"mode": mode}}


def calls(document: dict[str, Any], targets: Any = None) -> dict[str, Any]:
    """The inputs of all that would run, by node."""
    graph = parse(document, SCHEMA, NOWHERE, targets)
    return {key: entry["inputs"] for key, entry in graph.prompt().items()}


def refused(document: dict[str, Any]) -> str:
    """Why it cannot run."""
    with pytest.raises(Invalid) as caught:
        parse(document, SCHEMA, NOWHERE)
    return str(caught.value)


def test_an_instance_becomes_its_parts() -> None:
    """With its own values; what it does not say is as in the definition."""
    assert calls(sheet(**{"5": twice(by=7)})) == {
        "1": {"grey": 3},
        "5:1": {"paper": ["1", 0], "by": 7},
        "5:2": {"paper": ["5:1", 0], "by": 10},
        "9": {"paper": ["5:2", 0], "name": "sheet"},
    }
    assert calls(sheet(**{"5": twice()}))["5:1"]["by"] == 2


def test_two_instances_have_values_of_their_own() -> None:
    """One after the other."""
    found = calls(sheet(**{"4": twice(by=1), "5": twice(by=8) | {"inputs": {"paper": ["4", 0]}}}))
    assert found["4:1"] == {"paper": ["1", 0], "by": 1}
    assert found["5:1"] == {"paper": ["4:2", 0], "by": 2}


def test_subgraphs_lie_within_subgraphs() -> None:
    """A wire goes in and out of both; ids name the whole way."""
    outer = darkening()
    outer["nodes"]["2"] = {
        "class_type": "subgraph:twice",
        "inputs": {"paper": ["1", 0], "by": ["in", 1]},
    }
    found = calls(
        sheet(subgraphs={"outer": outer, "twice": darkening()}, **{"5": twice(kind="outer", by=6)})
    )
    assert found["5:2:1"] == {"paper": ["5:1", 0], "by": 6}
    assert found["9"]["paper"] == ["5:2:2", 0]


def test_a_wire_may_go_straight_through() -> None:
    """From the entrance to the exit."""
    through = darkening()
    through["nodes"]["out"]["inputs"] = {"paper": ["in", 0]}
    assert calls(sheet(subgraphs={"twice": through}, **{"5": twice()}))["9"]["paper"] == ["1", 0]


def test_a_bypassed_instance_hands_on_what_fits() -> None:
    """And nothing in it runs."""
    assert set(calls(sheet(**{"5": twice("bypass")}))) == {"1", "9"}


def test_a_muted_instance_gives_nothing() -> None:
    """Whoever needs it is told which part was muted."""
    assert "paper: is missing, since node 5:2 is muted" in refused(sheet(**{"5": twice("mute")}))
    through = darkening()
    through["nodes"]["out"]["inputs"] = {"paper": ["in", 0]}
    document = sheet(subgraphs={"twice": through}, **{"5": twice("mute")})
    assert refused(document) == "node 9 (Hang): paper: is missing"


def test_mistakes_name_the_part() -> None:
    """By the whole way to it."""
    wrong = darkening()
    wrong["nodes"]["2"]["inputs"]["by"] = "much"
    unfed = sheet(subgraphs={"twice": wrong}, **{"5": twice()})
    del unfed["nodes"]["5"]["inputs"]["paper"]
    assert refused(unfed).splitlines() == [
        "node 5:1 (Darken): paper: is missing",
        "node 5:2 (Darken): by: want a whole number, got 'much'",
    ]


def test_a_run_up_to_an_instance_runs_what_shows_in_it() -> None:
    """Its effect nodes, and no others."""
    showing = darkening()
    showing["nodes"]["3"] = {"class_type": "Hang", "inputs": {"paper": ["1", 0], "name": "s"}}
    document = sheet(subgraphs={"twice": showing}, **{"5": twice()})
    assert set(calls(document, ["5"])) == {"1", "5:1", "5:3"}
    assert set(calls(document)) == {"1", "5:1", "5:2", "5:3", "9"}


def test_an_unknown_subgraph_is_named() -> None:
    """As an unknown class is."""
    document = sheet(subgraphs={}, **{"5": twice()})
    assert "node 5 (subgraph:twice): there is no node class 'subgraph:twice'" in refused(document)


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (5, "the subgraph 'twice' has no nodes by id"),
        ({"nodes": []}, "the subgraph 'twice' has no nodes by id"),
        (
            darkening(inputs=["paper"]),
            'inputs of the subgraph \'twice\' must be a list of objects with a "name" and a "type"',
        ),
        (
            darkening(nodes={"1": {"class_type": "subgraph:twice"}}),
            "the subgraph 'Twice' contains itself",
        ),
    ],
)
def test_a_definition_that_cannot_be_is_refused(definition: Any, reason: str) -> None:
    """With its name."""
    assert refused(sheet(subgraphs={"twice": definition}, **{"5": twice()})) == reason


def test_two_parts_of_one_name_are_refused() -> None:
    """A file may hold a node that is called as a part will be."""
    document = sheet(**{"5": twice(), "5:1": {"class_type": "TakePaper"}})
    assert refused(document) == "two nodes are called '5:1'"


def corner(source: str) -> dict[str, Any]:
    """A reroute."""
    return {"class_type": "Reroute", "inputs": {"value": [source, 0]}}


def test_reroutes_are_corners_of_a_wire() -> None:
    """However many; past them, a bypassed node hands on what the wire's end wants."""
    chain = {str(key): corner(str(key - 1)) for key in range(101, 2_000)}
    document = sheet(**{**chain, "100": corner("1"), "5": corner("1999")})
    assert calls(document)["9"]["paper"] == ["1", 0]
    past = {"class_type": "Darken", "inputs": {"paper": ["1", 0]}, "_meta": {"mode": "bypass"}}
    assert calls(sheet(**{"4": past, "5": corner("4")}))["9"]["paper"] == ["1", 0]


def test_reroutes_that_lead_nowhere_bring_nothing() -> None:
    """Alone, or in a circle."""
    lone = refused(sheet(**{"5": {"class_type": "Reroute"}}))
    assert lone == "node 9 (Hang): paper: is missing"
    assert refused(sheet(**{"4": corner("5"), "5": corner("4")})) == lone


def test_a_value_of_an_instance_is_set_from_outside() -> None:
    """By node and input, or by a parameter; text is read as the part wants it."""
    document = sheet(**{"5": twice()})
    document["parameters"] = {"depth": {"node": "5", "input": "by"}}
    for name in ("5.by", "depth"):
        assert calls(apply_settings(document, {name: "9"}, SCHEMA))["5:1"]["by"] == 9
    with pytest.raises(Invalid, match=r"5\.bye: the subgraph has no value 'bye'"):
        apply_settings(document, {"5.bye": 1}, SCHEMA)


@pytest.mark.parametrize("kind", ["api", "ui"])
def test_subgraphs_are_laid_flat_for_others(kind: Any) -> None:
    """What comes out runs the same, up to the names of nodes."""
    document = sheet(**{"4": corner("1"), "5": twice(by=7) | {"inputs": {"paper": ["4", 0]}}})
    result = converted(document, SCHEMA, kind).document
    assert "subgraph" not in str(result)
    values = [list(call.inputs.values()) for call in parse(result, SCHEMA, NOWHERE).calls.values()]
    wanted = parse(document, SCHEMA, NOWHERE).calls.values()
    numbers = [[value for value in row if not isinstance(value, Link)] for row in values]
    assert numbers == [
        [value for value in call.inputs.values() if not isinstance(value, Link)] for call in wanted
    ]


def test_reroutes_alone_stay_boxes_in_a_file_for_others() -> None:
    """And come back as they were."""
    document = sheet(subgraphs={}, **{"4": corner("1"), "5": corner("4")})
    ui = to_ui(document, SCHEMA)
    assert [box["type"] for box in ui["nodes"]].count("Reroute") == 2
    nodes = to_document(ui, SCHEMA).document["nodes"]
    assert {key: nodes[key]["inputs"] for key in "45"} == {
        "4": {"value": ["1", 0]},
        "5": {"value": ["4", 0]},
    }


KINDS = ["Darken", "Reroute", "TakePaper", "subgraph:a", "subgraph:b", "inputs:a", "outputs:b", 5]
LINKS = st.tuples(st.sampled_from("123"), st.integers(-1, 2)).map(list)
VALUES = LINKS | st.none() | st.integers() | st.text(max_size=2)
NAMES = st.sampled_from(["paper", "by", "value"])
NODES = st.dictionaries(
    st.sampled_from("123"),
    st.fixed_dictionaries(
        {"class_type": st.sampled_from(KINDS), "inputs": st.dictionaries(NAMES, VALUES)},
        optional={"_meta": st.sampled_from([{"mode": "mute"}, {"mode": "bypass"}, 5])},
    )
    | st.none(),
)
ENDS = st.lists(st.fixed_dictionaries({"name": NAMES}, optional={"type": NAMES}), max_size=3)
SUBGRAPHS = st.fixed_dictionaries({"nodes": NODES}, optional={"inputs": ENDS, "outputs": ENDS})


@settings(deadline=None, max_examples=150)
@given(nodes=NODES, a=SUBGRAPHS, b=SUBGRAPHS)
def test_whatever_the_definitions_hold_it_is_parsed_or_refused(nodes: Any, a: Any, b: Any) -> None:
    """And never anything else."""
    document = {"safelight": 1, "nodes": {**nodes, "9": HANG}, "subgraphs": {"a": a, "b": b}}
    try:
        graph = parse(document, SCHEMA, NOWHERE)
    except Invalid:
        return
    assert not any("subgraph:" in call.node_class for call in graph.calls.values())
