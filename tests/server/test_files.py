import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from PIL import Image
from tests.server.tiny_nodes import png
from tests.server.visitor import Visitor, walk


def form(content: bytes, name: str | None = "cat.png", **fields: str) -> FormData:
    """An upload as browsers send it."""
    made = FormData(quote_fields=False)
    made.add_field("image", io.BytesIO(content), filename=name)
    for key, value in fields.items():
        made.add_field(key, value)
    return made


async def upload(visitor: Visitor, data: FormData) -> tuple[int, Any]:
    """Upload; return the status and the answer."""
    async with visitor.session.post("/upload/image", data=data) as answer:
        return answer.status, await answer.json()


async def status_of(visitor: Visitor, **query: str) -> int:
    """The status that /view answers."""
    async with visitor.session.get("/view", params=query) as answer:
        return answer.status


def kept(home: Path) -> list[str]:
    """Every file under input, hidden ones too."""
    root = home / "input"
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def picture(home: Path) -> Path:
    """A picture with a transparent half, among the outputs."""
    folder = home / "output" / "sub"
    folder.mkdir(parents=True)
    image = Image.new("RGBA", (8, 4), (200, 100, 50, 255))
    image.paste((200, 100, 50, 0), (0, 0, 4, 4))
    image.save(folder / "a.png")
    return folder / "a.png"


async def test_view_answers_by_the_table(picture: Path, visitor: Visitor) -> None:
    """404 without a name or a file, 400 for bad names and places, 403 for ways out."""
    here = {"filename": "a.png", "subfolder": "sub"}
    assert await status_of(visitor, **here) == 200
    assert await status_of(visitor, filename="ignored/a.png", subfolder="sub") == 200
    assert await status_of(visitor) == 404
    assert await status_of(visitor, filename="b.png") == 404
    assert await status_of(visitor, filename="a.png") == 404
    assert await status_of(visitor, filename="x" * 5000) == 404
    assert await status_of(visitor, filename="sub") == 404
    assert await status_of(visitor, filename="a.png [input]", subfolder="sub") == 404
    assert await status_of(visitor, filename="a.png [output]", subfolder="sub", type="input") == 200
    for name in ("", "/etc/passwd", "../safelight.db", "..", "a/../../safelight.db", "..\\x"):
        assert await status_of(visitor, filename=name) == 400, name
    assert await status_of(visitor, filename="a.png", type="models") == 400
    for subfolder in ("..", "../..", "/etc", "sub/../../.."):
        assert await status_of(visitor, filename="passwd", subfolder=subfolder) == 403, subfolder
    assert await status_of(visitor, filename="a.png", subfolder="sub/..") == 404
    assert await status_of(visitor, filename="a\0.png") == 400


async def test_a_link_does_not_lead_out(picture: Path, visitor: Visitor, home: Path) -> None:
    """Neither a linked file nor a linked folder."""
    secret = home / "secret.png"
    secret.write_bytes(png(1))
    (picture.parent / "link.png").symlink_to(secret)
    (picture.parent / "up").symlink_to(home)
    assert await status_of(visitor, filename="link.png", subfolder="sub") == 403
    assert await status_of(visitor, filename="secret.png", subfolder="sub/up") == 403


async def test_a_raw_file_comes_with_name_and_ranges(picture: Path, visitor: Visitor) -> None:
    """Unchanged bytes, partial ones on demand."""
    query = {"filename": "a.png", "subfolder": "sub"}
    async with visitor.session.get("/api/view", params=query) as answer:
        assert await answer.read() == picture.read_bytes()
        assert answer.headers["Content-Disposition"] == 'filename="a.png"'
    ranged = {"Range": "bytes=1-3"}
    async with visitor.session.get("/api/view", params=query, headers=ranged) as answer:
        assert (answer.status, await answer.read()) == (206, b"PNG")


@pytest.mark.parametrize(
    ("query", "kind", "mode"),
    [
        ({"preview": "webp;50"}, "image/webp", "RGBA"),
        ({"preview": "jpeg"}, "image/jpeg", "RGB"),
        ({"preview": "jpeg", "channel": "rgba"}, "image/webp", "RGBA"),
        ({"preview": "webp", "channel": "rgb"}, "image/webp", "RGB"),
        ({"preview": "gif;x"}, "image/webp", "RGBA"),
        ({"channel": "rgb"}, "image/png", "RGB"),
    ],
)
async def test_previews_and_channels(
    picture: Path, visitor: Visitor, query: dict[str, str], kind: str, mode: str
) -> None:
    """Format, transparency and size are as asked."""
    params = {"filename": "a.png", "subfolder": "sub", **query}
    async with visitor.session.get("/view", params=params) as answer:
        assert answer.content_type == kind
        made = Image.open(io.BytesIO(await answer.read()))
    assert (made.mode, made.size) == (mode, (8, 4))


async def test_the_alpha_channel_alone(picture: Path, visitor: Visitor) -> None:
    """Black, as transparent as the picture is."""
    params = {"filename": "a.png", "subfolder": "sub", "channel": "a"}
    async with visitor.session.get("/view", params=params) as answer:
        made = Image.open(io.BytesIO(await answer.read()))
    assert made.getpixel((0, 0)) == (0, 0, 0, 0)
    assert made.getpixel((7, 0)) == (0, 0, 0, 255)


