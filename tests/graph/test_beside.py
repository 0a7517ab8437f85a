from collections.abc import Iterator

import pytest
from tests.graph.abacus import Keep, Later, look, seen, shown
from tests.graph.darkroom import node

from safelight.graph.executor import Event, Finished, Interrupted, NodeFailed


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Nobody has begun, nobody may go on."""
    Keep.begun.clear()
    Keep.allowed.clear()
    Keep.kept.clear()
    Later.guests.clear()
    yield
    Keep.allowed.set()


def test_keeping_does_not_hold_up_other_nodes() -> None:
    """What is kept waits for a node that stands behind it."""
    document = {
        "1": node("Number", value=3),
        "2": node("Keep", number=["1", 0]),
        "3": node("Release", number=["1", 0]),
    }
    assert shown(document) == {"2": {"kept": [{"number": 3}]}, "3": {"began": [{"began": True}]}}


def test_a_run_ends_when_everything_is_kept_in_the_order_asked() -> None:
    """One thread, so that numbers of files do not clash."""
    nodes = {f"k{index}": node("Keep", number=index) for index in range(5)}
    shown({**nodes, "z": node("Release", number=1)})
    assert Keep.kept == [0, 1, 2, 3, 4]


def test_a_failure_beside_is_told_at_its_node() -> None:
    """The disk is full while others compute."""
    document = {"1": node("Keep", number=-1), "2": node("Release", number=1)}
    with pytest.raises(NodeFailed) as failed:
        shown(document)
    assert str(failed.value) == "node 1 (Keep): the disk is full"


def test_a_failure_elsewhere_still_lets_the_keeping_end() -> None:
    """What was made is on disk, and told."""
    events: list[Event] = []
    document = {
        "1": node("Keep", number=4),
        "2": node("Release", number=1),
        "3": node("Bad", nodes="link"),
        "4": node("Look", number=["3", 0]),
    }
    with pytest.raises(NodeFailed, match="node 3"):
        shown(document, observe=events.append)
    assert Keep.kept == [4]
    assert any(isinstance(event, Finished) and event.node == "1" for event in events)


def test_coroutines_run_together() -> None:
    """Each waits for the other to have begun."""
    nodes = {"1": node("Later", number=1, party=2), "2": node("Later", number=2, party=2)}
    assert seen(look("3", {**nodes, "3": node("Add", a=["1", 0], b=["2", 0])})) == [3]


def test_the_calls_of_a_coroutine_over_a_list_run_together() -> None:
    """In the order of the list."""
    nodes = {"1": node("Upto", below=4), "2": node("Later", number=["1", 0], party=4)}
    assert seen(look("2", nodes)) == [0, 1, 2, 3]


def test_a_stop_ends_the_wait_for_a_coroutine() -> None:
    """It would wait for ever."""
    with pytest.raises(Interrupted) as stopped:
        shown(look("1", {"1": node("Later", number=1, party=2)}), stop=lambda: bool(Later.guests))
    assert stopped.value.node == "1"
