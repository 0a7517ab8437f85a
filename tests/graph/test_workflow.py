import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.darkroom import NOWHERE, SCHEMA, chain, exposure, node, own

from safelight.graph.folders import Folders
from safelight.graph.records import NodeSpec
from safelight.graph.schema import Schema
from safelight.graph.workflow import Graph, Invalid, Link, parse

LOOK = {"9": node("Look", thing=["1", 0])}


def refusal(document: object, **options: Any) -> list[str]:
    """What is wrong with a document, one line for each mistake."""
    with pytest.raises(Invalid) as refused:
        parse(document, SCHEMA, NOWHERE, **options)
    return [str(problem) for problem in refused.value.problems]


def parsed(document: object, **options: Any) -> Graph:
    """The graph of a document that has no mistakes."""
    return parse(document, SCHEMA, NOWHERE, **options)


def test_sources_stand_before_their_users() -> None:
    """Whatever the order of the document."""
    document = dict(reversed(exposure().items()))
    assert list(parsed(document).calls) == ["1", "2", "3"]


def test_a_document_and_its_nodes_alone_mean_the_same() -> None:
    """A bare API prompt is a Safelight document's nodes."""
    assert parsed(own(exposure())) == parsed(exposure())


def test_values_are_given_in_the_exact_type_of_their_input() -> None:
    """As the browser sends them, and with the defaults of what is left out."""
    graph = parsed(exposure(seed=str(2**64 - 1), strength=2, text=5))
    inputs = graph.calls["2"].inputs
    assert inputs["seed"] == 2**64 - 1
    assert (inputs["strength"], type(inputs["strength"])) == (2.0, float)
    assert inputs["text"] == "5"
    assert inputs["steps"] == 20
    assert inputs["paper"] == Link("1", 0)
    assert "mask" not in inputs


def test_the_prompt_of_a_graph_gives_the_same_graph() -> None:
    """What a picture carries can be run again."""
    graph = parsed(exposure(seed="7"))
    prompt = json.loads(json.dumps(graph.prompt()))
    assert prompt["2"]["inputs"]["seed"] == 7
    assert parsed(prompt) == graph


def test_titles_are_kept_in_the_prompt() -> None:
    """So that a picture's workflow shows them."""
    document = exposure()
    document["2"]["_meta"] = {"title": "Flash"}
    assert parsed(document).prompt()["2"]["_meta"] == {"title": "Flash"}


def test_only_what_effects_need_is_checked() -> None:
    """Half-built nodes beside the graph harm nobody, nor do unknown ones."""
    document = {**exposure(), "4": node("Expose"), "5": node("FromTheFuture")}
    assert list(parsed(document).calls) == ["1", "2", "3"]


def test_values_of_undeclared_inputs_are_ignored() -> None:
    """Other programs send their buttons along."""
    document = exposure(refresh="refresh", is_changed=[])
    del document["2"]["inputs"]["is_changed"]
    assert "refresh" not in parsed(document).calls["2"].inputs


def test_a_value_in_a_wrapper_is_unwrapped() -> None:
    """That is how a literal list is told from a link."""
    assert parsed(exposure(steps={"__value__": 5})).calls["2"].inputs["steps"] == 5


def test_null_leaves_an_optional_input_empty() -> None:
    """And only an optional one."""
    assert "mask" not in parsed(exposure(mask=None)).calls["2"].inputs
    assert refusal(exposure(text=None)) == ["node 2 (Expose): text: want text, got nothing"]


def test_a_plain_input_takes_a_wire_of_its_own_type() -> None:
    """INT from INT, STRING from STRING."""
    document = exposure(steps=["4", 1], text=["5", 0])
    document |= {"4": node("Cut", paper=["1", 0]), "5": node("Word", value="hello")}
    assert parsed(document).calls["2"].inputs["steps"] == Link("4", 1)


def test_a_special_paper_goes_where_paper_goes() -> None:
    """Compatibility is that of the classes."""
    document = {"1": node("TakeGlossy"), "2": node("Hang", paper=["1", 0])}
    assert list(parsed(document).calls) == ["1", "2"]


