from typing import Any

import pytest
from tests.graph.darkroom import SCHEMA
from tests.graph.drawing import (
    EXPOSED,
    box,
    drawing,
    exposure,
    guesses,
    hang,
    inputs,
    opened,
    socket,
)

from safelight.graph.convert import to_prompt


def switched(mode: int) -> dict[str, Any]:
    """The same with node 2 switched off."""
    ui = exposure()
    ui["nodes"][1]["mode"] = mode
    return ui


@pytest.mark.parametrize(
    ("mode", "name"), [(0, "always"), (1, "always"), (2, "mute"), (3, "always"), (4, "bypass")]
)
def test_modes_are_kept(mode: int, name: str) -> None:
    """A node switched off can be switched on again."""
    document = opened(switched(mode)).document
    assert document["nodes"]["2"]["_meta"]["mode"] == name
    assert document["nodes"]["9"]["inputs"]["paper"] == ["2", 0]


def test_an_api_prompt_is_what_runs() -> None:
    """Without nodes switched off: wires lead past bypassed ones, and end at muted ones."""
    bypassed = to_prompt(opened(switched(4)).document, SCHEMA)
    assert bypassed == {
        "1": {"class_type": "TakePaper", "inputs": {"grey": 3}},
        "9": {"class_type": "Hang", "inputs": {"name": "sheet", "paper": ["1", 0]}},
    }
    muted = to_prompt(opened(switched(2)).document, SCHEMA)
    assert muted["9"]["inputs"] == {"name": "sheet"}


def counted(mode: int, kind: str = "Count") -> dict[str, Any]:
    """An unknown node (7) drives the steps of an exposure, which holds 20 itself."""
    steps = socket("steps", "INT", link=7, widget=True)
    return drawing(
        box(7, kind, outputs=["INT"], mode=mode),
        box(2, "Expose", EXPOSED, [socket("paper"), steps]),
        links=[[7, 7, 0, 2, 1]],
    )


def test_a_wire_takes_the_place_of_a_value() -> None:
    """Also one from a muted node: what it held is lost, as in ComfyUI."""
    assert inputs(counted(0), "2")["steps"] == ["7", 0]
    assert inputs(counted(2), "2")["steps"] == ["7", 0]


@pytest.mark.parametrize("kind", ["Count", "Darken"])
def test_behind_a_bypassed_node_with_nothing_to_give_the_value_stands(kind: str) -> None:
    """Whether or not its class is known."""
    ui = counted(4, kind)
    assert inputs(ui, "2")["steps"] == 20
    if kind == "Darken":
        assert "node 2 (Expose): steps keeps its own value, since what feeds it is bypassed" in (
            guesses(ui)
        )


def test_a_bypassed_node_of_unknown_class_hands_on_by_its_saved_types() -> None:
    """Its class cannot tell, but the file does."""
    sockets = [socket("word", "STRING"), socket("sheet", "paper,foil", link=1)]
    ui = drawing(
        box(1, "TakePaper", [3]),
        box(2, "Frobnicate", [1], sockets, mode=4),
        hang(2),
        links=[[1, 1, 0, 2, 1], [2, 2, 0, 9, 0]],
    )
    assert inputs(ui, "9")["paper"] == ["1", 0]


def test_two_wires_of_one_kind_do_not_change_places() -> None:
    """A bypassed node hands on the input at the place of the output."""
    ui = drawing(
        box(1, "TakePaper", [1]),
        box(2, "TakePaper", [2]),
        box(3, "Swap", [], [socket("a", link=1), socket("b", link=2)], ["PAPER", "PAPER"], mode=4),
        hang(3),
        links=[[1, 1, 0, 3, 0], [2, 2, 0, 3, 1], [3, 3, 1, 9, 0]],
    )
    assert inputs(ui, "9")["paper"] == ["2", 0]
