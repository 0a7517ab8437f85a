"""There and back: what a document holds survives a file of ComfyUI's canvas."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.darkroom import METHODS, NOWHERE, SCHEMA, exposure, node, own
from tests.graph.drawing import opened

from safelight.graph.convert import converted, to_document, to_ui
from safelight.graph.problems import Invalid
from safelight.graph.records import InputSpec
from safelight.graph.workflow import parse

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
STRANGER = "Stranger"  # a class that is not known
FEEDING = (STRANGER, *(name for name, spec in SCHEMA.nodes.items() if spec.outputs))


def literal(entry: InputSpec) -> st.SearchStrategy[Any]:
    """A value that fits an input, in the exact type that checking gives it."""
    if entry.choices is not None:
        return st.sampled_from(entry.choices)
    low, high = entry.min or -50, entry.max or 50
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "INT": st.integers(int(low), int(high)),
        "FLOAT": st.floats(low, high),
        "STRING": TEXTS,
        "BOOLEAN": st.booleans(),
    }
    return kinds.get(entry.type, TEXTS)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document as conversion writes it: every value there, every wire from an output."""
    names = draw(st.lists(st.sampled_from([*SCHEMA.nodes, STRANGER]), max_size=6))
    keys = [str(key) for key in draw(st.permutations(range(1, len(names) + 1)))]
    sources = [key for key, name in zip(keys, names, strict=True) if name in FEEDING]
    kinds = dict(zip(keys, names, strict=True))

    def wire() -> list[Any]:
        source = draw(st.sampled_from(sources))
        spec = SCHEMA.nodes.get(kinds[source])
        return [source, draw(st.integers(0, len(spec.outputs) - 1 if spec else 2))]

    modes = draw(st.sampled_from([("always", "mute"), ("always", "bypass")]))
    nodes = {
        key: _drawn(draw, name, modes, wire if sources else None) for key, name in kinds.items()
    }
    frame = {"position": [1, 2], "size": [3, 4]}
    frames = [{"title": "Group", **frame, "color": "#fff"}, {"title": "N", **frame, "text": "t"}]
    about = {"id": draw(TEXTS), "name": draw(TEXTS), "frames": draw(st.sampled_from([[], frames]))}
    places = {draw(TEXTS): {"node": keys[0], "input": "x"}} if keys else {}
    return own(nodes, **about, subgraphs={}, parameters=places, results={})


def _drawn(
    draw: st.DrawFn, name: str, modes: tuple[str, ...], wire: Callable[[], list[Any]] | None
) -> dict[str, Any]:
    meta = {"mode": draw(st.sampled_from(modes)), "collapsed": draw(st.booleans())}
    meta |= {"position": [draw(st.integers(-99, 99)), 0]}
    meta |= {"title": title} if (title := draw(TEXTS)) else {}
    spec = SCHEMA.nodes.get(name)
    if spec is None:
        inputs: dict[str, Any] = draw(
            st.dictionaries(st.sampled_from("abcd"), st.integers() | TEXTS)
        )
        inputs |= {"paper": wire()} if wire and draw(st.booleans()) else {}
        return node(name, **inputs) | {"_meta": {**meta, "mode": "always"}}
    # A bypassed node may hand nothing on: then the value stands where the wire was.
    wires = wire if "bypass" not in modes else None
    inputs = {}
    for entry in spec.inputs:
        if entry.socket and wire and draw(st.booleans()):
            inputs[entry.name] = wire()
        elif not entry.socket:
            wired = wires is not None and draw(st.booleans())
            inputs[entry.name] = wires() if wires and wired else draw(literal(entry))
    if name == "Expose":
        meta["seed_control"] = draw(st.sampled_from(["fixed", "randomize"]))
    return {"class_type": name, "version": spec.version, "inputs": inputs, "_meta": meta}


@settings(deadline=None)
@given(documents())
def test_a_document_survives_the_way_there_and_back(document: dict[str, Any]) -> None:
    """Also one with unknown classes, circles, and nodes switched off."""
    ui = json.loads(json.dumps(to_ui(document, SCHEMA)))
    assert to_document(ui, SCHEMA).document == document


