from typing import Annotated, Any

import pytest
from tests.graph.abacus import ABACUS, Tick, look, seen, shown, started
from tests.graph.darkroom import NOWHERE, node

from safelight.graph.catalog import Catalog
from safelight.graph.executor import Event, Expanded, Finished, NodeFailed, Surroundings, Warned
from safelight.graph.node import Context, Lazy, Node, NodeDefinitionError, Output
from safelight.graph.schema import describe

FORK: dict[str, Any] = {"1": node("Number", value=1), "2": node("Number", value=2)}


@pytest.mark.parametrize(("which", "number"), [("first", 1), ("second", 2), ("neither", 0)])
def test_only_the_chosen_branch_runs(which: str, number: int) -> None:
    """The other is not even begun."""
    fork = node("Choose", first=["1", 0], second=["2", 0], which=which)
    events: list[Event] = []
    assert seen(look("3", {**FORK, "3": fork}), observe=events.append) == [number]
    branch = [str(number)] if number else []
    assert started(events) == [*branch, "3", "look"]


def test_a_branch_may_be_chosen_by_wire_and_for_each_value() -> None:
    """A list of values asks for what any of them needs."""
    fork = node("Choose", first=["1", 0], second=5)
    assert seen(look("3", {**FORK, "3": fork})) == [1]


def test_a_lazy_input_that_nothing_feeds_is_named_when_needed() -> None:
    """It could not be known before."""
    with pytest.raises(NodeFailed) as failed:
        shown(look("3", {"3": node("Choose", which="second")}))
    message = "node 3 (Choose): it needs second, which has neither wire nor value"
    assert str(failed.value) == message


def test_lazy_inputs_without_needs_are_refused() -> None:
    """Nothing would ever be made for them."""

    class Sleep(Node):
        """Sleep."""

        number: Annotated[int | None, Lazy()] = None

        def run(self, ctx: Context) -> Annotated[int, Output("INT")]:
            return 0

    with pytest.raises(NodeDefinitionError) as refused:
        describe(Catalog.of(Sleep))
    assert str(refused.value).endswith(
        "lazy inputs are made only if `needs` asks for them, and it is not there"
    )


def gated(below: int, **inputs: Any) -> dict[str, Any]:
    """Numbers, of which some get through a gate and are added to."""
    return look(
        "3",
        {
            "1": node("Upto", below=below),
            "2": node("Gate", number=["1", 0], **inputs),
            "3": node("Add", a=["2", 0], b=10),
        },
    )


def test_what_is_blocked_calls_nobody_and_the_run_goes_on() -> None:
    """2 and 3 do not get through."""
    events: list[Event] = []
    assert seen(gated(4), observe=events.append) == [10, 11]
    assert not [event for event in events if isinstance(event, Warned)]


def test_the_reason_of_a_block_is_told_once_where_it_hurts_first() -> None:
    """At the node that was not called, not at those behind it."""
    events: list[Event] = []
    assert seen(gated(3, reason="too large"), observe=events.append) == [10, 11]
    assert [event for event in events if isinstance(event, Warned)] == [Warned("3", "too large")]


def test_a_wholly_blocked_effect_shows_nothing() -> None:
    """And is told again on the next run, for nothing of it is remembered."""
    document = look("2", {"1": node("Number", value=5)})
    document["2"] = node("Gate", number=["1", 0], reason="no")
    cache: dict[str, object] = {}
    for _ in range(2):
        events: list[Event] = []
        assert shown(document, cache=cache, observe=events.append) == {"look": {}}
        assert Warned("look", "no") in events
        assert isinstance(events[-1], Finished)
        assert events[-1].shown is None


def test_one_blocked_value_blocks_a_node_that_takes_the_list() -> None:
    """It cannot be called with a part."""
    document = gated(4)
    document["3"] = node("Sum", numbers=["2", 0])
    assert seen(document) == []


def test_a_node_may_show_and_hand_on() -> None:
    """An effect in the middle of a graph."""
    document = look("2", {"1": node("Number", value=4), "2": node("Tell", number=["1", 0])})
    assert shown(document) == {"2": {"told": [{"number": 4}]}, "look": {"numbers": [{"number": 5}]}}


