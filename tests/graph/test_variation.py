from collections.abc import Sequence

import pytest
from tests.graph.abacus import ABACUS
from tests.graph.darkroom import NOWHERE, node

from safelight.graph.schema import describe
from safelight.graph.variation import Place, variations
from safelight.graph.wiring import Graph, Link
from safelight.graph.workflow import parse


@pytest.fixture(scope="module")
def graph() -> Graph:
    """(1 + 2) + 5, looked at; and a number that has no part in it."""
    document = {
        "1": node("Number", value=1),
        "2": node("Number", value=2),
        "3": node("Add", a=["1", 0], b=["2", 0]),
        "4": node("Add", a=["3", 0], b=5),
        "look": node("Look", number=["4", 0]),
        "6": node("Number", value=9),
        "other": node("Look", number=["6", 0]),
    }
    return parse(document, describe(ABACUS), NOWHERE)


def made(graph: Graph, *settings: dict[str, str]) -> tuple[Sequence[str], Sequence[Link]]:
    """The copies of some variations of node 4, and where the results are."""
    places = [{Place.of(k, graph): v for k, v in each.items()} for each in settings]
    nodes, links = variations(graph, Link("4", 0), places)
    return sorted(nodes), links


def test_only_what_stands_behind_a_changed_value_is_copied(graph: Graph) -> None:
    """The rest is shared by all variations."""
    assert made(graph, {"4.b": "6"}) == (["0.4"], [Link("0.4", 0)])
    copies, links = made(graph, {"2.value": "6"}, {})
    assert (copies, links) == (["0.2", "0.3", "0.4"], [Link("0.4", 0), Link("4", 0)])


def test_copies_take_the_changed_values_and_each_others_results(graph: Graph) -> None:
    """Wires from what is not copied stay."""
    nodes, _ = variations(graph, Link("4", 0), [{Place("2", "value"): "6"}])
    assert nodes["0.2"].inputs == {"value": "6"}
    assert nodes["0.3"].inputs == {"a": Link("1", 0), "b": Link("0.2", 0)}
    assert nodes["0.4"].inputs == {"a": Link("0.3", 0), "b": 5}


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("steps", "'steps' is no input; write NODE.INPUT, as 3.steps"),
        ("9.value", "9.value: there is no node '9'"),
        ("1.valu", "1.valu: Number has no value 'valu'; nearest: 'value'"),
        ("6.value", "6.value has no part in what is compared"),
    ],
)
def test_a_place_that_cannot_vary_is_refused(graph: Graph, place: str, message: str) -> None:
    """Naming what is near."""
    with pytest.raises(ValueError, match=place) as refused:
        made(graph, {place: "1"})
    assert str(refused.value) == message
