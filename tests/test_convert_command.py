"""`safelight convert`, as a process would run it."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from safelight.__main__ import main

WORKFLOWS = sorted((Path(__file__).parent.parent / "workflows").glob("*.json"))
SAVED: dict[str, Any] = {
    "nodes": [
        {"id": 1, "type": "LoadImage", "widgets_values": ["cat.png", "image"]},
        {
            "id": 2,
            "type": "SaveImage",
            "inputs": [{"name": "images", "type": "IMAGE", "link": 4}],
        },
    ],
    "links": [[4, 1, 0, 2, 0, "IMAGE"]],
    "version": 0.4,
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A file as ComfyUI's canvas saves it."""
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(SAVED))
    return path


def test_a_file_of_comfyuis_becomes_ours(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The document goes to standard output, what was guessed to standard error."""
    assert main(["convert", str(saved)]) == 0
    printed = capsys.readouterr()
    nodes = json.loads(printed.out)["nodes"]
    assert nodes["1"]["inputs"] == {"image": "cat.png"}
    assert nodes["2"]["inputs"]["images"] == ["1", 0]
    assert printed.err.splitlines() == [
        "node 2 (SaveImage): no value was saved for filename_prefix; it is now 'safelight'"
    ]


def test_the_api_prompt_goes_to_a_file(saved: Path, tmp_path: Path) -> None:
    """As any program written for ComfyUI's API would send it."""
    target = tmp_path / "prompt.json"
    assert main(["convert", str(saved), str(target), "--to", "api"]) == 0
    prompt = json.loads(target.read_text())
    assert prompt["2"] == {
        "class_type": "SaveImage",
        "inputs": {"images": ["1", 0], "filename_prefix": "safelight"},
    }


def test_a_picture_that_tells_how_it_was_made_becomes_a_workflow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many programs write it, in a text called `parameters`."""
    texts = PngInfo()
    texts.add_text("parameters", "a cat\nSteps: 9, Sampler: Euler a, CFG scale: 2, Seed: 3")
    Image.new("RGB", (1, 1)).save(tmp_path / "cat.png", pnginfo=texts)
    assert main(["convert", str(tmp_path / "cat.png"), "--to", "api"]) == 0
    printed = capsys.readouterr()
    inputs = json.loads(printed.out)["5"]["inputs"]
    assert (inputs["steps"], inputs["sampler_name"]) == ("9", "euler_ancestral")
    assert "Size is not told; it is now 512x512" in printed.err


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_our_workflows_survive_the_way_there_and_back(path: Path, tmp_path: Path) -> None:
    """A file for ComfyUI's canvas holds all that they say."""
    there, back = tmp_path / "there.json", tmp_path / "back.json"
    assert main(["convert", str(path), str(there), "--to", "comfy"]) == 0
    assert json.loads(there.read_text())["version"] == 0.4
    assert main(["convert", str(there), str(back)]) == 0
    assert json.loads(back.read_text()) == json.loads(path.read_text())


def test_what_is_no_workflow_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the mistake and the exit code of a wrong workflow."""
    path = tmp_path / "wrong.json"
    path.write_text('{"nodes": [5]}')
    assert main(["convert", str(path)]) == 2
    assert capsys.readouterr().err == "node 0: a node is an object, got 5\n"
    assert main(["convert", str(tmp_path / "nothing.json")]) == 2


def test_a_file_that_cannot_be_written_is_told(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than a trace."""
    assert main(["convert", str(saved), str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"{tmp_path} cannot be written: ")
