"""A table of variations, on the tiny model."""

from typing import Any

import pytest
import torch

from safelight.graph.catalog import Catalog
from safelight.graph.executor import Event, NodeFailed, Started, Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.schema import describe
from safelight.graph.workflow import parse
from safelight.library.grid import GAP, XYGrid, laid_out
from safelight.library.image import PreviewImage
from safelight.library.image_adjust import ImageInvert
from safelight.library.image_batch import EmptyImage

CATALOG = Catalog.of(EmptyImage, ImageInvert, XYGrid, PreviewImage)


def node(class_type: str, **inputs: object) -> dict[str, Any]:
    """One node as a workflow writes it."""
    return {"class_type": class_type, "inputs": inputs}


def document(**grid: object) -> dict[str, Any]:
    """A table of pictures 8 wide and 16 high, all of one colour, which can be varied."""
    given: dict[str, object] = {"image": ["2", 0], "x_input": "1.color", "labels": False, **grid}
    return {
        "1": node("EmptyImage", width=8, height=16, batch_size=1, color=0),
        "2": node("ImageInvert", image=["1", 0]),
        "3": node("XYGrid", **given),
        "4": node("PreviewImage", images=["3", 0]),
    }


def run(prompt: dict[str, Any], folders: Folders, **plugs: Any) -> list[str]:
    """Run a workflow; return the classes of the nodes that ran."""
    graph = parse(prompt, describe(CATALOG), folders)
    events: list[Event] = []
    execute(graph, CATALOG, Surroundings(folders), observe=events.append, **plugs)
    return [event.node for event in events if isinstance(event, Started)]


def test_each_cell_is_made_and_what_cells_share_is_made_once(folders: Folders) -> None:
    """The first colour is that of the graph itself; again with a third, one more of each."""
    cache: dict[str, object] = {}
    ran = run(document(x_values="0\n255"), folders, cache=cache)
    assert ran == ["3", "1", "2", "3.0.0.1.1", "3.0.0.1.2", "4"]
    again = run(document(x_values="0\n255\n65280"), folders, cache=cache)
    assert again == ["3", "3.0.0.2.1", "3.0.0.2.2", "4"]


def test_a_cell_equals_the_picture_made_alone(folders: Folders) -> None:
    """The table is the pictures side by side, the second direction downwards."""
    cache: dict[str, object] = {}
    run(document(x_values="0\n255", y_input="1.height", y_values="16\n8"), folders, cache=cache)
    sheets = [value for value in cache.values() if getattr(value, "wire", "") == "IMAGE"]
    (sheet,) = (s for s in sheets if getattr(s, "pixels").shape[2] > 8)  # noqa: B009
    pixels = getattr(sheet, "pixels")[0]  # noqa: B009
    assert pixels.shape == (16 + GAP + 16, 8 + GAP + 8, 3)
    assert torch.equal(pixels[:16, :8], torch.ones(16, 8, 3))
    blue = torch.tensor([1.0, 1.0, 0.0]).expand(8, 8, 3)
    assert torch.equal(pixels[16 + GAP + 4 : -4, 8 + GAP :], blue)


def test_words_stand_at_the_edges() -> None:
    """And take room only where there are some."""
    picture = torch.zeros(40, 40, 3)
    plain = laid_out([picture, picture], ["", ""], [""])
    assert plain.shape == (1, 40, 80 + GAP, 3)
    told = laid_out([picture, picture], ["cfg = 1", "cfg = 2"], ["seed = 3"])
    assert told.shape[1] > 40
    assert told.shape[2] > 80 + GAP
    assert 0 < told[0, : told.shape[1] - 40].mean() < 1


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"x_values": ""}, "1.color: there are no values; write one on each line"),
        ({"x_input": "1.colour", "x_values": "1"},
         "1.colour: EmptyImage has no value 'colour'; nearest: 'color'"),
        ({"x_values": "red"}, "3.0.0.0.1: color: want a whole number, got 'red'"),
    ],
)  # fmt: skip
def test_what_cannot_be_varied_is_told(
    grid: dict[str, object], message: str, folders: Folders
) -> None:
    """At the node of the table."""
    with pytest.raises(NodeFailed) as failed:
        run(document(**grid), folders)
    assert str(failed.value) == f"node 3 (XYGrid): {message}"
