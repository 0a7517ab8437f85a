from collections.abc import Callable

import pytest
from tests.graph.bath import BATHS, run, washing
from tests.graph.darkroom import (
    NOWHERE,
    Paper,
    exposure,
    node,
)

from safelight.graph.executor import (
    Cached,
    Event,
    Finished,
    Interrupted,
    NodeFailed,
    Previewed,
    Progress,
    Started,
    Surroundings,
)
from safelight.graph.node import Shown


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that moves on by `step_s` whenever it is read."""
    times = iter(range(1_000_000))
    return lambda: next(times) * step_s


def test_events_tell_the_run_in_order() -> None:
    """What is remembered first, then each node's start, steps and end."""
    events: list[Event] = []
    run(washing(baths=2), BATHS, observe=events.append)
    assert [type(event).__name__ for event in events] == [
        "Cached", "Started", "Finished",
        "Started", "Previewed", "Progress", "Progress", "Finished",
    ]  # fmt: skip
    assert events[0] == Cached(())
    assert events[1] == Started("1")
    assert events[4] == Previewed("2", b"jpeg0")
    assert events[5:7] == [Progress("2", 1, 2), Progress("2", 2, 2)]
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.node, last.cached) == ("2", False)
    assert last.shown is not None


def test_metadata_holds_the_prompt_and_what_was_given() -> None:
    """What a saved picture carries."""
    surroundings = Surroundings(NOWHERE, metadata={"workflow": {"name": "x"}})
    (shown,) = run(washing(), BATHS, surroundings=surroundings).values()
    assert isinstance(shown, Shown)
    carried = shown.ui["baths"][0]["metadata"]
    assert isinstance(carried, dict)
    assert carried["workflow"] == {"name": "x"}
    assert carried["prompt"]["2"]["inputs"] == {"sheet": ["1", 0], "baths": 3}


def test_a_failure_names_the_node_and_keeps_the_cause() -> None:
    """With the plain inputs, and the class of the others."""
    document = {
        "1": node("NewSheet"),
        "2": node("Tear", sheet=["1", 0], number=7),
        "3": node("Wash", sheet=["2", 0]),
    }
    cache: dict[str, object] = {}
    with pytest.raises(NodeFailed) as failed:
        run(document, BATHS, cache=cache)
    assert str(failed.value) == "node 2 (Tear): torn"
    assert isinstance(failed.value.__cause__, ValueError)
    assert failed.value.cause is failed.value.__cause__
    assert failed.value.inputs == {"sheet": "Sheet", "number": 7}
    assert len(cache) == 1  # what was done before is kept for the next run


def test_a_node_must_return_what_it_promises() -> None:
    """Found where it happens, not in the node that chokes on it."""
    with pytest.raises(NodeFailed) as failed:
        run({"1": node("Lie"), "2": node("Wash", sheet=["1", 0])}, BATHS)
    assert str(failed.value) == "node 1 (Lie): run promises Sheet, but returned str"


def test_a_number_by_wire_is_held_to_the_same_range() -> None:
    """Only a run can know it."""
    document = {**washing(baths=["3", 0]), "3": node("Count", value=10)}
    with pytest.raises(NodeFailed) as failed:
        run(document, BATHS)
    assert str(failed.value) == "node 2 (Wash): baths: 10 is above 9"


def test_a_stop_before_a_node_ends_the_run() -> None:
    """Nothing is started."""
    events: list[Event] = []
    with pytest.raises(Interrupted) as stopped:
        run(washing(), BATHS, stop=lambda: True, observe=events.append)
    assert (stopped.value.node, events) == ("1", [Cached(())])


def test_a_stop_within_a_node_takes_effect_at_its_next_step() -> None:
    """The step under way is finished, the next is not begun."""
    events: list[Event] = []
    with pytest.raises(Interrupted) as stopped:
        run(
            washing(baths=9),
            BATHS,
            stop=lambda: Progress("2", 4, 9) in events,
            observe=events.append,
        )
    assert stopped.value.node == "2"
    assert events[-1] == Progress("2", 4, 9)


def test_a_stop_after_the_last_step_keeps_the_result() -> None:
    """The work is done; the run ends before the next node."""
    events: list[Event] = []
    run(washing(), BATHS, stop=lambda: Progress("2", 3, 3) in events, observe=events.append)
    assert isinstance(events[-1], Finished)


def test_previews_are_rendered_for_nobody_when_nobody_looks() -> None:
    """Rendering costs."""
    events: list[Event] = []
    surroundings = Surroundings(NOWHERE, looking=lambda: False)
    run(washing(), BATHS, surroundings=surroundings, observe=events.append)
    assert not [event for event in events if isinstance(event, Previewed)]


@pytest.mark.parametrize(("step_s", "pictures"), [(1.0, 9), (0.0625, 5), (0.0, 1)])
def test_previews_come_at_most_eight_times_a_second(step_s: float, pictures: int) -> None:
    """The first always, another when an eighth of a second has passed."""
    events: list[Event] = []
    surroundings = Surroundings(NOWHERE, clock=ticking(step_s))
    run(washing(baths=9), BATHS, surroundings=surroundings, observe=events.append)
    assert sum(isinstance(event, Previewed) for event in events) == pictures


def test_invoke_may_run_a_node_elsewhere() -> None:
    """What it returns is the node's result."""
    results = run(
        exposure(), invoke=lambda made, context: made.run(context) if made.effect else Paper(1)
    )
    assert results == {"3": Shown({"sheets": [{"name": "sheet", "grey": 1}]})}