def test_targets_choose_among_the_effects() -> None:
    """Only what they need is in the graph."""
    document = {**exposure(), **LOOK}
    assert parsed(document).wanted == ("3", "9")
    graph = parsed(document, targets=["9", "unknown"])
    assert (graph.wanted, list(graph.calls)) == (("9",), ["1", "9"])


def test_good_effects_may_run_without_the_bad_ones() -> None:
    """Where that is allowed, what was dropped is told."""
    document = {**exposure(steps=0), **LOOK, "5": node("Hang", paper=["2", 0])}
    graph = parsed(document, partial=True)
    assert (graph.wanted, list(graph.calls)) == (("9",), ["1", "9"])
    (problem,) = graph.problems
    assert (problem.message, problem.outputs) == ("steps: 0 is below 1", ("3", "5"))


def test_partly_is_not_enough_when_nothing_is_good() -> None:
    """Then it is refused as a whole."""
    assert refusal(exposure(steps=0), partial=True) == ["node 2 (Expose): steps: 0 is below 1"]


def test_a_circle_spoils_only_what_hangs_on_it() -> None:
    """An effect beside it runs, where that is allowed."""
    circle = {"7": node("Darken", paper=["7", 0]), "8": node("Hang", paper=["7", 0])}
    assert parsed({**exposure(), **circle}, partial=True).wanted == ("3",)


def test_a_chain_of_ten_thousand_is_no_deeper_than_the_stack_allows() -> None:
    """Nothing recurses: neither checking, nor ordering, nor reporting a mistake at the far end."""
    document = chain(10_000)
    assert len(parsed(document).calls) == 10_000
    document["0"]["inputs"]["grey"] = -1
    assert refusal(document) == ["node 0 (TakePaper): grey: -1 is below 0"]
    document["0"] = node("Darken", paper=["9998", 0])
    assert len(refusal(document)) == 1


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With near names, and the list when it is short."""
    folders = Folders(tmp_path)
    folders.create()
    (tmp_path / "input" / "cat.png").write_bytes(b"meow")
    document = {"1": node("OpenNegative", image="cat.png"), "2": node("Hang", paper=["1", 0])}
    parse(document, SCHEMA, folders)
    document["1"]["inputs"]["image"] = "cta.png"
    with pytest.raises(Invalid) as refused:
        parse(document, SCHEMA, folders)
    (problem,) = refused.value.problems
    assert problem.message == "image: input: there is no file 'cta.png'; nearest: 'cat.png'"
    assert (problem.kind, problem.details) == ("value_not_in_list", "one of 'cat.png'")


class Counted(dict[str, NodeSpec]):
    """Node records that count how often they are asked for."""

    asked = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.asked += 1
        return super().get(key, default)


def test_the_work_grows_as_the_graph_does() -> None:
    """Each node and each wire is looked at a fixed number of times."""

    def work(count: int) -> int:
        nodes = Counted(SCHEMA.nodes)
        parse(chain(count), Schema(nodes, SCHEMA.types), NOWHERE)
        return nodes.asked

    assert work(2_000) - work(1_000) == 2 * (work(1_000) - work(500))


TEXT = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
VALUES = JSON | st.tuples(st.sampled_from("0123"), st.integers(-1, 2)).map(list)
NODES = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from([*SCHEMA.nodes, "Unknown"]),
        "inputs": st.dictionaries(
            st.sampled_from(["paper", "a", "b", "by", "thing", "value", "grey", "steps"]),
            VALUES,
            max_size=3,
        ),
    }
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from("0123"), NODES | JSON, max_size=4) | JSON, st.booleans())
def test_whatever_comes_is_parsed_or_refused(document: object, partial: bool) -> None:
    """No other exception leaves parse, and a graph never names what it does not hold."""
    try:
        graph = parsed(document, partial=partial)
    except Invalid as refused:
        answer = refused.to_json()
        assert json.dumps(answer, allow_nan=False)  # either outcome is right
        return
    seen: set[str] = set()
    for key, call in graph.calls.items():
        for value in call.inputs.values():
            assert not isinstance(value, Link) or value.source in seen
        seen.add(key)
    assert set(graph.wanted) <= seen
