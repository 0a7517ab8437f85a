"""A plain client, by the recipe that scripts written for ComfyUI use: standard library only."""

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image
from tests.e2e.serving import Running
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "workflows" / "text-to-image.json"


def api_prompt() -> dict[str, Any]:
    """The shipped workflow as other programs export it."""
    nodes = json.loads(WORKFLOW.read_text())["nodes"]
    return {
        key: {"class_type": node["class_type"], "inputs": node["inputs"]}
        for key, node in nodes.items()
    }


def post(url: str, body: Mapping[str, object]) -> dict[str, Any]:
    """POST JSON and return the JSON answer."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def get(url: str) -> bytes:
    """GET a body."""
    with urlopen(url, timeout=30) as answer:
        return answer.read()


def run_by_recipe(server: Running, prompt: Mapping[str, object]) -> tuple[bytes, list[str]]:
    """Connect, POST, wait for `executing` null, ask history, view; return picture and events.

    Of each event its type is kept, of `progress` also how far it was.
    """
    client = str(uuid.uuid4())
    events: list[str] = []
    with connect(f"{server.url.replace('http', 'ws')}/ws?clientId={client}") as socket:
        answer = post(f"{server.url}/prompt", {"prompt": prompt, "client_id": client})
        job = answer["prompt_id"]
        while True:
            frame = socket.recv(timeout=120)
            if isinstance(frame, bytes):
                assert frame[4:8] == b"\0\0\0\x01", (
                    "a client without flags gets plain JPEG previews"
                )
                assert frame[8:10] == b"\xff\xd8"
                events.append("<preview>")
                continue
            message = json.loads(frame)
            data = message["data"]
            far = f" {data['value']}/{data['max']}" if message["type"] == "progress" else ""
            events.append(message["type"] + far)
            if message["type"] == "executing" and data["node"] is None and data["prompt_id"] == job:
                break
    entry = json.loads(get(f"{server.url}/history/{job}"))[job]
    assert entry["status"]["status_str"] == "success"
    (record,) = (image for output in entry["outputs"].values() for image in output["images"])
    return get(f"{server.url}/view?{urlencode(record)}"), events


@pytest.mark.slow
def test_the_usual_recipe_gets_its_picture_and_the_same_pixels_as_the_command_line(
    server: Running, tmp_path: Path
) -> None:
    """Events come in the order that clients rely on; headless and served bytes are equal."""
    picture, events = run_by_recipe(server, api_prompt())
    assert events.index("execution_start") < events.index("execution_cached")
    assert events.index("execution_cached") < events.index("progress 20/20")
    assert events.index("progress 20/20") < events.index("executed")
    assert events.index("executed") < events.index("execution_success")
    assert events[-1] == "executing"
    assert "<preview>" in events

    served = tmp_path / "served.png"
    served.write_bytes(picture)
    command = [sys.executable, "-m", "safelight", "run", str(WORKFLOW), "--home", str(tmp_path)]
    headless = [
        subprocess.check_output([*command, "--output", str(tmp_path / name)], text=True).strip()
        for name in ("once", "twice")
    ]
    pixels = [np.asarray(Image.open(str(path))) for path in (served, *headless)]
    assert np.array_equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[1], pixels[2])
    assert pixels[0].std() > 10, "a picture, not a flat field"


@pytest.mark.slow
def test_a_second_run_of_the_same_prompt_is_answered_from_the_cache(server: Running) -> None:
    """Clients get the same picture again, and no node runs."""
    first, _ = run_by_recipe(server, api_prompt())
    again, events = run_by_recipe(server, api_prompt())
    assert again == first
    assert "progress 20/20" not in events
    assert "executed" in events
