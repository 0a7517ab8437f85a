from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.server.conftest import Start
from tests.server.visitor import Visitor
from yarl import URL


def at(file: str, rest: str = "", **query: str) -> URL:
    """The address of a file: its path is one segment, as clients write it."""
    return URL(f"/api/userdata/{quote(file, safe='')}{rest}", encoded=True).with_query(query)


async def write(
    visitor: Visitor, file: str, content: bytes = b"{}", **query: str
) -> tuple[int, Any]:
    """Write a file; return the status and the answer."""
    async with visitor.session.post(at(file, **query), data=content) as answer:
        return answer.status, await answer.json()


async def status_of(visitor: Visitor, verb: str, address: URL) -> int:
    """The status that a request is answered with."""
    async with visitor.session.request(verb, address) as answer:
        return answer.status


async def test_settings_are_merged_and_survive_a_restart(start: Start, home: Path) -> None:
    """Single values and whole objects; what was never set is null."""
    async with start() as (_, visitor):
        assert await visitor.get("/api/users") == {"storage": "server", "migrated": False}
        assert await visitor.get("/settings") == {}
        assert await visitor.post("/settings", {"a": 1, "b": [2]}) == (200, None)
        assert await visitor.post("/api/settings/Comfy.b", {"deep": True}) == (200, None)
        assert await visitor.post("/settings", {"a": None}) == (200, None)
    assert (home / "user" / "default" / "comfy.settings.json").is_file()
    async with start() as (_, visitor):
        assert await visitor.get("/settings") == {"a": None, "b": [2], "Comfy.b": {"deep": True}}
        assert await visitor.get("/settings/Comfy.b") == {"deep": True}
        assert await visitor.get("/settings/never") is None
        assert await visitor.get("/users") == {"storage": "server", "migrated": True}


async def test_damaged_settings_are_set_aside(visitor: Visitor, home: Path) -> None:
    """What a hand has broken is kept under another name, and new settings begin."""
    folder = home / "user" / "default"
    folder.mkdir(parents=True)
    (folder / "comfy.settings.json").write_text("{broken")
    assert await visitor.get("/settings") == {}
    assert (folder / "comfy.settings.damaged").read_text() == "{broken"


async def test_there_is_one_user(visitor: Visitor) -> None:
    """Another one is refused with what to do instead."""
    status, body = await visitor.post("/users", {"username": "eve"})
    assert (status, body["error"]["type"]) == (403, "single_user")


async def test_user_files_answer_by_the_table(visitor: Visitor, home: Path) -> None:
    """200, 204, 404, 409 and 403, as clients of ComfyUI rely on."""
    assert await write(visitor, "workflows/a.json", b'{"a": 1}') == (200, "workflows/a.json")
    assert (await write(visitor, "workflows/a.json", b"{}", overwrite="false"))[0] == 409
    assert await visitor.get("/userdata/workflows%2Fa.json") == {"a": 1}
    assert (await write(visitor, "workflows/a.json", b"[]"))[0] == 200
    async with visitor.session.get(at("workflows/a.json")) as answer:
        assert await answer.read() == b"[]"
    assert await status_of(visitor, "GET", at("workflows/b.json")) == 404
    assert await status_of(visitor, "GET", at("workflows")) == 404
    assert await status_of(visitor, "DELETE", at("workflows/a.json")) == 204
    assert await status_of(visitor, "DELETE", at("workflows/a.json")) == 404
    (home / "secret.json").write_text("{}")
    for verb in ("GET", "DELETE"):
        assert await status_of(visitor, verb, at("../../secret.json")) == 403
    for name in ("../../secret.json", "/etc/passwd", "a/../../../b"):
        assert (await write(visitor, name))[0] == 403, name
    for name in ("a\0b", "x" * 300):
        assert (await write(visitor, name))[0] == 400, name
    assert (home / "secret.json").read_text() == "{}"


async def test_a_link_does_not_lead_out(visitor: Visitor, home: Path) -> None:
    """Not even one that the user laid."""
    folder = home / "user" / "default"
    folder.mkdir(parents=True)
    (folder / "up").symlink_to(home)
    assert await status_of(visitor, "GET", at("up/safelight.db")) == 403
    assert (await write(visitor, "up/new.json"))[0] == 403


