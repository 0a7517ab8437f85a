import asyncio
import io
import json
from typing import Any

import pytest
from PIL import Image
from tests.server.conftest import Start
from tests.server.visitor import Visitor, walk

from safelight_server import workflows_documents, workflows_store
from safelight_server.workflows_examples import TEXT_TO_IMAGE, Examples

KEPT = {"id": "mine", "name": "Mine", "version": 1, "nodes": 3, "tags": [], "read_only": False}


def document(**more: object) -> dict[str, Any]:
    """A workflow of three nodes."""
    return {"safelight": 1, "id": "mine", "name": "Mine", "nodes": walk(), **more}


async def ask(
    visitor: Visitor, verb: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    """Send a request; return the status and the JSON of the answer."""
    async with visitor.session.request(verb, path, json=body, headers=headers) as answer:
        return answer.status, None if answer.status == 204 else await answer.json()


async def refusal(
    visitor: Visitor, verb: str, path: str, body: object = None
) -> tuple[int, str, str]:
    """Send a request that must be refused; return the status, the kind and the words."""
    status, told = await ask(visitor, verb, path, body)
    return status, told["error"]["type"], told["error"]["message"]


async def keep(visitor: Visitor, **more: object) -> dict[str, Any]:
    """Keep a workflow that must be taken."""
    status, told = await ask(visitor, "POST", "/api/workflows", {"document": document(), **more})
    assert status == 200, told
    return told


async def test_a_workflow_is_kept_with_its_versions(visitor: Visitor) -> None:
    """A new version only where something changed; every one can be read again."""
    added = await keep(visitor)
    assert {key: added[key] for key in KEPT} == KEPT
    page = await visitor.get("/api/workflows/mine")
    assert page["document"] == document()
    same = {"document": document(), "base": 1}
    assert (await ask(visitor, "PUT", "/api/workflows/mine", same))[1]["saved"] is False
    other = {"document": document(nodes=walk(value=9)), "base": 1}
    status, saved = await ask(visitor, "PUT", "/api/workflows/mine", other)
    assert (status, saved["saved"], saved["version"]) == (200, True, 2)
    assert saved["created"] == added["created"] <= saved["changed"]
    found = (await visitor.get("/api/workflows/mine/versions"))["versions"]
    assert [each["version"] for each in found] == [2, 1]
    first = await visitor.get("/api/workflows/mine/versions/1")
    assert first["document"]["nodes"]["1"]["inputs"] == {"value": 7}
    assert await visitor.get("/api/workflows/mine/diff?from=1&to=2") == {
        "id": "mine",
        "from": 1,
        "to": 2,
        "nodes": {
            "added": [],
            "removed": [],
            "changed": [
                {
                    "id": "1",
                    "class_type": "Constant",
                    "title": "",
                    "inputs": [{"name": "value", "from": 7, "to": 9}],
                }
            ],
        },
        "parameters": [],
        "results": [],
        "layout": False,
    }


async def test_who_saves_over_a_newer_version_is_told(visitor: Visitor) -> None:
    """By the base in the body or by If-Match; nothing is saved, and nothing is lost."""
    await keep(visitor)
    path = "/api/workflows/mine"
    theirs = {"document": document(nodes=walk(value=2)), "base": 1}
    assert (await ask(visitor, "PUT", path, theirs))[0] == 200
    mine = {"document": document(nodes=walk(value=3))}
    expected = (
        "The workflow 'mine' has version 2 by now, and this was made from version 1. "
        "Nothing was saved; look at the difference and save again."
    )
    for status, told in (
        await ask(visitor, "PUT", path, {**mine, "base": 1}),
        await ask(visitor, "PUT", path, mine, **{"If-Match": '"1"'}),
    ):
        assert (status, told["error"]["message"]) == (409, expected)
        assert told["error"]["extra_info"] == {"version": 2, "base": 1}
    assert (await refusal(visitor, "PUT", path, mine))[:2] == (428, "base_required")
    again = await ask(visitor, "PUT", path, theirs)
    assert (again[0], again[1]["saved"]) == (200, False), "its answer may have been lost"
    assert (await ask(visitor, "PUT", path, mine, **{"If-Match": '"2"'}))[1]["version"] == 3
    other = {"document": theirs["document"]}
    assert (await ask(visitor, "PUT", path, other, **{"If-Match": "*"}))[1]["version"] == 4
    answers = await asyncio.gather(
        *(
            ask(visitor, "PUT", path, {"document": document(nodes=walk(value=v)), "base": 4})
            for v in range(10, 20)
        )
    )
    assert sorted(status for status, _ in answers) == [200] + 9 * [409]


async def test_old_versions_are_dropped_unless_a_link_shows_them(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a workflow cannot grow without an end; numbers are never given again."""
    monkeypatch.setattr(workflows_store, "MOST_VERSIONS", 3)
    await keep(visitor)
    path = "/api/workflows/mine"
    assert (await visitor.post(f"{path}/shares", {"version": 1}))[0] == 200
    for version in range(1, 6):
        put = {"document": document(nodes=walk(value=version)), "base": version}
        assert (await ask(visitor, "PUT", path, put))[1]["version"] == version + 1
    found = (await visitor.get(f"{path}/versions"))["versions"]
    assert [each["version"] for each in found] == [6, 5, 4, 1]
    gone = "The workflow 'mine' has no version 2."
    assert await refusal(visitor, "GET", f"{path}/diff?from=2&to=6") == (404, "not_found", gone)


async def test_workflows_are_found(visitor: Visitor) -> None:
    """By words of their names and texts, by tags, in an order, page by page; examples come last."""
    await keep(visitor, tags=["portrait", "red"])
    texts = {"1": {"class_type": "Save", "inputs": {"filename_prefix": "Ein Ölbild 100%"}}}
    bare = {"document": texts, "name": "Beta", "tags": ["red"]}
    status, second = await ask(visitor, "POST", "/api/workflows", bare)
    assert (status, second["name"]) == (200, "Beta")

    async def found(query: str) -> list[str]:
        page = await visitor.get(f"/api/workflows?{query}")
        assert page["pagination"]["total"] >= len(page["workflows"])
        return [each["name"] for each in page["workflows"]]

    assert (await found("sort_by=name"))[:2] == ["Beta", "Mine"]
    newest = [each["changed"] for each in (await visitor.get("/api/workflows"))["workflows"][:2]]
    assert newest == sorted(newest, reverse=True)
    assert await found("search=ölbild 100%25") == ["Beta"]
    assert await found("search=walk") == ["Mine"]
    assert await found("tag=red&sort_by=name") == ["Beta", "Mine"]
    assert await found("tag=red,portrait") == ["Mine"]
    assert await found("tag=re") == []
    assert "Text to image" in await found("search=text IMAGE")
    everything = await found("limit=500")
    paged = [name for offset in range(0, 9) for name in await found(f"limit=1&offset={offset}")]
    assert paged == everything[:9]
    assert await refusal(visitor, "GET", "/api/workflows?sort_by=size") == (
        400,
        "invalid_query",
        "\"sort_by\" must be one of changed, created, name, not 'size'.",
    )


async def test_a_name_and_tags_are_changed_without_a_new_version(visitor: Visitor) -> None:
    """The document that is handed out has the new name, and the search finds it."""
    await keep(visitor)
    path, patch = "/api/workflows/mine", {"name": "  Über alles ", "tags": ["a", "b", "a"]}
    status, told = await ask(visitor, "PATCH", path, patch)
    assert (status, told["version"]) == (200, 1)
    assert (told["name"], told["tags"]) == ("Über alles", ["a", "b"])
    assert (await visitor.get(path))["document"]["name"] == "Über alles"
    assert len((await visitor.get("/api/workflows?search=über walk"))["workflows"]) == 1
    put = {"document": document(name="Third"), "base": 1}
    assert (await ask(visitor, "PUT", path, put))[1]["name"] == "Third"


async def test_a_deleted_workflow_comes_back(visitor: Visitor) -> None:
    """It waits in the bin with all its versions, until it is deleted for good."""
    await keep(visitor)
    path = "/api/workflows/mine"
    status, gone = await ask(visitor, "DELETE", path)
    assert status == 200
    assert gone["deleted"] >= gone["changed"]
    hint = "There is no workflow 'mine' here; it is in the bin."
    assert await refusal(visitor, "GET", path) == (404, "not_found", hint)
    taken = await refusal(visitor, "POST", "/api/workflows", {"document": document()})
    assert taken[:2] == (409, "workflow_id_taken")
    binned = await visitor.get("/api/workflows?deleted=true")
    assert [each["id"] for each in binned["workflows"]] == ["mine"]
    assert (await ask(visitor, "POST", f"{path}/restore"))[1]["deleted"] is None
    assert (await visitor.get(path))["document"]["nodes"] == walk()
    assert (await refusal(visitor, "DELETE", f"{path}?forever=true"))[0] == 404, "not in the bin"
    await ask(visitor, "DELETE", path)
    assert (await ask(visitor, "DELETE", f"{path}?forever=true"))[0] == 204
    assert (await visitor.get("/api/workflows?deleted=true"))["workflows"] == []
    await keep(visitor)


async def test_a_workflow_has_a_picture(start: Start) -> None:
    """Made of what a job showed or of a file, small, and kept when the file is gone."""
    async with start() as (server, visitor):
        await keep(visitor)
        path = "/api/workflows/mine/thumbnail"
        none = "The workflow 'mine' has no thumbnail."
        assert await refusal(visitor, "GET", path) == (404, "not_found", none)
        job = await visitor.submit(walk())
        await visitor.idle()
        told = (await ask(visitor, "PUT", path, {"job": job}))[1]
        large = server.services.folders.directory("output") / "large.png"
        Image.new("RGBA", (1024, 256), "red").save(large)
        named = (await ask(visitor, "PUT", path, {"filename": "large.png"}))[1]
        assert told["thumbnail"] != named["thumbnail"]
        large.unlink()
        async with visitor.session.get(named["thumbnail"]) as answer:
            assert answer.content_type == "image/webp"
            with Image.open(io.BytesIO(await answer.read())) as picture:
                assert picture.size == (512, 128)
        outside = {"filename": "x.png", "subfolder": "../.."}
        assert (await refusal(visitor, "PUT", path, outside))[:2] == (403, "forbidden_path")
        assert (await refusal(visitor, "PUT", path, {"filename": "large.png"}))[0] == 404
        assert (await refusal(visitor, "PUT", path, {"job": "none"}))[0] == 404
        assert (await ask(visitor, "DELETE", path))[1]["thumbnail"] is None


async def test_examples_are_read_and_not_changed(visitor: Visitor) -> None:
    """They have the ids of their documents; a copy may be kept under another."""
    path = f"/api/workflows/{TEXT_TO_IMAGE}"
    page = await visitor.get(path)
    assert (page["name"], page["read_only"], page["tags"]) == ("Text to image", True, ["example"])
    expected = (
        "'Text to image' comes with Safelight and stays as it is; "
        "send the document without its id to keep a copy."
    )
    put = {"document": page["document"], "base": 1}
    for verb, body in (("PUT", put), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert await refusal(visitor, verb, path, body) == (409, "read_only_workflow", expected)
    post = {"document": {**page["document"], "id": None}}
    status, copy = await ask(visitor, "POST", "/api/workflows", post)
    assert (status, copy["read_only"]) == (200, False)
    assert copy["id"] != TEXT_TO_IMAGE


async def test_what_cannot_be_kept_is_refused_in_words(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refusal names what is wrong."""

    async def refused(**body: object) -> str:
        status, _, words = await refusal(visitor, "POST", "/api/workflows", body)
        assert status in (400, 413)
        return words

    assert await refused() == 'The body has no "document": send the workflow there.'
    assert await refused(document=3) == "a workflow is a JSON object, got 3"
    shapeless = {"safelight": 1, "nodes": {"1": {}}}
    assert await refused(document=shapeless) == "node 1: class_type is missing"
    assert await refused(document=document(id="../x")) == (
        "The id of a workflow is up to 200 letters, digits, dots, dashes, colons and "
        "underscores, not '../x'."
    )
    name = "\"name\" must be 1 to 200 printable characters, not 'a\\nb'."
    assert await refused(document=document(), name="a\nb") == name
    assert await refused(document=document(), tags=["a,b"]) == (
        '"tags" must be a list of at most 20 texts of 1 to 40 characters without commas, '
        "not 'a,b'."
    )
    deep: list[Any] = []
    for _ in range(150):
        deep = [deep]
    told = "The workflow holds lists or objects more than 100 deep."
    assert await refused(document=document(note=deep)) == told
    monkeypatch.setattr(workflows_documents, "LARGEST", 2**20)
    large = "The workflow is larger than 1 MiB, the most that is kept."
    body = io.BytesIO(json.dumps({"document": document(note="x" * 2**20)}).encode())
    async with visitor.session.post("/api/workflows", data=body) as answer:
        assert (answer.status, (await answer.json())["error"]["message"]) == (413, large)


async def test_the_library_outlives_the_server(start: Start) -> None:
    """What was saved before a restart is there after it."""
    async with start() as (_, visitor):
        await keep(visitor, tags=["a"])
    async with start() as (_, visitor):
        assert (await visitor.get("/api/workflows/mine"))["tags"] == ["a"]


def test_all_examples_are_there() -> None:
    """Each under an id of its own."""
    names = {each["name"] for each in Examples.load().documents.values()}
    assert {"Text to image", "Image to image", "Hires fix", "ControlNet"} <= names
