"""The shipped workflows as functions, by each way there is to call them, on the embedded model."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientSession, FormData
from PIL import Image
from tests.e2e.serving import Running

from safelight import Client
from safelight.graph.parameters import looks_like_parameters

TEXT_TO_IMAGE = "6c1f3a52-8a0e-4d0b-9a58-0f6a52b1c7d4"
IMAGE_TO_IMAGE = "0f5c2a1e-7c1b-4b6e-9f0d-3f6f0e6b8a11"


def opened(content: bytes) -> Image.Image:
    """Return a picture, all of it read."""
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def mask() -> bytes:
    """A mask as large as the pictures of the embedded model, transparent in its middle."""
    picture = Image.new("RGBA", (128, 128), "white")
    picture.paste((0, 0, 0, 0), (32, 32, 96, 96))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


async def post(session: ClientSession, path: str, **more: Any) -> tuple[int, Any]:
    """Post; return the status and the JSON of the answer."""
    async with session.post(path, **more) as answer:
        return answer.status, await answer.json()


async def test_a_shipped_workflow_is_called_from_python(server: Running, tmp_path: Path) -> None:
    """Its result is a picture that tells how it was made, in both ways that are read."""
    async with Client(server.url) as client:
        schema = await client.parameters(TEXT_TO_IMAGE)
        assert schema["properties"]["prompt"]["default"] == "a cat in a hat"
        seed = schema["properties"]["seed"]
        assert (seed["type"], seed["minimum"], seed["maximum"]) == ("integer", 0, 2**64 - 1)
        outcome = await client.run(TEXT_TO_IMAGE, prompt="a dög", seed=3, steps=2)
        assert outcome.completed, outcome.error
        (file,) = outcome.files
        path = await client.save(file, tmp_path)
        made = await client.run(IMAGE_TO_IMAGE, image=await client.upload(path), steps=2)
        assert made.completed, made.error
    picture = opened(path.read_bytes())
    assert (picture.size, file.node) == ((128, 128), "picture")
    assert looks_like_parameters(picture.info["parameters"])
    assert picture.info["parameters"].startswith("a dög\nSteps: 2, Sampler: DPM++ 2M, ")
    assert json.loads(picture.info["workflow"])["id"] == TEXT_TO_IMAGE


async def test_openais_requests_are_answered_by_the_shipped_workflows(server: Running) -> None:
    """Words become a picture of the size that is asked for, and a picture another one."""
    async with ClientSession(server.url) as session:
        asked = {"prompt": "a fish", "size": "64x128", "seed": 5, "response_format": "b64_json"}
        status, told = await post(session, "/v1/images/generations", json=asked)
        assert status == 200, told
        drawn = base64.b64decode(told["data"][0]["b64_json"])
        assert opened(drawn).size == (64, 128)
        form = FormData({"prompt": "a red fish", "response_format": "b64_json"})
        form.add_field("image", drawn, filename="fish.png")
        status, told = await post(session, "/v1/images/edits", data=form)
        assert status == 200, told
        assert opened(base64.b64decode(told["data"][0]["b64_json"])).size == (64, 128)


async def test_a_mask_says_what_an_edit_may_change(server: Running) -> None:
    """With a workflow that reads it; what is opaque stays the picture's."""
    async with ClientSession(server.url) as session:
        async with session.get(f"/api/workflows/{IMAGE_TO_IMAGE}") as answer:
            document = (await answer.json())["document"]
        nodes = document["nodes"]
        loader = document["parameters"]["image"]["node"]
        sampler = document["parameters"]["seed"]["node"]
        latent = nodes[sampler]["inputs"]["latent_image"]
        masked = {"samples": latent, "mask": [loader, 1]}
        nodes["20"] = {"class_type": "SetLatentNoiseMask", "inputs": masked}
        nodes[sampler]["inputs"] |= {"latent_image": ["20", 0], "steps": 4}
        status, kept = await post(
            session, "/api/workflows", json={"document": {**document, "id": "repaint"}}
        )
        assert status == 200, kept
        source = Image.new("RGB", (128, 128), "blue")
        buffer = io.BytesIO()
        source.save(buffer, "PNG")
        form = FormData({"prompt": "a cat", "model": "repaint", "response_format": "b64_json"})
        form.add_field("image", buffer.getvalue(), filename="blue.png")
        form.add_field("mask", mask(), filename="mask.png")
        status, told = await post(session, "/v1/images/edits", data=form)
        assert status == 200, told
    edited = opened(base64.b64decode(told["data"][0]["b64_json"]))
    change = np.abs(np.asarray(edited).astype(int) - (0, 0, 255)).sum(axis=-1)
    assert change[:16].mean() < change[48:80, 48:80].mean()
