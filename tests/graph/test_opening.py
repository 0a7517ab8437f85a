from typing import Any

import pytest
from tests.graph.darkroom import NOWHERE, SCHEMA
from tests.graph.drawing import (
    EXPOSED,
    EXPOSURE,
    box,
    drawing,
    exposure,
    guesses,
    hang,
    inputs,
    opened,
    socket,
    subgraph,
    within,
)

from safelight.graph.convert import to_document
from safelight.graph.problems import Invalid
from safelight.graph.workflow import Link, apply_settings, parse


def test_a_file_becomes_a_document_that_runs() -> None:
    """Values by name, wires by source, nothing guessed."""
    result = opened(exposure(id="u", extra={"safelight": {"name": "Mine"}}))
    assert result.guesses == ()
    assert result.document == {
        "safelight": 1,
        "id": "u",
        "name": "Mine",
        "nodes": {
            "1": {
                "class_type": "TakePaper",
                "inputs": {"grey": 3},
                "version": 1,
                "_meta": {"mode": "always", "collapsed": False},
            },
            "2": {
                "class_type": "Expose",
                "inputs": {**EXPOSURE, "paper": ["1", 0]},
                "version": 2,
                "_meta": {
                    "position": [10, 20],
                    "mode": "always",
                    "collapsed": False,
                    "seed_control": "fixed",
                },
            },
            "9": {
                "class_type": "Hang",
                "inputs": {"name": "sheet", "paper": ["2", 0]},
                "version": 1,
                "_meta": {"mode": "always", "collapsed": False},
            },
        },
        "frames": [],
        "subgraphs": {},
        "parameters": {},
        "results": {},
    }
    assert list(parse(result.document, SCHEMA, NOWHERE).calls) == ["1", "2", "9"]


def test_a_file_is_parsed_and_set_like_any_workflow() -> None:
    """Who has a file of ComfyUI's need not convert it first."""
    assert parse(exposure(), SCHEMA, NOWHERE).calls["2"].inputs["paper"] == Link("1", 0)
    changed = apply_settings(exposure(), {"2.steps": "5"}, SCHEMA)
    assert changed["nodes"]["2"]["inputs"]["steps"] == "5"


def test_version_1_writes_wires_as_objects() -> None:
    """And is read the same at the top of a file."""
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    ui = exposure(version=1, state={"lastNodeId": 9})
    ui["links"] = [dict(zip(keys, link, strict=True)) for link in ui["links"]]
    assert opened(ui).document == opened(exposure()).document


def test_wires_belong_to_the_inputs_as_saved() -> None:
    """The file leaves out sockets, so its numbers do not count those of the class."""
    ui = drawing(
        box(1, "TakePaper", [3]),
        box(2, "Join", [], [socket("b", link=5)]),
        links=[[5, 1, "0", 2, 0]],
    )
    assert inputs(ui, "2") == {"b": ["1", 0]}


def test_titles_places_and_groups_are_kept() -> None:
    """Old files write a place as an object."""
    note = box(4, "Note", ["remember"], outputs=(), pos=[5, 6], size=[7, 8], title="N")
    sheet = box(1, "TakePaper", [3], title="Fresh", pos={"0": 1, "1": 2})
    group = {"title": "Dark", "bounding": [1, 2, 3, 4], "color": "#123"}
    document = opened(
        drawing({**sheet, "flags": {"collapsed": True}}, note, groups=[group])
    ).document
    assert document["nodes"]["1"]["_meta"] == {
        "title": "Fresh",
        "position": [1, 2],
        "mode": "always",
        "collapsed": True,
    }
    assert document["frames"] == [
        {"title": "Dark", "position": [1, 2], "size": [3, 4], "color": "#123"},
        {"title": "N", "position": [5, 6], "size": [7, 8], "text": "remember"},
    ]


