"""The word that comes with the package: it fits its model, and asks for what it was taught."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import safelight.library
from safelight.diffusion.textual_inversion import read_embedding
from safelight.diffusion.weights import open_checkpoint
from safelight.graph.catalog import Catalog
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import Shown
from safelight.graph.schema import describe
from safelight.graph.workflow import apply_settings, parse
from safelight.pretrained import BUILTIN
from safelight.training.inversion import EMBEDDED, NAME
from safelight.training.likeness import recognised
from safelight.training.pictures import to_tensor
from safelight.training.world import HELD_OUT_SUBJECT, Actor, Scene

FILE = BUILTIN["embeddings"][f"{NAME}.safetensors"]
WORKFLOW = Path(__file__).resolve().parents[2] / "workflows" / "textual-inversion.json"
SCHEMA = describe(Catalog.of(safelight.library))


def test_it_was_learnt_with_the_model_that_comes_with_it() -> None:
    """Its metadata names that file by digest; a new model needs a new word."""
    learnt_with = open_checkpoint(FILE).metadata["safelight.base"]
    digest = hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()[:16]
    assert learnt_with == f"{EMBEDDED.name} {digest}"


def test_it_is_a_few_kilobytes_of_half_precision() -> None:
    """One table of rows."""
    assert FILE.stat().st_size < 8000
    (rows,) = read_embedding(FILE).rows.values()
    assert rows.dtype == torch.float16
    assert bool(rows.isfinite().all())


@pytest.mark.parametrize(
    ("colour", "place", "told"), [("red", "snow", "in the snow"), ("brown", "night", "at night")]
)
def test_the_workflow_draws_the_held_out_figure(
    colour: str, place: str, told: str, tmp_path: Path
) -> None:
    """In a place where it was not learnt; without the word something else is there."""
    folders = Folders(tmp_path, builtin=BUILTIN)
    folders.create()
    scene = Scene((Actor(HELD_OUT_SUBJECT, colour),), place, True)
    found = [
        figure(f"a {colour} {word} {told}", scene, folders)
        for word in (f"embedding:{NAME}", HELD_OUT_SUBJECT)
    ]
    assert found[0] == HELD_OUT_SUBJECT
    assert found[1] != HELD_OUT_SUBJECT


def figure(prompt: str, scene: Scene, folders: Folders) -> str:
    """Run the workflow with a prompt and say whose figure its picture shows."""
    settings = {"prompt": prompt, "seed": "3", "steps": "14"}
    document = apply_settings(json.loads(WORKFLOW.read_text()), settings, SCHEMA)
    graph = parse(document, SCHEMA, folders)
    results = execute(graph, Catalog.of(safelight.library), Surroundings(folders))
    (shown,) = (result for result in results.values() if isinstance(result, Shown))
    (record,) = shown.ui["images"]
    with Image.open(folders.resolve("output", str(record["filename"]))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return recognised(to_tensor(pixels[None]), [scene])[0]
