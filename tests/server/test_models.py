import io
import json
import struct
from pathlib import Path

import pytest
from PIL import Image
from tests.server.visitor import Visitor


@pytest.fixture
def model(home: Path) -> Path:
    """A model with notes of its writer, and a picture beside it."""
    path = home / "models" / "loras" / "sub" / "style.safetensors"
    path.parent.mkdir(parents=True)
    header = json.dumps({"__metadata__": {"author": "me"}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    Image.new("RGB", (4, 2)).save(path.with_suffix(".preview.png"))
    return path


async def test_what_the_writer_of_a_model_noted_is_told(visitor: Visitor, model: Path) -> None:
    """The header alone is read."""
    query = "filename=sub/style.safetensors"
    assert await visitor.get(f"/view_metadata/loras?{query}") == {"author": "me"}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x01", struct.pack("<Q", 2**62), struct.pack("<Q", 2) + b"{}"),
        *(struct.pack("<Q", 9) + b"not json!", struct.pack("<Q", 2) + b"[]"),
    ],
)
async def test_a_model_without_notes_is_not_found(
    visitor: Visitor, model: Path, content: bytes
) -> None:
    """Nor is a broken one, whatever length it claims to have."""
    model.write_bytes(content)
    address = "/api/view_metadata/loras?filename=sub/style.safetensors"
    async with visitor.session.get(address) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("query", ["loras", "loras?filename=../../x.safetensors", "nowhere"])
async def test_notes_of_what_is_no_model_are_not_found(visitor: Visitor, query: str) -> None:
    """404, as clients expect of every failure here."""
    async with visitor.session.get(f"/view_metadata/{query}") as answer:
        assert answer.status == 404


async def test_models_are_told_with_sizes(visitor: Visitor, model: Path) -> None:
    """As the model library of ComfyUI's front end reads them."""
    places = await visitor.get("/experiment/models")
    assert {each["name"]: each["folders"] for each in places}["loras"] == [str(model.parent.parent)]
    (told,) = await visitor.get("/api/experiment/models/loras")
    assert (told["name"], told["pathIndex"]) == ("sub/style.safetensors", 0)
    assert told["size"] == model.stat().st_size
    assert (await visitor.get("/internal/folder_paths"))["loras"] == [str(model.parent.parent)]


async def test_the_picture_beside_a_model_is_shown(visitor: Visitor, model: Path) -> None:
    """As WEBP; 404 where there is none."""
    address = "/experiment/models/preview/loras/0/sub%2Fstyle.safetensors"
    async with visitor.session.get(address) as answer:
        assert answer.content_type == "image/webp"
        assert Image.open(io.BytesIO(await answer.read())).size == (4, 2)
    model.with_suffix(".preview.png").unlink()
    async with visitor.session.get(address) as answer:
        assert answer.status == 404
