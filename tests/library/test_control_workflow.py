"""The shipped ControlNet does what its card says: edges are followed, and the prompt too."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import safelight.library
from safelight.diffusion.edges import canny, edge_agreement
from safelight.graph.catalog import Catalog
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import Shown
from safelight.graph.schema import describe
from safelight.graph.workflow import apply_settings, parse
from safelight.library.pictures import read_picture
from safelight.pretrained import BUILTIN
from safelight.training.world import Actor, Scene, render

DOCUMENT = Path(__file__).resolve().parents[2] / "workflows" / "controlnet.json"
CATALOG = Catalog.of(safelight.library)
SCHEMA = describe(CATALOG)
AGREES = 0.8  # F1 within two pixels, as the model card promises


@pytest.fixture
def home(tmp_path: Path) -> Folders:
    """A home with a picture of a small cat at the left; no prompt below tells of either."""
    made = Folders(tmp_path, builtin=BUILTIN)
    made.create()
    scene = Scene((Actor("cat", "grey", size="small"),), "meadow", setting_named=True, side="left")
    render(scene, 128).save(tmp_path / "input" / "aside.png")
    return made


def drawn(home: Folders, document: Mapping[str, Any], **settings: str) -> Tensor:
    """Run the workflow along that picture's edges; return what it wrote."""
    asked = {"8.image": "aside.png", "seed": "3", "steps": "12", **settings}
    graph = parse(apply_settings(document, asked, SCHEMA), SCHEMA, home)
    shown = execute(graph, CATALOG, Surroundings(home))["7"]
    assert isinstance(shown, Shown)
    (record,) = shown.ui["images"]
    pixels, _ = read_picture(home.resolve("output", str(record["filename"])))
    return pixels.movedim(-1, 1)


def agreement(picture: Tensor, home: Folders) -> float:
    """F1 of a picture's edges with the given ones."""
    given, _ = read_picture(home.resolve("input", "aside.png"))
    edges = canny(given.movedim(-1, 1), 0.2, 0.4)
    return float(edge_agreement(canny(picture, 0.2, 0.4), edges))


def test_edges_are_followed_and_the_prompt_too(home: Folders) -> None:
    """The cat is drawn where the hint has it, in the colour that only the prompt tells."""
    document = json.loads(DOCUMENT.read_text())
    orange, blue = (
        drawn(home, document, prompt=f"{colour} cat on the grass")
        for colour in ("an orange", "a blue")
    )
    free = drawn(home, document, prompt="an orange cat on the grass", strength="0.0")
    assert agreement(orange, home) >= AGREES
    assert agreement(blue, home) >= AGREES
    assert agreement(free, home) < AGREES - 0.1
    difference = (orange - blue)[0].mean(dim=(1, 2))
    assert difference[0] > 0.01
    assert difference[2] < -0.01


def test_strength_nought_changes_no_pixel(home: Folders) -> None:
    """It is the picture that the same prompts give without the ControlNet."""
    document = json.loads(DOCUMENT.read_text())
    nought = drawn(home, document, strength="0.0")
    document["nodes"]["5"]["inputs"] |= {"positive": ["2", 0], "negative": ["3", 0]}
    assert drawn(home, document).equal(nought)