def test_reroutes_are_corners_of_a_wire() -> None:
    """However many, in whatever order they stand in the file; what runs is past them."""
    reroutes = [
        box(key, "Reroute", inputs=[socket("", "*", link=key - 1)], outputs=["*"])
        for key in range(11, 2_000)
    ]
    links = [[key, key if key > 10 else 1, 0, key + 1, 0] for key in range(10, 1_999)]
    ui = drawing(
        box(1, "TakePaper", [3]), *reversed(reroutes), hang(7), links=[*links, [7, 1999, 0, 9, 0]]
    )
    document = opened(ui).document
    assert len(document["nodes"]) == 2 + len(reroutes)
    assert document["nodes"]["9"]["inputs"]["paper"] == ["1999", 0]
    assert document["nodes"]["12"]["class_type"] == "Reroute"
    assert document["nodes"]["12"]["inputs"] == {"value": ["11", 0]}
    assert document["nodes"]["11"]["inputs"] == {"value": ["1", 0]}
    assert list(parse(ui, SCHEMA, NOWHERE).calls) == ["1", "9"]


def test_two_wires_may_share_a_reroute() -> None:
    """And part behind it."""
    ui = drawing(
        box(1, "TakePaper", [3]),
        box(2, "Reroute", inputs=[socket("", "*", link=1)], outputs=["*"]),
        box(3, "Reroute", inputs=[socket("", "*", link=2)], outputs=["*"]),
        hang(3),
        box(8, "Hang", ["sheet"], [socket("paper", link=4)]),
        links=[[1, 1, 0, 2, 0], [2, 2, 0, 3, 0], [3, 3, 0, 9, 0], [4, 2, 0, 8, 0]],
    )
    assert inputs(ui, "9")["paper"] == ["3", 0]
    assert inputs(ui, "8")["paper"] == ["2", 0]
    assert inputs(ui, "3") == {"value": ["2", 0]}
    assert inputs(ui, "2") == {"value": ["1", 0]}


def test_reroutes_in_a_circle_feed_nothing() -> None:
    """Following them ends."""
    ui = drawing(
        box(1, "Reroute", inputs=[socket("", "*", link=2)]),
        box(2, "Reroute", inputs=[socket("", "*", link=1)]),
        hang(3),
        links=[[1, 1, 0, 2, 0], [2, 2, 0, 1, 0], [3, 1, 0, 9, 0]],
    )
    assert inputs(ui, "9") == {"name": "sheet"}


def test_wires_that_are_not_drawn_are_followed() -> None:
    """From the box that sets a name to one that gets it, also out of a subgraph."""
    getting = subgraph(
        box(1, "GetNode", ["sheet"], outputs=["PAPER"]),
        links=[[1, 1, 0, -20, 0]],
        outputs=[("paper", "PAPER")],
    )
    ui = drawing(
        box(1, "TakePaper", [3]),
        box(2, "SetNode", ["sheet"], [socket("PAPER", link=1)]),
        box(3, "inner", []),
        hang(2),
        box(8, "Hang", ["sheet"], [socket("paper", link=3)]),
        box(4, "GetNode", ["nothing"]),
        links=[[1, 1, 0, 2, 0], [2, 3, 0, 9, 0], [3, 4, 0, 8, 0]],
        **within(getting),
    )
    assert list(opened(ui).document["nodes"]) == ["1", "9", "8"]
    assert inputs(ui, "9")["paper"] == ["1", 0]
    assert "paper" not in inputs(ui, "8")


def primitive(value: object, control: object = "fixed") -> dict[str, Any]:
    """A primitive (5) drives the seed of an exposure through a reroute."""
    seed = socket("seed", "INT", link=6, widget=True)
    return drawing(
        box(5, "PrimitiveNode", [value, control], outputs=["INT"]),
        box(6, "Reroute", inputs=[socket("", "*", link=5)]),
        box(2, "Expose", EXPOSED, [socket("paper"), seed]),
        links=[[5, 5, 0, 6, 0], [6, 6, 0, 2, 1]],
    )


