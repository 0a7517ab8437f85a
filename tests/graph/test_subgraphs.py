from typing import Any

import pytest
from tests.graph.darkroom import NOWHERE, SCHEMA
from tests.graph.drawing import (
    EXPOSED,
    EXPOSURE,
    box,
    drawing,
    guesses,
    hang,
    inputs,
    opened,
    socket,
    subgraph,
    within,
)

from safelight.graph.problems import Invalid
from safelight.graph.workflow import parse

PAPER = ("paper", "PAPER")


def exposing(**more: Any) -> dict[str, Any]:
    """A subgraph that exposes paper (3) for a seed and steps given from outside."""
    sockets = [
        socket("paper", link=1),
        socket("seed", "INT", link=2, widget=True),
        socket("steps", "INT", link=3, widget=True),
    ]
    return subgraph(
        box(3, "Expose", EXPOSED, sockets, pos=[100, 100]),
        links=[[1, -10, 0, 3, 0], [2, -10, 1, 3, 1], [3, -10, 2, 3, 2], [4, 3, 0, -20, 0]],
        inputs=[PAPER, ("seed", "INT"), ("steps", "INT")],
        outputs=[PAPER],
        **more,
    )


def used(values: Any = (8, 21), **more: Any) -> dict[str, Any]:
    """Paper (1) goes through an instance (5) of it and is hung up (9)."""
    instance = box(5, "inner", values, [socket("paper", link=1)], pos=[10, 0], **more)
    return drawing(
        box(1, "TakePaper", [3]),
        instance | {"widgets_values": list(values) if isinstance(values, tuple) else values},
        hang(2),
        links=[[1, 1, 0, 5, 0], [2, 5, 0, 9, 0]],
        **within(exposing()),
    )


def test_a_subgraph_becomes_its_parts() -> None:
    """Their ids begin with that of the instance; they stand where it stood."""
    nodes = opened(used()).document["nodes"]
    assert list(nodes) == ["1", "9", "5:3"]
    assert nodes["9"]["inputs"]["paper"] == ["5:3", 0]
    assert nodes["5:3"]["inputs"] == {**EXPOSURE, "paper": ["1", 0], "seed": 8, "steps": 21}
    assert nodes["5:3"]["_meta"]["position"] == [10, 0]
    assert list(parse(used(), SCHEMA, NOWHERE).calls) == ["1", "5:3", "9"]


def test_notes_and_groups_of_a_subgraph_move_along() -> None:
    """They stand around its parts."""
    ui = used()
    inner = ui["definitions"]["subgraphs"][0]
    inner["groups"] = [{"title": "G", "bounding": [90, 90, 5, 5]}, {"bounding": "nowhere"}]
    inner["nodes"].append(box(4, "Note", ["hm"], outputs=(), pos=[110, 120], size=[7, 7]))
    assert opened(ui).document["frames"] == [
        {"title": "G", "position": [0, -10], "size": [5, 5]},
        {"title": "", "position": [20, 20], "size": [7, 7], "text": "hm"},
    ]


def test_of_two_wires_into_one_output_the_first_counts() -> None:
    """Files that were edited much hold such leftovers; the canvas takes the first, too."""
    ui = used()
    inner = ui["definitions"]["subgraphs"][0]
    inner["nodes"].append(box(4, "TakePaper", [9]))
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    inner["links"].append(dict(zip(keys, (9, 4, 0, -20, 0), strict=True)))
    assert inputs(ui, "9")["paper"] == ["5:3", 0]


def test_a_promoted_seed_brings_no_control() -> None:
    """Its control stays inside."""
    assert opened(used()).document["nodes"]["5:3"]["_meta"]["seed_control"] == "fixed"


def test_values_of_an_instance_may_have_names() -> None:
    """In newer files, beside the list."""
    ui = used((1, 2), widgets_values_named={"seed": 5, "steps": 6})
    assert (inputs(ui, "5:3")["seed"], inputs(ui, "5:3")["steps"]) == (5, 6)


def test_an_instance_without_values_leaves_those_inside() -> None:
    """As when nobody changed them."""
    assert inputs(used(()), "5:3") == {**EXPOSURE, "paper": ["1", 0]}


