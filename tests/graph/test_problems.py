import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from tests.graph.darkroom import NOWHERE, SCHEMA, exposure, node, own

from safelight.graph.workflow import Graph, Invalid, parse

LOOK = {"9": node("Look", thing=["1", 0])}


def refusal(document: object, **options: Any) -> list[str]:
    """What is wrong with a document, one line for each mistake."""
    with pytest.raises(Invalid) as refused:
        parse(document, SCHEMA, NOWHERE, **options)
    return [str(problem) for problem in refused.value.problems]


def parsed(document: object, **options: Any) -> Graph:
    """The graph of a document that has no mistakes."""
    return parse(document, SCHEMA, NOWHERE, **options)


@pytest.mark.parametrize(
    ("inputs", "kind", "message"),
    [
        ({"steps": 0}, "value_smaller_than_min", "steps: 0 is below 1"),
        ({"steps": 10_001}, "value_bigger_than_max", "steps: 10001 is above 10000"),
        ({"steps": "many"}, "invalid_input_type", "steps: want a whole number, got 'many'"),
        ({"steps": 1.7}, "invalid_input_type", "steps: want a whole number, got 1.7"),
        ({"strength": math.nan}, "invalid_input_type", "strength: want a number, got nan"),
        ({"strength": math.inf}, "invalid_input_type", "strength: want a number, got inf"),
        ({"twice": "false"}, "invalid_input_type", "twice: want true or false, got 'false'"),
        (
            {"method": "eular"},
            "value_not_in_list",
            "method: 'eular' is not one of 3 choices; nearest: 'euler'",
        ),
        ({"paper": 5}, "bad_linked_input", "paper: want a wire of PAPER, got 5"),
        ({"paper": ["1"]}, "bad_linked_input", "paper: a list here must be a link of two parts"),
        ({"paper": ["1", -1]}, "bad_linked_input", "paper: ['1', -1] is not a link"),
        ({"paper": ["1", True]}, "bad_linked_input", "paper: ['1', true] is not a link"),
        ({"paper": ["1", 0.0]}, "bad_linked_input", "paper: ['1', 0.0] is not a link"),
        ({"paper": [1, 0]}, "bad_linked_input", "paper: [1, 0] is not a link"),
        (
            {"paper": ["7", 0]},
            "bad_linked_input",
            "paper: links to node '7', which is not in the workflow",
        ),
        (
            {"paper": ["1", 1]},
            "bad_linked_input",
            "paper: node 1 (TakePaper) has no output 1",
        ),
        (
            {"mask": ["1", 0]},
            "return_type_mismatch",
            "mask: want a wire of MASK, but node 1 (TakePaper) gives PAPER",
        ),
        (
            {"steps": ["1", 0]},
            "return_type_mismatch",
            "steps: want INT or a wire of INT, but node 1 (TakePaper) gives PAPER",
        ),
        (
            {"method": ["1", 0]},
            "return_type_mismatch",
            "method: want one of its choices, but node 1 (TakePaper) gives PAPER",
        ),
        (
            {"papre": ["1", 0]},
            "bad_linked_input",
            "papre: Expose has no such input; nearest: 'paper'",
        ),
    ],
)
def test_a_wrong_input_is_named_with_what_would_fit(
    inputs: Mapping[str, object], kind: str, message: str
) -> None:
    """Node, input, the protocol's kind, and the exact words."""
    with pytest.raises(Invalid) as refused:
        parsed(exposure(**inputs))
    (problem,) = refused.value.problems
    assert (problem.node, problem.input, problem.kind) == ("2", next(iter(inputs)), kind)
    assert problem.message == message
    assert problem.class_type == "Expose"
    assert problem.outputs == ("3",)


def test_a_missing_input_is_named() -> None:
    """With a misspelt one beside it, if there is."""
    document = exposure(txet="hello")
    for name in ("text", "paper"):
        del document["2"]["inputs"][name]
    assert refusal(document) == [
        "node 2 (Expose): paper: is missing",
        "node 2 (Expose): text: is missing; there is 'txet'",
    ]


def test_every_mistake_of_every_node_is_told_at_once() -> None:
    """In the order of the document."""
    document = exposure(steps=0, method="x", mask=["1", 0])
    document["1"]["inputs"]["grey"] = 256
    document["3"]["inputs"]["name"] = None
    assert refusal(document) == [
        "node 1 (TakePaper): grey: 256 is above 255",
        "node 2 (Expose): steps: 0 is below 1",
        "node 2 (Expose): method: 'x' is not one of 3 choices",
        "node 2 (Expose): mask: want a wire of MASK, but node 1 (TakePaper) gives PAPER",
        "node 3 (Hang): name: want text, got nothing",
    ]


def test_an_unknown_class_that_is_needed_is_told() -> None:
    """As the protocol tells it, with the nearest known class."""
    document = {"1": node("TakePapr"), "2": node("Hang", paper=["1", 0])}
    with pytest.raises(Invalid) as refused:
        parsed(document)
    answer = refused.value.to_json()
    assert answer["node_errors"] == {}
    assert answer["error"] == {
        "type": "invalid_prompt",
        "message": "node 1 (TakePapr): there is no node class 'TakePapr'; nearest: 'TakePaper'",
        "details": "Node ID '#1'",
        "extra_info": {"node_id": "1", "class_type": "TakePapr", "node_title": ""},
    }


