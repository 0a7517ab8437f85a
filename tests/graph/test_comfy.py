import pytest
from tests.graph.darkroom import NOWHERE, SCHEMA, exposure, node, own

from safelight.graph.comfy import nodes_of, recognise
from safelight.graph.workflow import Invalid, parse


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (own(exposure()), "safelight"),
        (exposure(), "api"),
        ({"nodes": [], "links": []}, "ui"),
        ({"nodes": node("Hang")}, "api"),
    ],
)
def test_formats_are_told_apart(document: dict[str, object], name: str) -> None:
    """A node of a bare prompt may even be called "nodes"."""
    assert recognise(document) == name


def test_what_a_document_says_of_a_node_is_read() -> None:
    """Inputs may be missing, for a node without any."""
    entry = {"class_type": "Hang", "version": 3, "_meta": {"title": "T", "mode": "mute"}}
    (read,) = nodes_of(own({"1": entry})).values()
    assert (read.class_type, read.inputs, read.version) == ("Hang", {}, 3)
    assert (read.title, read.mode) == ("T", "mute")


def test_strange_notes_beside_a_node_harm_nobody() -> None:
    """They are not needed to run it."""
    (read,) = nodes_of(
        own({"1": {"class_type": "Hang", "_meta": {"title": 5, "mode": []}}})
    ).values()
    assert (read.title, read.mode) == ("", "always")
    (read,) = nodes_of(own({"1": {"class_type": "Hang", "_meta": 5}})).values()
    assert read.title == ""


@pytest.mark.parametrize(
    ("document", "messages"),
    [
        ([], ["a workflow is a JSON object, got a list"]),
        (None, ["a workflow is a JSON object, got nothing"]),
        ("text", ["a workflow is a JSON object, got 'text'"]),
        ({}, ["no node shows or saves a result"]),
        ({"safelight": 1}, ['"nodes" is an object of nodes by id, it is missing']),
        ({"safelight": 1, "nodes": 5}, ['"nodes" is an object of nodes by id, got 5']),
        (
            {"safelight": 2, "nodes": {}},
            ["the workflow is in format 2; this Safelight reads format 1"],
        ),
        (
            {"safelight": True, "nodes": {}},
            ["the workflow is in format true; this Safelight reads format 1"],
        ),
        ({"nodes": {}}, ['the workflow has "nodes" but does not say which format it is in']),
        (
            {"nodes": [], "links": []},
            ["no node shows or saves a result"],
        ),
        (
            {"1": 5, "2": {}, "3": {"class_type": 5}, "4": {"class_type": "Hang", "inputs": []}},
            [
                "node 1: a node is an object, got 5",
                "node 2: class_type is missing",
                "node 3: class_type is text, got 5",
                "node 4: inputs is an object, got a list",
            ],
        ),
        ({5: node("Hang")}, ["the id of a node is text, got 5"]),
        (
            {"1": node("Hnag"), "2": node("Xylophone")},
            [
                "node 1 (Hnag): there is no node class 'Hnag'; nearest: 'Hang'",
                "node 2 (Xylophone): there is no node class 'Xylophone'",
                "no node shows or saves a result",
            ],
        ),
        ({"1": node("TakePaper")}, ["no node shows or saves a result"]),
    ],
)
def test_what_is_no_workflow_is_refused(document: object, messages: list[str]) -> None:
    """In words that say what was wanted."""
    with pytest.raises(Invalid) as refused:
        parse(document, SCHEMA, NOWHERE)
    assert [str(problem) for problem in refused.value.problems] == messages


def test_a_file_of_comfyuis_canvas_is_no_workflow_before_it_is_converted() -> None:
    """Who has no schema at hand cannot name its values."""
    with pytest.raises(Invalid, match=r"is what ComfyUI's canvas saves, where a workflow is want"):
        nodes_of({"nodes": [], "links": []})
