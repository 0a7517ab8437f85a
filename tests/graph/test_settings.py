import copy
from typing import Any

import pytest
from tests.graph.darkroom import NOWHERE, SCHEMA, exposure, node, own

from safelight.graph.workflow import Invalid, apply_settings, parse

DOCUMENT = own(
    exposure(steps=5),
    parameters={
        "flashes": {"node": "2", "input": "steps"},
        "broken": {"node": 5},
        "gone": {"node": "77", "input": "steps"},
    },
)


def refusal(document: object, name: str, value: object = "1") -> tuple[str, str]:
    """The message and the details about one setting."""
    with pytest.raises(Invalid) as refused:
        apply_settings(document, {name: value}, SCHEMA)
    (problem,) = refused.value.problems
    return problem.message, problem.details


def steps(document: dict[str, Any]) -> object:
    """The steps that a document will run with."""
    return parse(document, SCHEMA, NOWHERE).calls["2"].inputs["steps"]


@pytest.mark.parametrize("name", ["2.steps", "flashes"])
def test_an_input_is_set_by_node_or_by_parameter(name: str) -> None:
    """The text of a command line becomes a value of the input's type."""
    assert steps(apply_settings(DOCUMENT, {name: "7"}, SCHEMA)) == 7


def test_a_bare_prompt_is_set_by_node() -> None:
    """It has no parameters."""
    assert steps(apply_settings(exposure(), {"2.steps": 7}, SCHEMA)) == 7
    assert refusal(exposure(), "flashes")[0] == "flashes: the workflow has no such parameter"


def test_the_given_document_stays_as_it_was() -> None:
    """The result is a copy."""
    before = copy.deepcopy(DOCUMENT)
    apply_settings(DOCUMENT, {"flashes": "7", "2.text": "hello"}, SCHEMA)
    assert before == DOCUMENT


@pytest.mark.parametrize(("text", "truth"), [("true", True), ("False", False)])
def test_truth_is_read_from_a_command_line(text: str, truth: bool) -> None:
    """Where a workflow itself may not write it as text."""
    document = apply_settings(DOCUMENT, {"2.twice": text}, SCHEMA)
    assert parse(document, SCHEMA, NOWHERE).calls["2"].inputs["twice"] is truth


def test_setting_an_input_cuts_its_wire() -> None:
    """The value stands instead of it."""
    document = exposure(text=["4", 0]) | {"4": node("Word", value="wired")}
    changed = apply_settings(document, {"2.text": "set"}, SCHEMA)
    assert parse(changed, SCHEMA, NOWHERE).calls["2"].inputs["text"] == "set"


def test_a_wrong_value_is_found_by_parse_like_any_other() -> None:
    """There is one place for checks."""
    with pytest.raises(Invalid, match=r"^node 2 \(Expose\): steps: 0 is below 1$"):
        steps(apply_settings(DOCUMENT, {"flashes": "0"}, SCHEMA))


@pytest.mark.parametrize(
    ("name", "message", "details"),
    [
        (
            "flash",
            "flash: the workflow has no such parameter; nearest: 'flashes'",
            "its parameters: flashes, gone; or write NODE.INPUT",
        ),
        ("8.steps", "8.steps: the workflow has no node '8'", "its nodes: 1, 2, 3"),
        ("gone", "gone: the workflow has no node '77'", "its nodes: 1, 2, 3"),
        (
            "2.stesp",
            "2.stesp: Expose has no input 'stesp'; nearest: 'steps'",
            "its values: seed, steps, strength, method, order, text, twice",
        ),
        (
            "3.paper",
            "3.paper: paper of Hang is a socket, which only a wire can feed",
            "its values: name",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(
    name: str, message: str, details: str
) -> None:
    """Of parameters, nodes, or inputs."""
    assert refusal(DOCUMENT, name) == (message, details)


def test_all_unknown_names_are_told_at_once() -> None:
    """One line for each."""
    with pytest.raises(Invalid) as refused:
        apply_settings(DOCUMENT, {"a": "1", "flashes": "2", "b": "3"}, SCHEMA)
    assert str(refused.value) == (
        "a: the workflow has no such parameter\nb: the workflow has no such parameter"
    )


def test_a_node_of_unknown_class_cannot_be_set() -> None:
    """Its inputs are not known."""
    assert refusal({"1": node("Hnag")}, "1.name") == (
        "1.name: there is no node class 'Hnag'; nearest: 'Hang'",
        "",
    )