async def test_what_is_no_picture_has_no_preview(visitor: Visitor, home: Path) -> None:
    """Refused in words; so is a picture that would fill the memory."""
    (home / "output" / "notes.png").write_text("not a picture")
    assert await status_of(visitor, filename="notes.png", preview="webp") == 400
    Image.new("1", (20_000, 20_000)).save(home / "output" / "bomb.png")
    assert await status_of(visitor, filename="bomb.png", preview="webp") == 400


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.js", "a.css", "a.xhtml", "a.unknown"])
async def test_nothing_is_sent_that_a_browser_would_run(
    visitor: Visitor, home: Path, name: str
) -> None:
    """An uploaded page is bytes, not a page of this server's."""
    (home / "output" / name).write_text("<script>alert(1)</script>")
    async with visitor.session.get("/view", params={"filename": name}) as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'


async def test_an_upload_can_be_viewed_and_used(visitor: Visitor) -> None:
    """Stored under its name, listed among the choices, read by a node."""
    stored = {"name": "cat.png", "subfolder": "", "type": "input"}
    assert await upload(visitor, form(png(5))) == (200, stored)
    async with visitor.session.get("/view?filename=cat.png&type=input") as answer:
        assert await answer.read() == png(5)
    schema = await visitor.get("/api/schema")
    assert schema["nodes"]["Look"]["inputs"][0]["choices"] == ["cat.png"]
    prompt = {"1": {"class_type": "Look", "inputs": {"image": "cat.png"}}}
    entry = await visitor.entry(await visitor.submit(prompt))
    assert entry["outputs"]["1"] == {"text": [{"size": len(png(5))}]}


async def test_equal_uploads_are_kept_once_and_others_beside(visitor: Visitor, home: Path) -> None:
    """The same content keeps its name; other content gets (1), (2); overwriting is on demand."""

    async def name_of(grey: int, **fields: str) -> str:
        status, body = await upload(visitor, form(png(grey), **fields))
        assert status == 200, body
        return str(body["name"])

    names = [await name_of(grey) for grey in (1, 1, 2, 2, 3, 1)]
    assert names == ["cat.png", "cat.png", "cat (1).png", "cat (1).png", "cat (2).png", "cat.png"]
    assert await name_of(9, overwrite="true") == "cat.png"
    assert (home / "input" / "cat.png").read_bytes() == png(9)
    assert kept(home) == ["cat (1).png", "cat (2).png", "cat.png"]


async def test_uploads_go_where_they_are_sent(visitor: Visitor, home: Path) -> None:
    """Into a subfolder that is made for them, or among the temporary pictures."""
    status, body = await upload(visitor, form(png(1), subfolder="pasted/today"))
    assert (status, body["subfolder"]) == (200, "pasted/today")
    assert kept(home) == ["pasted/today/cat.png"]
    assert (await upload(visitor, form(png(1), type="temp")))[0] == 200
    assert (home / "temp" / "cat.png").exists()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("cat.png", {"type": "zzz"}),
        ("cat.png", {"subfolder": "../.."}),
        ("cat.png", {"subfolder": "/tmp"}),
        ("../cat.png", {}),
        ("..", {}),
        ("a/b.png", {}),
        ("a\\b.png", {}),
        (".hidden", {}),
        ("con.png", {}),
        ("tab\there.png", {}),
        ("x" * 300 + ".png", {}),
        (None, {}),
    ],
)
async def test_a_bad_place_for_an_upload_is_refused(
    visitor: Visitor, home: Path, name: str | None, fields: dict[str, str]
) -> None:
    """400 in words, and nothing is written anywhere."""
    made = form(png(1), name, **fields)
    if name is None:
        made = FormData({"subfolder": "a"})
    async with visitor.session.post("/upload/image", data=made) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"]
    assert kept(home) == []


async def test_an_upload_that_breaks_off_leaves_nothing(visitor: Visitor, home: Path) -> None:
    """The connection dies in the middle of the file."""
    host, port = visitor.session._base_url.host, visitor.session._base_url.port  # type: ignore[union-attr]
    _, writer = await asyncio.open_connection(host, port)
    head = (
        f"POST /upload/image HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000000\r\n"
        "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
        '--edge\r\nContent-Disposition: form-data; name="image"; filename="cat.png"\r\n\r\n'
    )
    writer.write(head.encode() + b"x" * 10_000)
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.2)
    assert kept(home) == []
    assert (await visitor.entry(await visitor.submit(walk())))["status"]["completed"] is True


async def test_an_upload_beyond_the_limit_is_refused(
    visitor: Visitor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """413, and nothing is kept of it."""
    monkeypatch.setattr("safelight_server.routes.pictures._UPLOAD_LIMIT", 2**20)
    status, body = await upload(visitor, form(b"x" * (2**20 + 1)))
    assert (status, body["error"]["type"]) == (413, "body_too_large")
    assert kept(home) == []