def test_a_circle_is_named_in_the_order_of_the_data() -> None:
    """From a node back to itself."""
    document = {
        "3": node("Darken", paper=["5", 0]),
        "5": node("Darken", paper=["3", 0]),
        "9": node("Hang", paper=["3", 0]),
    }
    with pytest.raises(Invalid) as refused:
        parsed(document)
    (problem,) = refused.value.problems
    assert str(problem) == "node 3 (Darken): waits for itself: 3 -> 5 -> 3"
    assert problem.kind == "dependency_cycle"
    assert problem.extra["cycle"] == ["3", "5"]


def test_a_node_that_feeds_itself_is_a_circle() -> None:
    """The smallest one."""
    document = {"1": node("Join", a=["1", 0], b=["1", 0]), "9": node("Hang", paper=["1", 0])}
    assert refusal(document) == ["node 1 (Join): waits for itself: 1 -> 1"]


def test_each_circle_is_told_once() -> None:
    """Two of them, and a long one shortened."""
    document = {str(i): node("Darken", paper=[str((i - 1) % 100), 0]) for i in range(100)}
    document |= {
        "a": node("Darken", paper=["a", 0]),
        "j": node("Join", a=["0", 0], b=["a", 0]),
        "9h": node("Hang", paper=["j", 0]),
    }
    assert refusal(document) == [
        "node 0 (Darken): waits for itself: "
        "0 -> 1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 7 -> 8 -> … (90 more) … -> 99 -> 0",
        "node a (Darken): waits for itself: a -> a",
    ]


def test_asking_for_no_effect_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(Invalid) as refused:
        parsed(exposure(), targets=["1"])
    (problem,) = refused.value.problems
    assert problem.kind == "prompt_no_outputs"
    assert str(problem) == "none of the nodes asked for shows or saves a result"
    assert problem.details == "those that do: 3"


@pytest.mark.parametrize(("version", "shown"), [(1, "1"), (3, "3"), ("2", "'2'"), (True, "true")])
def test_another_version_of_a_node_is_refused(version: object, shown: str) -> None:
    """Its meaning may have changed; the version of the class itself is fine."""
    document = exposure()
    document["2"]["version"] = 2
    parsed(own(document))
    document["2"]["version"] = version
    assert refusal(own(document)) == [
        f"node 2 (Expose): written for version {shown} of Expose; this Safelight has version 2"
    ]


def test_the_answer_to_clients_has_the_shape_they_read() -> None:
    """Errors by node, each with its kind, and the outputs that wait for it."""
    with pytest.raises(Invalid) as refused:
        parsed({**exposure(steps=0), **LOOK})
    assert refused.value.to_json() == {
        "error": {
            "type": "prompt_outputs_failed_validation",
            "message": "the workflow has mistakes",
            "details": "node 2 (Expose): steps: 0 is below 1",
            "extra_info": {},
        },
        "node_errors": {
            "2": {
                "errors": [
                    {
                        "type": "value_smaller_than_min",
                        "message": "steps: 0 is below 1",
                        "details": "from 1 to 10000",
                        "extra_info": {
                            "input_name": "steps",
                            "input_config": [
                                "INT",
                                {
                                    "default": 20,
                                    "min": 1,
                                    "max": 10000,
                                    "tooltip": "How many flashes.",
                                },
                            ],
                            "received_value": 0,
                        },
                    }
                ],
                "dependent_outputs": ["3"],
                "class_type": "Expose",
            }
        },
    }


def test_the_answer_is_valid_json_whatever_was_received() -> None:
    """Even where NaN, a huge text or a deep list came."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    document = exposure(strength=math.nan, method="x" * 10**6, text={"a": deep}, steps=10**5000)
    with pytest.raises(Invalid) as refused:
        parsed(document)
    assert len(refused.value.problems) == 4
    answer = json.dumps(refused.value.to_json(), allow_nan=False)
    assert len(answer) < 3_000


def test_a_thousand_mistakes_are_enough() -> None:
    """A document of nothing but mistakes is refused soon, in an answer of bounded size."""
    document = {str(i): node("Hang", paper=["gone", 0]) for i in range(5_000)}
    lines = refusal(document)
    assert len(lines) == 1_001
    assert lines[-1] == "the workflow has more than 1000 mistakes; these are the first"
    assert len(refusal(dict.fromkeys(map(str, range(5_000)), 5))) == 1_000
    assert len(refusal({str(i): node("Gone") for i in range(5_000)})) == 1_001


def test_suggestions_stop_when_nobody_reads_them() -> None:
    """Looking for near names is dear; the mistakes themselves are still told."""
    document: dict[str, Any] = {"0": node("TakePaper")}
    for index in range(100):
        document[f"e{index}"] = exposure(paper=["0", 0], method="eular")["2"]
        document[f"h{index}"] = node("Hang", paper=[f"e{index}", 0])
    lines = refusal(document)
    assert len(lines) == 100
    assert lines[0] == (
        "node e0 (Expose): method: 'eular' is not one of 3 choices; nearest: 'euler'"
    )
    assert lines[-1] == "node e99 (Expose): method: 'eular' is not one of 3 choices"


def test_many_mistakes_are_all_kept_but_not_all_in_the_text() -> None:
    """The exception's text stays readable."""
    document = {str(i): node("Hang") for i in range(100)}
    with pytest.raises(Invalid) as refused:
        parsed(document)
    assert len(refused.value.problems) == 100
    assert str(refused.value).endswith("\nand 80 more problems")