def test_the_executor_tells_a_node_of_itself_and_the_graph() -> None:
    """By inputs that are no sockets."""
    document = {"7": node("Inquire")}
    (told,) = shown(document, surroundings=Surroundings(NOWHERE, {"workflow": 1}))["7"]["told"]
    prompt = {"7": {"class_type": "Inquire", "inputs": {}}}
    assert told == {"me": "7", "prompt": prompt, "carried": {"workflow": 1}, "same": True}


def test_a_result_that_depends_on_its_id_is_not_taken_from_another() -> None:
    """The same node under another id."""
    cache: dict[str, object] = {}
    shown({"7": node("Inquire")}, cache=cache)
    assert shown({"8": node("Inquire")}, cache=cache)["8"]["told"][0]["me"] == "8"


def test_what_must_be_made_anew_is() -> None:
    """And all that hangs on it."""
    Tick.times.clear()
    cache: dict[str, object] = {}
    document = look("1", {"1": node("Tick")})
    assert [seen(document, cache=cache) for _ in range(3)] == [[1], [2], [3]]


def test_clients_are_told_of_lists_lazy_inputs_wires_and_hidden_inputs() -> None:
    """In the shape that ComfyUI's clients know."""
    schema = describe(ABACUS)
    assert type(schema).from_json(schema.to_json()) == schema
    listed = schema.object_info(NOWHERE)
    assert listed["Upto"]["output_is_list"] == [True]
    assert listed["Sum"]["is_input_list"] is True
    assert listed["Choose"]["input"]["optional"]["first"] == ["INT", {"lazy": True}]
    assert listed["Tenfold"]["input"]["required"]["number"][1]["rawLink"] is True
    told = {
        "prompt": "PROMPT", "graph": "DYNPROMPT", "carried": "EXTRA_PNGINFO", "me": "UNIQUE_ID"
    }  # fmt: skip
    assert listed["Inquire"]["input"]["hidden"] == told
    assert listed["Inquire"]["input_order"]["hidden"] == list(told)


def test_an_expansion_runs_in_place_of_its_node() -> None:
    """Its nodes tell whose they are; what shows something among them is run."""
    events: list[Event] = []
    document = look("2", {"1": node("Number", value=3), "2": node("Tenfold", number=["1", 0])})
    assert seen(document, observe=events.append) == [30]
    children = {"2.0.0.twice": "Add", "2.0.0.look": "Look", "2.0.0.five": "Sum"}
    assert [e.children for e in events if isinstance(e, Expanded)] == [children]
    assert sorted(started(events)) == sorted(["2", "1", *children, "look"])


def test_an_expanded_node_is_remembered_whole_and_in_parts() -> None:
    """Again, nothing runs; and what it is made of serves others."""
    cache: dict[str, object] = {}
    document = look("2", {"1": node("Number", value=3), "2": node("Tenfold", number=["1", 0])})
    seen(document, cache=cache)
    events: list[Event] = []
    assert seen(document, cache=cache, observe=events.append) == [30]
    assert started(events) == []
    same = look("2", {"1": node("Number", value=3), "2": node("Add", a=["1", 0], b=["1", 0])})
    assert seen(same, cache=cache, observe=events.append) == [6]
    assert started(events) == []


def test_a_node_may_expand_into_itself_a_thousand_times() -> None:
    """A loop, without recursion."""
    assert seen(look("1", {"1": node("Countdown", number=1_000)})) == [1_000]


def test_each_call_over_a_list_expands_for_itself() -> None:
    """0, 1 and 2 steps."""
    document = look("2", {"1": node("Upto", below=3), "2": node("Countdown", number=["1", 0])})
    assert seen(document) == [0, 1, 2]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ("class", "1.0.0.x: there is no node class 'Addd'; nearest: 'Add'"),
        ("input", "1.0.0.x: Add has no input 'c'"),
        ("link", "the expansion links to 'nowhere', which is no node"),
        ("slot", "1.0.0.x (Add) has no output 1"),
        ("value", "1.0.0.x: a: want a whole number, got 'one'"),
        ("circle", "the expansion waits for itself: 1.0.0.x -> 1.0.0.x"),
    ],
)
def test_a_wrong_expansion_is_told_at_its_node(nodes: str, message: str) -> None:
    """Before any of it runs."""
    with pytest.raises(NodeFailed) as failed:
        shown(look("1", {"1": node("Bad", nodes=nodes)}))
    assert str(failed.value) == f"node 1 (Bad): {message}"