def test_a_file_is_what_comfyuis_canvas_opens() -> None:
    """Wires by number at both ends, values in order, nodes in an order that runs."""
    nodes = exposure(steps=["4", 1], text="dark")
    nodes |= {"4": node("Cut", paper=["1", 0]), "6": node("OpenNegative", image="a.png")}
    ui = to_ui(nodes, SCHEMA)
    assert (ui["version"], ui["last_node_id"], ui["last_link_id"]) == (0.4, 6, 4)
    assert ui["links"] == [
        [1, 1, 0, 2, 0, "PAPER"],
        [2, 4, 1, 2, 1, "INT"],
        [3, 2, 0, 3, 0, "PAPER"],
        [4, 1, 0, 4, 0, "PAPER"],
    ]
    by_id = {entry["id"]: entry for entry in ui["nodes"]}
    assert [entry["id"] for entry in ui["nodes"]] == [1, 6, 4, 2, 3]
    assert [entry["order"] for entry in ui["nodes"]] == [0, 1, 2, 3, 4]
    assert by_id[2]["inputs"] == [
        {"name": "paper", "type": "PAPER", "link": 1},
        {"name": "steps", "type": "INT", "link": 2, "widget": {"name": "steps"}},
        {"name": "mask", "type": "MASK", "link": None},
    ]
    assert by_id[1]["outputs"] == [
        {"name": "PAPER", "type": "PAPER", "links": [1, 4], "slot_index": 0}
    ]
    assert by_id[2]["widgets_values"] == [0, "fixed", 20, 8.0, "euler", "down", "dark", False]
    assert by_id[6]["widgets_values"] == ["a.png", "image"]
    assert by_id[2]["properties"] == {"Node name for S&R": "Expose"}
    assert len({tuple(entry["pos"]) for entry in ui["nodes"]}) == 5


def test_ids_that_are_no_numbers_get_one() -> None:
    """Those of the parts of a subgraph, for example; what names them follows."""
    nodes = {"7": node("TakePaper", grey=1), "5:3": node("Hang", paper=["7", 0], name="x")}
    document = own(nodes, parameters={"name": {"node": "5:3", "input": "name"}}, results={})
    back = opened(to_ui(document, SCHEMA)).document
    assert back["nodes"]["8"]["inputs"] == {"paper": ["7", 0], "name": "x"}
    assert back["parameters"] == {"name": {"node": "8", "input": "name"}}


def test_values_of_unknown_classes_survive() -> None:
    """Nobody here can name them, but nothing is lost."""
    ui = {"nodes": [{"id": 1, "type": STRANGER, "widgets_values": [1, None, {"a": 2}]}]}
    (entry,) = to_ui(opened(ui).document, SCHEMA)["nodes"]
    assert entry["widgets_values"] == [1, None, {"a": 2}]


def test_a_seed_beyond_what_browsers_count_is_written_as_a_number() -> None:
    """Documents may hold it as text."""
    nodes = exposure(seed=str(2**63 + 1))
    assert to_ui(nodes, SCHEMA)["nodes"][1]["widgets_values"][0] == 2**63 + 1


@pytest.mark.parametrize("kind", ["safelight", "api", "ui"])
def test_every_format_becomes_every_other(kind: Any) -> None:
    """And runs the same."""
    wanted = parse(exposure(), SCHEMA, NOWHERE).prompt()
    for start in (exposure(), own(exposure()), to_ui(exposure(), SCHEMA)):
        result = converted(start, SCHEMA, kind).document
        assert parse(result, SCHEMA, NOWHERE).prompt() == wanted


@pytest.mark.parametrize("document", [None, [], 5, {"1": 5}, {"safelight": 2}])
@pytest.mark.parametrize("kind", ["safelight", "api", "ui"])
def test_what_is_no_workflow_is_not_converted(document: object, kind: Any) -> None:
    """The mistakes are those of any other use of it."""
    with pytest.raises(Invalid):
        converted(document, SCHEMA, kind)


