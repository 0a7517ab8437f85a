import io
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.server.visitor import Visitor


async def upload_mask(
    visitor: Visitor, mask: Image.Image, ref: str, **fields: str
) -> tuple[int, Any]:
    """Upload a mask for the picture that `ref` names; return the status and the answer."""
    content = io.BytesIO()
    mask.save(content, "PNG")
    made = FormData(quote_fields=False)
    made.add_field("image", content.getvalue(), filename="masked.png")
    for key, value in {"original_ref": ref, **fields}.items():
        made.add_field(key, value)
    async with visitor.session.post("/api/upload/mask", data=made) as answer:
        return answer.status, await answer.json()


async def test_a_mask_becomes_the_transparency_of_its_picture(visitor: Visitor, home: Path) -> None:
    """The colours and the workflow of the picture are kept; the same upload is kept once."""
    texts = PngInfo()
    texts.add_text("prompt", '{"1": {}}')
    Image.new("RGB", (4, 2), (200, 100, 50)).save(home / "output" / "a.png", pnginfo=texts)
    mask = Image.new("RGBA", (4, 2), (0, 0, 0, 77))
    stored = {"name": "masked.png", "subfolder": "clipspace", "type": "input"}
    ref = '{"filename": "a.png"}'
    for _ in range(2):
        assert await upload_mask(visitor, mask, ref, subfolder="clipspace") == (200, stored)
    with Image.open(home / "input" / "clipspace" / "masked.png") as made:
        assert made.getpixel((1, 1)) == (200, 100, 50, 77)
        assert getattr(made, "text", {}) == {"prompt": '{"1": {}}'}


@pytest.mark.parametrize(
    ("ref", "status"),
    [
        ('{"filename": "nowhere.png"}', 404),
        ('{"filename": "../a.png"}', 400),
        ('{"filename": "a.png", "subfolder": "../.."}', 403),
        ('{"filename": "a.png", "type": "zzz"}', 400),
        ('{"filename": 7}', 400),
        ("[]", 400),
        ("", 400),
        ('{"filename": "a.png"}', 400),  # of another size
    ],
)
async def test_a_mask_without_its_picture_is_refused(
    visitor: Visitor, home: Path, ref: str, status: int
) -> None:
    """In words, and nothing is written."""
    Image.new("RGB", (9, 9)).save(home / "output" / "a.png")
    assert (await upload_mask(visitor, Image.new("RGBA", (4, 2)), ref))[0] == status
    assert [*(home / "input").iterdir()] == []
