import gc
import weakref
from pathlib import Path
from typing import Any, ClassVar

from tests.graph.bath import BATHS, Sheet, run, washing
from tests.graph.darkroom import (
    NOWHERE,
    chain,
    exposure,
    node,
)

from safelight.graph.cache import MemoryCache
from safelight.graph.catalog import Catalog
from safelight.graph.executor import (
    Cached,
    Event,
    Finished,
    Started,
    Surroundings,
)
from safelight.graph.folders import Folders
from safelight.graph.node import Context, Node, Shown


def test_a_workflow_gives_the_results_of_its_effects() -> None:
    """3 grey, exposed for 20 steps."""
    results = run(exposure())
    assert results == {"3": Shown({"sheets": [{"name": "sheet", "grey": 23}]})}


def test_each_output_goes_where_its_slot_says() -> None:
    """A node with two outputs, both used, one as a plain number."""
    document = exposure(paper=["4", 0], steps=["4", 1])
    document |= {"4": node("Cut", paper=["1", 0])}
    (shown,) = run(document).values()
    assert shown == Shown({"sheets": [{"name": "sheet", "grey": 6}]})


def test_a_second_run_computes_nothing() -> None:
    """The effect is answered again with what it showed, the rest is not even fetched."""
    cache: dict[str, object] = {}
    first = run(exposure(), cache=cache)
    events: list[Event] = []
    again = run(exposure(), cache=cache, observe=events.append)
    assert again == first
    shown = first["3"]
    assert isinstance(shown, Shown)
    assert events == [Cached(("1", "2", "3")), Finished("3", True, shown, 0.0)]


def test_only_what_changed_is_computed_again() -> None:
    """The paper is the same, the exposure is not."""
    cache: dict[str, object] = {}
    run(exposure(), cache=cache)
    events: list[Event] = []
    run(exposure(steps=21), cache=cache, observe=events.append)
    assert events[0] == Cached(("1",))
    assert [event.node for event in events if isinstance(event, Started)] == ["2", "3"]


def test_ids_titles_and_order_do_not_matter_to_the_cache() -> None:
    """Results are named by what they depend on."""
    cache: dict[str, object] = {}
    run(exposure(), cache=cache)
    renamed: dict[str, Any] = {
        "c": node("Hang", paper=["b", 0]),
        "b": {**exposure()["2"], "_meta": {"title": "Flash"}},
        "a": node("TakePaper", grey=3),
    }
    renamed["b"]["inputs"]["paper"] = ["a", 0]
    events: list[Event] = []
    run(renamed, cache=cache, observe=events.append)
    assert not [event for event in events if isinstance(event, Started)]


def test_equal_nodes_run_once() -> None:
    """Two nodes of one graph that must give the same share the work."""
    document = {
        "1": node("TakePaper", grey=3),
        "2": node("TakePaper", grey=3),
        "3": node("Join", a=["1", 0], b=["2", 0]),
        "4": node("Hang", paper=["3", 0]),
    }
    events: list[Event] = []
    results = run(document, cache={}, observe=events.append)
    assert results["4"] == Shown({"sheets": [{"name": "sheet", "grey": 6}]})
    assert [event.node for event in events if isinstance(event, Started)] == ["1", "3", "4"]


def test_a_result_that_no_longer_holds_is_made_again() -> None:
    """The class decides: here, whether its file still exists."""
    present = True

    class Keep(Node):
        """Keep something on disk."""

        effect: ClassVar[bool] = True

        def run(self, ctx: Context) -> Shown:
            return Shown({})

        @classmethod
        def holds(cls, result: object) -> bool:
            return present

    catalog = Catalog.of(Keep)
    cache: dict[str, object] = {}

    def started() -> bool:
        events: list[Event] = []
        run({"1": node("Keep")}, catalog, cache=cache, observe=events.append)
        assert (Cached(("1",)) in events) != (Started("1") in events)
        return Started("1") in events

    assert [started(), started()] == [True, False]
    present = False
    assert started()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """Its size and time of change are part of the name."""
    folders = Folders(tmp_path)
    folders.create()
    picture = tmp_path / "input" / "a.png"
    document = {"1": node("OpenNegative", image="a.png"), "2": node("Hang", paper=["1", 0])}
    cache: dict[str, object] = {}

    def grey() -> object:
        (shown,) = run(document, cache=cache, surroundings=Surroundings(folders)).values()
        assert isinstance(shown, Shown)
        return shown.ui["sheets"][0]["grey"]

    picture.write_bytes(b"12345")
    assert grey() == 5
    picture.write_bytes(b"1234567")
    assert grey() == 7


def test_another_device_gives_another_result() -> None:
    """What was computed on one is not passed off as computed on the other."""
    cache: dict[str, object] = {}
    run(washing(), BATHS, cache=cache)
    (shown,) = run(
        washing(), BATHS, cache=cache, surroundings=Surroundings(NOWHERE, device="cuda")
    ).values()
    assert isinstance(shown, Shown)
    assert shown.ui["baths"][0]["device"] == "cuda"


def test_a_result_is_let_go_after_its_last_user() -> None:
    """Memory holds what is still needed, and no more."""
    alive: list[int] = []
    sheets: list[weakref.ref[Sheet]] = []

    def invoke(made: Node, context: Context) -> object:
        result = made.run(context)
        if isinstance(result, Sheet):
            sheets.append(weakref.ref(result))
        gc.collect()
        alive.append(sum(sheet() is not None for sheet in sheets))
        return result

    document: dict[str, Any] = {}
    for index in range(4):
        document[f"s{index}"] = node("NewSheet", number=index)
        document[f"w{index}"] = node("Wash", sheet=[f"s{index}", 0])
    run(document, BATHS, invoke=invoke)
    assert max(alive) == 1


def test_a_chain_of_ten_thousand_runs() -> None:
    """Each adds one; and again from the cache."""
    cache: dict[str, object] = {}
    for _ in range(2):
        results = run(chain(10_000), cache=cache)
        assert results["last"] == Shown({"sheets": [{"name": "sheet", "grey": 9_998}]})


def test_a_tree_of_ten_thousand_runs() -> None:
    """Every node joins two below it: the sum of all leaves arrives."""
    inner = 5_000
    document: dict[str, Any] = {
        str(i): node("Join", a=[str(2 * i + 1), 0], b=[str(2 * i + 2), 0]) for i in range(inner)
    }
    document |= {str(i): node("TakePaper", grey=1) for i in range(inner, 2 * inner + 1)}
    document["h"] = node("Hang", paper=["0", 0])
    results = run(document)
    assert results["h"] == Shown({"sheets": [{"name": "sheet", "grey": inner + 1}]})


def test_two_effects_that_look_alike_both_run() -> None:
    """Saving twice was asked for twice."""
    document = {**exposure(), "4": node("Hang", paper=["2", 0])}
    events: list[Event] = []
    run(document, cache={}, observe=events.append)
    assert [event.node for event in events if isinstance(event, Started)] == ["1", "2", "3", "4"]


def test_workflows_that_take_turns_keep_their_results() -> None:
    """The cache is bounded by bytes, not by the last workflow."""
    cache = MemoryCache(100, lambda value: 1)
    events: list[Event] = []
    for _ in range(3):
        for grey in (1, 2):
            document = {"1": node("TakePaper", grey=grey), "2": node("Hang", paper=["1", 0])}
            run(document, cache=cache, observe=events.append)
    assert [event.node for event in events if isinstance(event, Started)] == ["1", "2"] * 2
