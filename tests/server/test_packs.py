import json
import logging
import os
from pathlib import Path

import pytest
from tests.server.visitor import Visitor

from safelight_server.routes import page


def put(path: Path, value: object) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


async def test_a_home_without_packs_brings_nothing(visitor: Visitor) -> None:
    """Empty answers of the right kind, which front ends take as they are."""
    assert await visitor.get("/api/i18n") == {}
    assert await visitor.get("/api/workflow_templates") == {}
    assert await visitor.get("/api/global_subgraphs") == {}
    assert await visitor.get("/api/extensions") == []


async def test_translations_of_packs_are_merged(visitor: Visitor, home: Path) -> None:
    """By language and part; a broken file hides nobody else's."""
    packs = home / "custom_nodes"
    put(packs / "a" / "locales" / "de" / "main.json", {"menu": {"x": "X"}})
    put(packs / "a" / "locales" / "de" / "nodeDefs.json", {"A": {"title": "Ah"}})
    put(packs / "b" / "locales" / "de" / "nodeDefs.json", {"B": {"title": "Be"}})
    put(packs / "c.disabled" / "locales" / "de" / "main.json", {"never": 1})
    (packs / "b" / "locales" / "de" / "commands.json").write_text("{broken")
    assert await visitor.get("/i18n") == {
        "de": {"menu": {"x": "X"}, "nodeDefs": {"A": {"title": "Ah"}, "B": {"title": "Be"}}}
    }


async def test_examples_of_packs_can_be_listed_and_read(visitor: Visitor, home: Path) -> None:
    """From whichever folder the pack keeps them in; nothing else of the pack."""
    packs = home / "custom_nodes"
    put(packs / "a" / "example_workflows" / "first.json", {"nodes": []})
    put(packs / "a" / "workflows" / "second.json", {})
    put(packs / "a" / "secret.json", {})
    assert await visitor.get("/workflow_templates") == {"a": ["first", "second"]}
    assert await visitor.get("/api/workflow_templates/a/first.json") == {"nodes": []}
    for path, status in (("a/secret.json", 404), ("b/first.json", 404), ("..%2F..%2F../x", 403)):
        async with visitor.session.get(f"/api/workflow_templates/{path}") as answer:
            assert answer.status == status, path


async def test_subgraphs_of_packs_are_offered(visitor: Visitor, home: Path) -> None:
    """With an id each, under which the JSON is found."""
    put(home / "custom_nodes" / "a" / "subgraphs" / "mine.json", {"x": 1})
    ((key, told),) = (await visitor.get("/global_subgraphs")).items()
    assert told == {"source": "custom_node", "name": "mine", "info": {"node_pack": "a"}}
    whole = await visitor.get(f"/api/global_subgraphs/{key}")
    assert whole == {**told, "data": '{"x": 1}'}
    async with visitor.session.get("/global_subgraphs/unknown") as answer:
        assert answer.status == 404


async def test_scripts_of_the_served_front_end_are_named(
    visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that its build has; ours has none."""
    put(tmp_path / "extensions" / "core" / "a.js", "")
    monkeypatch.setattr(page, "STATIC", tmp_path)
    assert await visitor.get("/extensions") == ["/extensions/core/a.js"]


async def test_files_are_listed_newest_first(visitor: Visitor, home: Path) -> None:
    """Without hidden ones and folders; an unknown place is refused."""
    for age, name in enumerate(("new.png", "old.png", ".hidden")):
        path = home / "output" / name
        path.write_bytes(b"x")
        os.utime(path, (1000 - age, 1000 - age))
    (home / "output" / "sub").mkdir()
    assert await visitor.get("/internal/files/output") == ["new.png", "old.png"]
    async with visitor.session.get("/internal/files/models") as answer:
        assert answer.status == 400


async def test_what_is_logged_can_be_read_and_followed(visitor: Visitor) -> None:
    """As one text, entry by entry, and over the socket for those who subscribe."""
    logger = logging.getLogger("safelight.server")
    async with visitor.listening("me") as ear:
        logger.info("nobody listens yet")
        for enabled in (True, False):
            body = {"clientId": "me", "enabled": enabled}
            async with visitor.session.patch("/internal/logs/subscribe", json=body) as answer:
                assert answer.status == 200
            logger.info("enabled is %s", enabled)
        await visitor.wait_for("/internal/logs", lambda text: "enabled is False" in text)
        await ear.until_end(await visitor.submit({"1": _constant(), "2": _save()}, client_id="me"))
    (heard,) = ear.of_type("logs")
    assert heard["entries"][0]["m"] == "INFO enabled is True\n"
    raw = await visitor.get("/internal/logs/raw")
    assert heard["entries"][0] in raw["entries"]


def _constant() -> dict[str, object]:
    return {"class_type": "Constant", "inputs": {}}


def _save() -> dict[str, object]:
    return {"class_type": "Save", "inputs": {"number": ["1", 0]}}
