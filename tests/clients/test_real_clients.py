"""Programs that others wrote for ComfyUI draw a picture here, without a change to them."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.clients.installing import node_packages, node_program, python_packages
from tests.e2e.serving import Running

HERE = Path(__file__).resolve().parent
WORKFLOW = HERE.parents[1] / "workflows" / "text-to-image.json"
LIMIT_S = 120
WITH_PYTHON = """
import json, pathlib, sys
from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper
address, prompt, folder = sys.argv[1:]
api, workflow = ComfyApiWrapper(address), ComfyWorkflowWrapper(prompt)
workflow.set_node_param("Prompt", "text", "a dog")
workflow.set_node_param("Develop", "steps", 2)
for name, content in api.queue_and_wait_images(workflow, "Picture").items():
    pathlib.Path(folder, f"{name}.png").write_bytes(content)
"""
pytestmark = pytest.mark.clients


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    """The shipped workflow as those programs take it, with few steps."""
    nodes: dict[str, Any] = json.loads(WORKFLOW.read_text())["nodes"]
    nodes["5"]["inputs"]["steps"] = 2
    path = tmp_path / "prompt.json"
    path.write_text(json.dumps(nodes))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where they put what they got."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


def done(command: Sequence[object], **options: Any) -> str:
    """Run a program that must end well; return what it said."""
    words = [str(word) for word in command]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def check(folder: Path) -> None:
    """See that there is a picture, and that it is one of the size that was asked for."""
    files = sorted(folder.iterdir())
    assert files
    for file in files:
        content = file.read_bytes()
        assert content.startswith((b"\x89PNG", b"\xff\xd8")), content[:200]
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            assert picture.size == (128, 128)


def test_comfy_api_simplified_draws(server: Running, prompt: Path, pictures: Path) -> None:
    """It finds nodes by their titles, and waits on the websocket, where it keeps the previews."""
    environment = {**os.environ, "PYTHONPATH": str(python_packages())}
    script = [sys.executable, "-c", WITH_PYTHON, server.url, prompt, pictures]
    done(script, env=environment)
    check(pictures)


@pytest.mark.parametrize("script", ["comfy_ui_client.mjs", "comfyui_sdk.mjs"])
def test_clients_in_javascript_draw(
    server: Running, prompt: Path, pictures: Path, script: str
) -> None:
    """They wait on the websocket, and fetch what the history names."""
    said = done([node_program(), HERE / script, server.url, prompt, pictures], cwd=node_packages())
    check(pictures)
    if script == "comfyui_sdk.mjs":
        steps = json.loads(said.splitlines()[-1])["steps"]
        assert steps in ([1, 2], [2], []), "as many as it was connected for, in order"
