"""What a saved picture tells of how it was made, and that it can be told not to."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image as PillowImage

import safelight.library
from safelight.graph.catalog import Catalog
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.graph.parameters import read_parameters
from safelight.graph.schema import describe
from safelight.graph.workflow import parse
from safelight.library.image import SaveImage
from safelight.library.values import Image

TEXT = """a cät in a hat
Negative prompt: blurry
Steps: 9, Sampler: LMS, Schedule type: Karras, CFG scale: 4, Seed: 7, Size: 64x32, Model: toon"""
CATALOG = Catalog.of(safelight.library)
SCHEMA = describe(CATALOG)
PROMPT: dict[str, Any] = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "told"}},
}


def texts(path: Path) -> dict[Any, Any]:
    """What a picture carries."""
    with PillowImage.open(path) as picture:
        return dict(picture.info)


def test_a_saved_picture_carries_the_text_of_other_programs(tmp_path: Path) -> None:
    """It reads back as the prompt that it was written of."""
    prompt, _ = read_parameters(TEXT)
    ctx = NullContext(Folders(tmp_path), metadata={"prompt": prompt, "workflow": {}})
    SaveImage(images=Image(torch.zeros(1, 8, 8, 3)), filename_prefix="told").run(ctx)
    carried = texts(tmp_path / "output" / "told_00001_.png")
    assert carried["parameters"] == TEXT
    assert read_parameters(carried["parameters"])[0] == prompt
    assert json.loads(carried["prompt"]) == prompt


def test_a_picture_that_no_sampler_made_carries_no_such_text(tmp_path: Path) -> None:
    """There is nothing to tell in it; the workflow is there all the same."""
    ctx = NullContext(Folders(tmp_path), metadata={"prompt": PROMPT})
    SaveImage(images=Image(torch.zeros(1, 8, 8, 3)), filename_prefix="told").run(ctx)
    assert list(texts(tmp_path / "output" / "told_00001_.png")) == ["prompt"]


def test_a_run_may_be_told_to_keep_it_to_itself(tmp_path: Path) -> None:
    """Then nothing is written into the file, although the same picture is remembered with it."""
    folders = Folders(tmp_path)
    graph = parse(PROMPT, SCHEMA, folders)
    around = Surroundings(folders, {"workflow": {"safelight": 1}})
    kept: dict[str, Any] = {}
    for tells in (True, False, False):
        execute(graph, CATALOG, replace(around, tells=tells), cache=kept)
    written = sorted((tmp_path / "output").iterdir())
    assert [path.name for path in written] == ["told_00001_.png", "told_00002_.png"]
    assert [sorted(texts(path)) for path in written] == [["prompt", "workflow"], []]
