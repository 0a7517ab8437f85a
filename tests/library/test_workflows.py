"""Every shipped workflow is sound and runs; the embedded model is not asked to be good here."""

import json
from pathlib import Path

import pytest
from PIL import Image

import safelight.library
from safelight.graph.catalog import Catalog
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import Shown
from safelight.graph.schema import describe
from safelight.graph.workflow import apply_settings, parse
from safelight.library.values import Latent
from safelight.pretrained import BUILTIN

WORKFLOWS = sorted((Path(__file__).resolve().parents[2] / "workflows").glob("*.json"))
CATALOG = Catalog.of(safelight.library)
SCHEMA = describe(CATALOG)
SIZES = {
    "controlnet": 128,
    "text-to-image": 128,
    "image-to-image": 128,
    "hires-fix": 128,
    "textual-inversion": 128,
    "refined-guidance": 128,
    "train-lora": 128,
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_runs_as_a_function(path: Path, tmp_path: Path) -> None:
    """Its parameters can be set by name, and its result is a picture of the promised size."""
    folders = Folders(tmp_path, builtin=BUILTIN)
    folders.create()
    document = json.loads(path.read_text())
    settings = {"prompt": "a dog at night", "seed": "3", "steps": "2"}
    graph = parse(apply_settings(document, settings, SCHEMA), SCHEMA, folders)
    results = execute(graph, CATALOG, Surroundings(folders, {"workflow": document}))
    (result,) = document["results"].values()
    shown = results[result["node"]]
    assert isinstance(shown, Shown)
    (record,) = shown.ui["images"]
    with Image.open(folders.resolve("output", str(record["filename"]))) as picture:
        assert picture.size == (SIZES[path.stem],) * 2
        assert json.loads(picture.info["workflow"]) == document
        assert json.loads(picture.info["prompt"])["2"]["inputs"]["text"] == "a dog at night"


def test_there_is_a_size_for_every_workflow() -> None:
    """Who adds a workflow says here what it makes."""
    assert sorted(SIZES) == sorted(path.stem for path in WORKFLOWS)


def test_a_half_strength_pass_keeps_the_composition(tmp_path: Path) -> None:
    """Image to image at little strength stays closer to its picture than at full strength."""
    folders = Folders(tmp_path, builtin=BUILTIN)
    folders.create()
    document = json.loads((WORKFLOWS[0].parent / "image-to-image.json").read_text())
    distances: list[float] = []
    for strength in ("0.2", "1.0"):
        changed = apply_settings(document, {"strength": strength, "steps": "4"}, SCHEMA)
        graph = parse(changed, SCHEMA, folders)
        kept: dict[str, object] = {}
        execute(graph, CATALOG, Surroundings(folders), cache=kept)
        start, end = (value.samples for value in kept.values() if isinstance(value, Latent))
        distances.append((end - start).norm().item())
    assert distances[0] < distances[1]