WORDS = (
    *("nodes", "links", "id", "type", "inputs", "outputs", "name", "link", "widget", "mode"),
    *("widgets_values", "widgets_values_named", "properties", "proxyWidgets", "extra", "pos"),
    *("groupNodes", "definitions", "subgraphs", "external", "config", "groups", "bounding"),
    *("Reroute", "PrimitiveNode", "Note", "Expose", "Hang", "Look", "Cut", "g", "workflow>g"),
    *("safelight", "parameters", "node", "input", "paper", "seed", "steps", "fixed", *METHODS),
)
SCALARS = st.none() | st.booleans() | st.integers(-20, 5) | st.floats() | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    SCALARS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.sampled_from(WORDS) | TEXTS, inner, max_size=6)
    ),
    max_leaves=25,
)


def spoiled(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is mostly as files have it, and now and then anything."""
    return st.integers(0, 19).flatmap(lambda die: ANYTHING if die == 0 else strategy)


ENDS = st.sampled_from([-20, -10, 0, 1, 2, 3])
SLOTS = st.integers(-1, 2)
NUMBERS = st.integers(0, 4)
LINKS = st.lists(
    spoiled(st.tuples(NUMBERS, ENDS, SLOTS, ENDS, SLOTS, st.just("*")).map(list))
    | st.fixed_dictionaries(
        {
            "id": NUMBERS,
            "origin_id": ENDS,
            "origin_slot": SLOTS,
            "target_id": ENDS,
            "target_slot": SLOTS,
        }
    ),
    min_size=3,
    max_size=8,
)
NAMES = st.sampled_from(["paper", "seed", "steps", "text", "a"])
SOCKETS = st.lists(
    st.fixed_dictionaries(
        {"name": spoiled(NAMES), "type": spoiled(st.sampled_from(["PAPER", "*", "INT"]))},
        optional={"link": spoiled(NUMBERS), "widget": spoiled(st.just({}))},
    ),
    max_size=4,
)
TYPES = ["Expose", "Hang", "Cut", "Reroute", "PrimitiveNode", "Note", "s", "s", "t", "workflow>g"]
VALUES = st.lists(SCALARS, max_size=8) | st.dictionaries(NAMES, SCALARS)
PROXIES = st.fixed_dictionaries(
    {"proxyWidgets": spoiled(st.lists(spoiled(st.tuples(ENDS | st.just("-1"), NAMES).map(list))))}
)
BOXES = st.fixed_dictionaries(
    {
        "id": st.integers(0, 3),
        "type": st.sampled_from([*TYPES, "Odd"]),
        "inputs": spoiled(SOCKETS),
        "outputs": spoiled(SOCKETS),
        "widgets_values": spoiled(VALUES),
    },
    optional={
        "mode": spoiled(st.sampled_from([0, 2, 4])),
        "widgets_values_named": spoiled(st.dictionaries(NAMES, SCALARS)),
        "pos": spoiled(st.just([1, 2])),
        "properties": spoiled(PROXIES),
    },
)
BOARD = {
    "nodes": st.lists(BOXES, min_size=2, max_size=4, unique_by=lambda entry: entry["id"]),
    "links": LINKS,
}
SUBGRAPHS = st.fixed_dictionaries({**BOARD, "inputs": SOCKETS, "outputs": SOCKETS})
DEFINITIONS = st.tuples(SUBGRAPHS, SUBGRAPHS).map(
    lambda pair: {"subgraphs": [{"id": "s", **pair[0]}, {"id": "t", **pair[1]}]}
)
GROUPS = st.fixed_dictionaries({"g": spoiled(st.fixed_dictionaries(BOARD))})
EXTRA = st.fixed_dictionaries({"groupNodes": spoiled(GROUPS), "safelight": ANYTHING})
FILES = st.fixed_dictionaries(
    {**BOARD, "definitions": spoiled(DEFINITIONS), "extra": spoiled(EXTRA), "groups": ANYTHING}
)


@settings(deadline=None, max_examples=200)
@given(FILES | st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=8))
def test_whatever_a_file_holds_it_is_converted_or_refused(ui: dict[str, Any]) -> None:
    """And what comes out is JSON, which parse and the way back take or refuse as well."""
    with contextlib.suppress(Invalid):
        document = to_document(ui, SCHEMA).document
        json.dumps(document)
        to_ui(document, SCHEMA)
        parse(document, SCHEMA, NOWHERE)