def test_a_wire_into_an_instance_takes_the_place_of_its_value() -> None:
    """Which keeps its place in the list."""
    ui = used()
    ui["nodes"][1]["inputs"].append(socket("steps", "INT", link=7, widget=True))
    ui["nodes"].append(box(8, "PrimitiveNode", [33, "fixed"], outputs=["INT"]))
    ui["links"].append([7, 8, 0, 5, 1, "INT"])
    assert (inputs(ui, "5:3")["seed"], inputs(ui, "5:3")["steps"]) == (8, 33)


@pytest.mark.parametrize("as_text", [False, True])
def test_widgets_may_be_shown_outside_without_a_wire(as_text: bool) -> None:
    """A list says whose; -1 is the instance itself, previews hold nothing."""
    proxies: Any = [["3", "text"], ["-1", "steps"], ["3", "$$preview"], ["3", "order"]]
    proxies = str(proxies).replace("'", '"') if as_text else proxies
    ui = used(("light", 21, None, "up"), properties={"proxyWidgets": proxies})
    wanted = {**EXPOSURE, "paper": ["1", 0], "steps": 21, "text": "light", "order": "up"}
    assert inputs(ui, "5:3") == wanted
    assert guesses(ui) == ()


def test_the_control_of_a_seed_may_be_shown_outside() -> None:
    """It is no input."""
    proxies = [["3", "seed"], ["3", "control_after_generate"]]
    ui = used((5, "randomize"), properties={"proxyWidgets": proxies})
    assert opened(ui).document["nodes"]["5:3"]["_meta"]["seed_control"] == "randomize"


def test_values_that_do_not_fit_their_widgets_are_told() -> None:
    """As are those for widgets that are not there."""
    ui = used((1, 2, 3), properties={"proxyWidgets": [["3", "colour"]]})
    assert guesses(ui) == (
        "node 5: it holds 3 values for 1 widgets of its subgraph",
        "node 5:3 (Expose): its subgraph holds a value for colour, which it does not have",
    )


def nested(**more: Any) -> dict[str, Any]:
    """The same instance (5) inside another subgraph (6), the seed shown by both."""
    sockets = [socket("paper", link=1), socket("seed", "INT", link=2, widget=True)]
    outer = subgraph(
        box(5, "inner", [8, 21], sockets),
        links=[[1, -10, 0, 5, 0], [2, -10, 1, 5, 1], [3, 5, 0, -20, 0]],
        inputs=[PAPER, ("noise", "INT")],
        outputs=[PAPER],
        name="outer",
    )
    instance = box(6, "outer", [99], [socket("paper", link=1)])
    return drawing(
        box(1, "TakePaper", [3]),
        instance | more,
        hang(2),
        links=[[1, 1, 0, 6, 0], [2, 6, 0, 9, 0]],
        **within(outer, exposing()),
    )


def test_subgraphs_within_subgraphs() -> None:
    """The outermost value is the one that holds."""
    assert list(opened(nested()).document["nodes"]) == ["1", "9", "6:5:3"]
    expected = {**EXPOSURE, "paper": ["1", 0], "seed": 99, "steps": 21}
    assert inputs(nested(), "6:5:3") == expected


def test_definitions_may_lie_within_definitions() -> None:
    """Though files usually lift them to the top."""
    ui = nested()
    outer, inner = ui["definitions"]["subgraphs"]
    ui["definitions"]["subgraphs"] = [{**outer, **within(inner)}]
    assert opened(ui).document == opened(nested()).document


def test_widgets_are_shown_through_two_subgraphs() -> None:
    """The outer one names the inner instance, whose input it is."""
    ui = nested(properties={"proxyWidgets": [["5", "steps"]]}, widgets_values=[55])
    assert inputs(ui, "6:5:3")["steps"] == 55


