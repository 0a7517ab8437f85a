import gzip
from pathlib import Path

import pytest
from tests.server.conftest import Start
from tests.server.visitor import Visitor

from safelight_server.protocol import Refused
from safelight_server.routes import page
from safelight_server.shelf import SchemaShelf

ROUTES = [
    *("/prompt", "/queue", "/history", "/history/unknown", "/object_info", "/object_info/Walk"),
    *("/models", "/models/checkpoints", "/embeddings", "/system_stats", "/features"),
    *("/users", "/settings", "/settings/one", "/v2/userdata", "/experiment/models", "/i18n"),
    *("/experiment/models/loras", "/extensions", "/workflow_templates", "/global_subgraphs"),
]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the web app's build is looked for."""
    folder = tmp_path / "static"
    monkeypatch.setattr(page, "STATIC", folder)
    return folder


@pytest.mark.parametrize("path", ROUTES)
async def test_every_route_has_two_paths(visitor: Visitor, path: str) -> None:
    """With and without /api, the same JSON with charset."""
    async with visitor.session.get(path) as plain, visitor.session.get(f"/api{path}") as prefixed:
        assert plain.status == prefixed.status == 200
        assert plain.headers["Content-Type"] == "application/json; charset=utf-8"
        async with visitor.session.head(path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        if path != "/system_stats":
            assert await plain.json() == await prefixed.json()


async def test_object_info_is_what_clients_of_comfyui_read(visitor: Visitor) -> None:
    """Inputs by group and in order, outputs by type and name; of unknown classes, nothing."""
    info = (await visitor.get("/object_info"))["Walk"]
    assert info["input"]["required"]["number"] == ["NUMBER", {}]
    assert info["input"]["required"]["steps"][0] == "INT"
    assert info["input"]["required"]["steps"][1]["max"] == 10_000
    assert info["input_order"]["required"] == ["number", "steps", "seconds", "label"]
    assert (info["output"], info["output_name"]) == (["NUMBER"], ["NUMBER"])
    assert (info["name"], info["output_node"]) == ("Walk", False)
    assert await visitor.get("/object_info/Walk") == {"Walk": info}
    assert await visitor.get("/object_info/Nonsense") == {}


@pytest.mark.parametrize("path", ["/api/schema", "/object_info"])
async def test_what_has_not_changed_is_not_sent_again(
    visitor: Visitor, home: Path, path: str
) -> None:
    """304 for the tag of the last visit, until a file appears among the choices."""
    async with visitor.session.get(path) as answer:
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert answer.headers["Cache-Control"] == "no-cache"
    async with visitor.session.get(path, headers=tag) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    (home / "input" / "new.png").write_bytes(b"x")
    async with visitor.session.get(path, headers=tag) as answer:
        assert answer.status == 200


async def test_models_are_listed_by_folder(visitor: Visitor, home: Path) -> None:
    """Sorted relative paths; older folder names are understood; unknown ones are 404."""
    for name in ("b.safetensors", "sub/a.safetensors", "notes.txt"):
        path = home / "models" / "text_encoders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (home / "models" / "embeddings" / "style.v2.safetensors").write_bytes(b"x")
    assert "checkpoints" in await visitor.get("/models")
    names = ["b.safetensors", "sub/a.safetensors"]
    assert await visitor.get("/models/text_encoders") == names
    assert await visitor.get("/models/clip") == names
    assert await visitor.get("/embeddings") == ["style.v2"]
    async with visitor.session.get("/models/..%2Finput") as answer:
        assert answer.status == 404


async def test_builtin_models_are_among_them(start: Start, tmp_path: Path) -> None:
    """First, without lying in the folder; further folders are searched too."""
    inside, extra = tmp_path / "first.safetensors", tmp_path / "extra"
    (extra / "checkpoints").mkdir(parents=True)
    (extra / "checkpoints" / "other.safetensors").write_bytes(b"x")
    inside.write_bytes(b"x")
    builtin = {"checkpoints": {"first.safetensors": inside}}
    async with start(builtin=builtin, models=(extra,)) as (_, visitor):
        names = await visitor.get("/models/checkpoints")
    assert names == ["first.safetensors", "other.safetensors"]


async def test_the_machine_is_described(visitor: Visitor) -> None:
    """What scripts look for, and the worker's state once there is one."""
    page = await visitor.wait_for("/system_stats", lambda page: page["devices"])
    assert page["system"]["comfyui_version"]
    assert page["system"]["ram_total"] > page["system"]["ram_free"] > 0
    (device,) = page["devices"]
    assert (device["type"], device["index"]) == ("cpu", None)
    assert device["vram_total"] == page["system"]["ram_total"]
    assert page["worker"]["state"] == "idle"
    assert await visitor.get("/readyz") == {"status": "ready"}


async def test_unknown_paths_and_verbs_are_told_apart(visitor: Visitor) -> None:
    """404 and 405, both as JSON; OPTIONS is answered anywhere."""
    async with visitor.session.get("/api/nowhere") as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (404, "not_found")
    async with visitor.session.put("/prompt", json={}) as answer:
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"]
        assert (await answer.json())["error"]["type"] == "method_not_allowed"
    async with visitor.session.options("/api/anything") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_without_a_build_the_page_says_how_to_make_one(build: Path, visitor: Visitor) -> None:
    """In plain words, while the API works."""
    async with visitor.session.get("/") as answer:
        assert (answer.status, answer.content_type) == (503, "text/html")
        assert "npm run build" in await answer.text()


async def test_the_build_is_served_with_its_kinds_and_lifetimes(
    build: Path, visitor: Visitor
) -> None:
    """The page is asked for again each time, files with a hash in their name never."""
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text("<!doctype html>")
    (build / "assets" / "app-1a2b.js").write_text("let it = 'be'")
    async with visitor.session.get("/") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    async with visitor.session.get("/assets/app-1a2b.js") as answer:
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for path in ("/assets/..%2f..%2fsecret.js", "/assets/none.js", "/assets", "/.env"):
        async with visitor.session.get(path) as answer:
            assert answer.status == 404, path


async def test_compressed_files_are_sent_to_those_who_take_them(
    build: Path, visitor: Visitor
) -> None:
    """As they lie beside the plain ones."""
    (build / "assets").mkdir(parents=True)
    (build / "assets" / "app.js").write_text("plain")
    (build / "assets" / "app.js.gz").write_bytes(gzip.compress(b"squeezed"))
    for accepted, wanted in (("gzip", "squeezed"), ("identity", "plain")):
        headers = {"Accept-Encoding": accepted}
        async with visitor.session.get("/assets/app.js", headers=headers) as answer:
            assert await answer.text() == wanted
            assert answer.content_type == "text/javascript"


async def test_before_the_first_worker_has_spoken_clients_are_asked_to_wait(
    tmp_path: Path,
) -> None:
    """503 with the seconds after which to come again."""
    with pytest.raises(Refused) as refused:
        await SchemaShelf(tmp_path).wait(seconds=0.01)
    assert (refused.value.status, refused.value.retry_seconds) == (503, 3)
    assert refused.value.message == (
        "The worker is still starting, so the nodes are not known yet. Try again."
    )


async def test_a_damaged_schema_on_the_disk_is_passed_over(start: Start, home: Path) -> None:
    """The worker's word replaces it, and it is gone afterwards."""
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "schema-0123.json").write_text('{"format": 1, "digest": "x"')
    async with start() as (_, visitor):
        digest = (await visitor.get("/api/schema"))["digest"]
    assert [path.name for path in (home / "cache").iterdir()] == [f"schema-{digest}.json"]