def test_a_primitive_is_a_value() -> None:
    """With it comes what happens to the seed; the node's own value is no more."""
    document = opened(primitive(42, "randomize")).document
    assert list(document["nodes"]) == ["2"]
    assert document["nodes"]["2"]["inputs"]["seed"] == 42
    assert document["nodes"]["2"]["_meta"]["seed_control"] == "randomize"


def test_a_primitive_that_names_other_values_is_told() -> None:
    """ComfyUI's canvas would write their values there."""
    assert guesses(primitive("%KSampler.seed%")) == (
        "node 2 (Expose): seed names other values between %; it stays as written",
    )


def test_a_list_is_not_taken_for_a_wire() -> None:
    """It is wrapped, as in API prompts."""
    ui = drawing(box(1, "Word", {"value": ["1", 0]}))
    assert inputs(ui, "1") == {"value": {"__value__": ["1", 0]}}


def test_unknown_classes_are_kept_for_parse_to_name() -> None:
    """With their wires; what their values are called nobody here knows."""
    ui = drawing(
        box(1, "Hnag", [5, True], [socket("paper", link=1)], ()),
        box(2, "TakePaper", [3]),
        hang(2),
        links=[[1, 2, 0, 1, 0], [2, 1, 0, 9, 0]],
    )
    result = opened(ui)
    assert result.document["nodes"]["1"]["inputs"] == {"paper": ["2", 0]}
    assert result.document["nodes"]["1"]["_meta"]["widgets_values"] == [5, True]
    assert result.guesses == (
        "node 1 (Hnag): this class is not known here, so its 2 values could not be named",
    )
    with pytest.raises(Invalid, match=r"node 1 .Hnag.: there is no node class 'Hnag'"):
        parse(ui, SCHEMA, NOWHERE)


def test_wires_that_lead_nowhere_are_told() -> None:
    """One is not in the file, the other into an input that the class does not have."""
    ui = drawing(
        box(1, "TakePaper", [3], [socket("old", link=2)]),
        box(2, "TakePaper", [1]),
        hang(1),
        links=[[2, 2, 0, 1, 0]],
    )
    assert guesses(ui) == (
        "node 1 (TakePaper): it has no input old here, so its wire was left out",
        "node 9 (Hang): the wire into paper is not in the file, so it was left out",
    )


def test_texts_that_comfyui_would_change_are_told() -> None:
    """Choices in braces, comments, names of other values."""
    values = [*EXPOSED[:6], "a {red|blue} cat // really\n// no dogs", False]
    ui = drawing(box(2, "Expose", values, [socket("paper")]))
    assert guesses(ui) == (
        "node 2 (Expose): text has choices in braces; they stay as written",
        "node 2 (Expose): text has comments; they stay as part of the text",
    )


@pytest.mark.parametrize(
    ("ui", "message"),
    [
        ({"nodes": 5}, '"nodes" is a list of nodes, got 5'),
        (drawing(5), "node 0: a node is an object, got 5"),
        (drawing({"id": 1}), "node 1: the type of a node is text, got nothing"),
        (drawing({"type": "Hang"}), "node 0: the id of a node is a number or text, got nothing"),
        (drawing(hang(None), hang(None)), "node 9: there are two nodes of this id"),
    ],
)
def test_what_is_no_file_of_comfyuis_is_refused(ui: dict[str, Any], message: str) -> None:
    """Naming the node."""
    with pytest.raises(Invalid) as refused:
        to_document(ui, SCHEMA)
    assert str(refused.value) == message


def test_no_more_is_told_than_anybody_reads() -> None:
    """A thousand guesses, and how many more there are."""
    told = guesses(drawing(*(box(key, "TakePaper") for key in range(1_005))))
    assert len(told) == 1_001
    assert told[-1] == "and 5 more guesses"