def test_a_subgraph_used_twice_has_its_parts_twice() -> None:
    """Each with its own values."""
    ui = used()
    second = box(7, "inner", [1, 2], [socket("paper", link=3)])
    ui["nodes"].append(second)
    ui["links"].append([3, 5, 0, 7, 0, "PAPER"])
    assert inputs(ui, "7:3")["paper"] == ["5:3", 0]
    assert (inputs(ui, "5:3")["seed"], inputs(ui, "7:3")["seed"]) == (8, 1)


def test_a_bypassed_subgraph_is_passed_as_a_whole() -> None:
    """Its parts stay in the document, switched off."""
    document = opened(used(mode=4)).document
    assert document["nodes"]["9"]["inputs"]["paper"] == ["1", 0]
    assert document["nodes"]["5:3"]["_meta"]["mode"] == "bypass"


def test_a_muted_subgraph_mutes_its_parts() -> None:
    """Also those that are bypassed inside, however deep."""
    ui = nested(mode=2)
    assert opened(ui).document["nodes"]["6:5:3"]["_meta"]["mode"] == "mute"


def test_a_subgraph_that_contains_itself_is_refused() -> None:
    """It would have no end."""
    loop = subgraph(box(1, "inner", outputs=()))
    with pytest.raises(Invalid, match="the subgraph 'Inner' contains itself"):
        opened(drawing(box(1, "inner"), **within(loop)))


def test_subgraphs_that_double_again_and_again_are_refused() -> None:
    """Thirty small definitions ask for a thousand million nodes."""
    definitions = [
        subgraph(box(1, f"s{i + 1}"), box(2, f"s{i + 1}"), name=f"s{i}") for i in range(30)
    ]
    with pytest.raises(Invalid, match="the workflow has more than 100000 nodes"):
        opened(drawing(box(1, "s0"), **within(*definitions)))


def test_subgraphs_that_unfold_to_endless_text_are_refused() -> None:
    """A long text may stand once in the file and a thousand times in the document."""
    doubling = [subgraph(box(1, f"s{i + 1}"), box(2, f"s{i + 1}"), name=f"s{i}") for i in range(10)]
    last = subgraph(box(1, "Word", ["x" * 100_000]), name="s10")
    with pytest.raises(Invalid, match="its subgraphs unfold to more than 64 MB"):
        opened(drawing(box(1, "s0"), **within(*doubling, last)))


def test_subgraphs_that_lie_too_deep_are_refused() -> None:
    """Nobody draws fifty boards within each other."""
    definitions = [subgraph(box(1, f"s{i + 1}"), name=f"s{i}") for i in range(60)]
    with pytest.raises(Invalid, match="its subgraphs lie more than 50 deep"):
        opened(drawing(box(1, "s0"), **within(*definitions)))


def grouped(values: list[object]) -> dict[str, Any]:
    """Paper (1) goes through an old group node (7) of two parts."""
    parts = [
        box(-1, "Darken", [1], [socket("paper")], index=0),
        box(-1, "Darken", [2], [socket("paper")], index=1),
    ]
    definition = {"nodes": parts, "links": [[0, 0, 1, 0, 3, "PAPER"]], "external": []}
    return drawing(
        box(1, "TakePaper", [3]),
        box(7, "workflow>twice", values, [socket("paper", link=1)]),
        hang(2),
        links=[[1, 1, 0, 7, 0], [2, 7, 0, 9, 0]],
        extra={"groupNodes": {"twice": definition}},
    )


def test_an_old_group_node_becomes_its_parts() -> None:
    """Their ids are its own and their index; that they were rebuilt is told."""
    ui = grouped([5, 6])
    assert inputs(ui, "7:0") == {"by": 5, "paper": ["1", 0]}
    assert inputs(ui, "7:1") == {"by": 6, "paper": ["7:0", 0]}
    assert inputs(ui, "9")["paper"] == ["7:1", 0]
    assert guesses(ui) == ("node 7: it is a group node, an old form, rebuilt from its parts",)


def test_values_that_do_not_fit_a_group_node_are_not_used() -> None:
    """Its parts keep their own."""
    ui = grouped([5])
    assert (inputs(ui, "7:0")["by"], inputs(ui, "7:1")["by"]) == (1, 2)
    message = "node 7: its values do not fit its parts, which keep those they were grouped with"
    assert message in guesses(ui)