async def test_a_file_is_told_with_size_and_times(visitor: Visitor) -> None:
    """On demand, for a write and for a move."""
    status, told = await write(visitor, "a.json", b"123", full_info="true")
    assert (status, told["path"], told["size"]) == (200, "a.json", 3)
    assert set(told) == {"path", "size", "modified", "created"}


async def test_a_file_can_be_moved(visitor: Visitor) -> None:
    """404 without a source, 409 where another lies, 403 for a way out."""
    for name in ("a.json", "b.json"):
        await write(visitor, name, name.encode())
    moved = at("a.json", "/move/sub%2Fc.json", full_info="true")
    async with visitor.session.post(moved) as answer:
        assert (answer.status, (await answer.json())["path"]) == (200, "sub/c.json")
    assert await status_of(visitor, "POST", at("a.json", "/move/d.json")) == 404
    kept = at("b.json", "/move/sub%2Fc.json", overwrite="false")
    assert await status_of(visitor, "POST", kept) == 409
    assert await status_of(visitor, "POST", at("b.json", "/move/..%2F..%2Fc.json")) == 403
    assert await status_of(visitor, "POST", at("b.json", "/move/sub%2Fc.json")) == 200
    async with visitor.session.get(at("sub/c.json")) as answer:
        assert await answer.read() == b"b.json"
    assert await status_of(visitor, "GET", at("b.json")) == 404


async def test_user_files_are_listed(visitor: Visitor) -> None:
    """Flat or deep, plain, split or with sizes; only files."""
    for name in ("workflows/a.json", "workflows/sub/b.json", "workflows/.index.json"):
        await write(visitor, name)
    flat = [".index.json", "a.json"]
    assert await visitor.get("/userdata?dir=workflows") == flat
    deep = await visitor.get("/api/userdata?dir=workflows&recurse=true&split=true")
    assert deep == [
        [".index.json", ".index.json"],
        ["a.json", "a.json"],
        ["sub/b.json", "sub", "b.json"],
    ]
    full = await visitor.get("/userdata?dir=workflows&full_info=true")
    assert [(each["path"], each["size"]) for each in full] == [(name, 2) for name in flat]
    for query, status in (("", 400), ("?dir=..", 403), ("?dir=nowhere", 404)):
        assert await status_of(visitor, "GET", URL(f"/userdata{query}")) == status


async def test_user_files_are_listed_as_a_tree(visitor: Visitor) -> None:
    """Folders first, then files by name; an empty home has an empty tree."""
    assert await visitor.get("/v2/userdata") == []
    for name in ("z/b.json", "a.json"):
        await write(visitor, name)
    tree = await visitor.get("/api/v2/userdata?path=")
    assert [(each["path"], each["type"]) for each in tree] == [
        ("z", "directory"),
        ("a.json", "file"),
        ("z/b.json", "file"),
    ]
    assert [each["path"] for each in await visitor.get("/v2/userdata?path=z")] == ["z/b.json"]
    for path, status in (("nowhere", 404), ("a.json", 400), ("..", 403)):
        assert await status_of(visitor, "GET", URL(f"/v2/userdata?path={path}")) == status


async def test_the_users_style_sheet_is_served(visitor: Visitor) -> None:
    """As a style sheet, once there is one."""
    assert await status_of(visitor, "GET", URL("/user.css")) == 404
    await write(visitor, "user.css", b"body {}")
    async with visitor.session.get("/user.css") as answer:
        assert answer.headers["Content-Type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("name", ["page.html", "drawing.svg"])
async def test_no_user_file_runs_in_a_browser(visitor: Visitor, name: str) -> None:
    """It is bytes, whatever it calls itself."""
    await write(visitor, name, b"<script>alert(1)</script>")
    async with visitor.session.get(at(name)) as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"


async def test_a_file_beyond_the_limit_leaves_nothing(
    visitor: Visitor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """413, and no draft stays behind."""
    monkeypatch.setattr("safelight_server.bodies.receive.__defaults__", (10,))
    status, body = await write(visitor, "a.json", b"x" * 11)
    assert (status, body["error"]["type"]) == (413, "body_too_large")
    assert not (home / "user").exists()
