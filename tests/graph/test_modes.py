import pytest
from tests.graph.darkroom import NOWHERE, SCHEMA, exposure, node, own

from safelight.graph.modes import handed_on
from safelight.graph.workflow import Graph, Invalid, Link, parse


def switched(nodes: dict[str, dict[str, object]], **modes: str) -> dict[str, object]:
    """A document in which some nodes (n1, n2 ...) are switched off."""
    for key, mode in modes.items():
        nodes[key.removeprefix("n")]["_meta"] = {"mode": mode}
    return own(nodes)


def parsed(document: object) -> Graph:
    return parse(document, SCHEMA, NOWHERE)


@pytest.mark.parametrize("mode", ["mute", "never", "bypass"])
def test_an_effect_that_is_off_does_not_run(mode: str) -> None:
    """And with it nothing does that only it needs."""
    nodes = {**exposure(), "9": node("Look", thing=["1", 0])}
    assert list(parsed(switched(nodes, n3=mode)).calls) == ["1", "9"]


def test_a_bypassed_node_hands_on_its_wire() -> None:
    """However many stand in a row."""
    nodes = exposure()
    for index in range(4, 2_000):
        nodes[str(index)] = node("Darken", paper=[str(index - 1) if index > 4 else "2", 0])
        nodes[str(index)]["_meta"] = {"mode": "bypass"}
    nodes["3"]["inputs"]["paper"] = ["1999", 0]
    graph = parsed(own(nodes))
    assert list(graph.calls) == ["1", "2", "3"]
    assert graph.calls["3"].inputs["paper"] == Link("2", 0)


def test_a_bypassed_node_hands_on_the_first_wire_that_fits() -> None:
    """A word does not become paper."""
    nodes = exposure(text=["4", 0]) | {"4": node("Word", value="hello")}
    graph = parsed(switched(nodes, n2="bypass"))
    assert graph.calls["3"].inputs["paper"] == Link("1", 0)


def test_what_a_muted_node_fed_is_missing() -> None:
    """The message says why."""
    with pytest.raises(Invalid) as refused:
        parsed(switched(exposure(), n1="mute"))
    assert str(refused.value) == "node 2 (Expose): paper: is missing, since node 1 is muted"


def test_a_bypassed_node_without_wires_feeds_nothing() -> None:
    """It has nothing to hand on."""
    with pytest.raises(Invalid) as refused:
        parsed(switched(exposure(), n1="bypass"))
    assert str(refused.value) == "node 2 (Expose): paper: is missing, since node 1 is bypassed"


def test_a_muted_source_leaves_a_default_in_place() -> None:
    """An input that may be left out is left out."""
    nodes = exposure(steps=["4", 1]) | {"4": node("Cut", paper=["1", 0])}
    assert parsed(switched(nodes, n4="mute")).calls["2"].inputs["steps"] == 20


def test_bypassed_nodes_in_a_circle_feed_nothing() -> None:
    """Following them ends."""
    nodes = exposure(paper=["4", 0]) | {
        "4": node("Darken", paper=["5", 0]),
        "5": node("Darken", paper=["4", 0]),
    }
    with pytest.raises(Invalid, match=r"paper: is missing, since node 4 is bypassed$"):
        parsed(switched(nodes, n4="bypass", n5="bypass"))


def test_an_unknown_mode_is_refused() -> None:
    """Rather than taken for always."""
    with pytest.raises(Invalid) as refused:
        parsed(switched(exposure(), n2="sometimes"))
    assert str(refused.value) == (
        "node 2 (Expose): mode 'sometimes' is not one of always, bypass, mute, never"
    )


def test_modes_are_of_safelight_documents_only() -> None:
    """In a bare prompt what is there runs, as its senders expect."""
    nodes = exposure()
    nodes["1"]["_meta"] = {"mode": "mute"}
    assert list(parsed(nodes).calls) == ["1", "2", "3"]


def test_two_wires_of_one_kind_keep_their_places() -> None:
    """The second output of a bypassed node is its second input, even when that is not wired."""
    pair = [("PAPER", "a"), ("PAPER", "b"), ("MASK", "c"), ("INT", "d")]
    kinds = [kind for kind, _ in pair]

    def chosen(wanted: str, slot: int, given: str = "PAPER") -> str | None:
        index = handed_on(wanted, slot, given, kinds, SCHEMA.accepts)
        return None if index is None else pair[index][1]

    assert [chosen("PAPER", slot) for slot in range(4)] == ["a", "b", "a", "a"]
    assert chosen("MASK", 0, "MASK") == "c"
    assert chosen("STRING", 3, "STRING") is None
    assert [chosen("*", slot) for slot in (1, 2, 9)] == ["b", "c", "a"]
    assert handed_on("*", 0, "PAPER", [], SCHEMA.accepts) is None
