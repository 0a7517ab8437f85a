import re
from typing import Any

import pytest
from aiohttp import ClientSession
from tests.server.conftest import Start
from tests.server.visitor import Visitor, walk

from safelight_server.workflows_examples import TEXT_TO_IMAGE

TOKEN = "correct-horse-battery-staple"
SHARES = "/api/workflows/mine/shares"


def document(**more: object) -> dict[str, Any]:
    """A workflow whose every text would rather be a script."""
    nodes = walk(label="<script>alert(1)</script>")
    nodes["2"] = {**nodes["2"], "_meta": {"title": "<b>Bold</b>"}}
    nodes["4"] = {"class_type": "Pick", "inputs": {"colour": "half \ud83d"}}
    return {"safelight": 1, "id": "mine", "name": "<i>Mine</i>", "nodes": nodes, **more}


async def shared(visitor: Visitor, **body: object) -> dict[str, Any]:
    """Make a link that must be made."""
    status, told = await visitor.post(SHARES, body)
    assert status == 200, told
    return told


async def status_of(session: ClientSession, verb: str, path: str, **headers: str) -> int:
    """Ask for a path; return the status of the answer."""
    async with session.request(verb, path, headers=headers) as answer:
        return answer.status


async def test_a_link_shows_one_version_and_nothing_else(start: Start) -> None:
    """Whoever has it needs no token for it, and a token for whatever else there is."""
    async with start(token=TOKEN) as (server, visitor):
        visitor.session.headers["Authorization"] = f"Bearer {TOKEN}"
        assert (await visitor.post("/api/workflows", {"document": document()}))[0] == 200
        link = await shared(visitor)
        assert re.fullmatch(r"/s/[A-Za-z0-9_-]{43}", link["address"])
        changed = {"document": document(nodes={}), "base": 1}
        async with visitor.session.put("/api/workflows/mine", json=changed) as answer:
            assert answer.status == 200
        async with ClientSession(server.address) as stranger:
            async with stranger.get(f"{link['address']}.json") as answer:
                assert await answer.json() == document()
                assert answer.headers["Content-Disposition"].startswith("attachment; ")
                assert answer.headers["Cache-Control"] == "no-store"
            for other in (
                "/api/workflows",
                SHARES,
                "/api/workflows/mine",
                f"/api/view?token={link['token']}&filename=x",
                f"{link['address']}/../../api/workflows",
                f"{link['address']}/%2e%2e/%2e%2e/api/workflows",
                f"{link['address']}/index.html",
                f"/s/{link['token']}x",
                "/s/",
                "/",
            ):
                assert await status_of(stranger, "GET", other) == 401, other
            bearer = {"Authorization": f"Bearer {link['token']}"}
            assert await status_of(stranger, "GET", "/api/workflows", **bearer) == 401
            for verb in ("DELETE", "POST", "PUT"):
                assert await status_of(stranger, verb, link["address"]) == 401
            assert await status_of(stranger, "DELETE", f"/api/shares/{link['token']}") == 401


async def test_the_page_of_a_link_runs_nothing(visitor: Visitor) -> None:
    """All that the workflow says stands there as text; another site may lead there."""
    await visitor.post("/api/workflows", {"document": document()})
    link = await shared(visitor)
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with visitor.session.get(link["address"], headers=visit) as answer:
        text = await answer.text()
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Robots-Tag"] == "noindex"
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;i&gt;Mine&lt;/i&gt;" in text
    assert "half ?" in text
    assert "&lt;b&gt;Bold&lt;/b&gt; <small>Walk</small>" in text
    embed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert await status_of(visitor.session, "GET", f"{link['address']}.json", **embed) == 403


async def test_a_link_is_revoked(visitor: Visitor) -> None:
    """From then on it leads nowhere, in the words of one that never did."""
    await visitor.post("/api/workflows", {"document": document()})
    first, second = await shared(visitor), await shared(visitor, version=1)
    listed = (await visitor.get(SHARES))["shares"]
    assert {each["token"] for each in listed} == {first["token"], second["token"]}
    gone = f"/api/shares/{first['token']}"
    assert await status_of(visitor.session, "DELETE", gone) == 204
    assert await status_of(visitor.session, "DELETE", gone) == 404
    words = set[str]()
    for address in (first["address"], f"/s/{'x' * 43}"):
        async with visitor.session.get(address) as answer:
            assert answer.status == 404
            words.add((await answer.json())["error"]["message"])
    assert words == {"This link leads nowhere, or not any more."}
    assert await status_of(visitor.session, "GET", second["address"]) == 200


async def test_a_link_to_the_bin_leads_nowhere(visitor: Visitor) -> None:
    """Until the workflow is back; deleted for good, its links are gone too."""
    await visitor.post("/api/workflows", {"document": document()})
    link = await shared(visitor)
    path = "/api/workflows/mine"
    assert await status_of(visitor.session, "DELETE", path) == 200
    assert await status_of(visitor.session, "GET", link["address"]) == 404
    await visitor.post(f"{path}/restore")
    assert await status_of(visitor.session, "GET", link["address"]) == 200
    await status_of(visitor.session, "DELETE", path)
    assert await status_of(visitor.session, "DELETE", f"{path}?forever=true") == 204
    await visitor.post("/api/workflows", {"document": document()})
    assert (await visitor.get(SHARES))["shares"] == []


async def test_a_link_shows_the_picture_of_its_own_version_only(visitor: Visitor) -> None:
    """A later version may show what was not meant for others."""
    await visitor.post("/api/workflows", {"document": document()})
    link = await shared(visitor)
    picture = f"{link['address']}/thumbnail"
    assert await status_of(visitor.session, "GET", picture) == 404
    job = await visitor.submit(walk())
    await visitor.idle()
    path = "/api/workflows/mine"
    async with visitor.session.put(f"{path}/thumbnail", json={"job": job}) as answer:
        assert answer.status == 200
    assert await status_of(visitor.session, "GET", picture) == 200
    async with visitor.session.get(link["address"]) as answer:
        assert f'<img src="{picture}"' in await answer.text()
    later = {"document": document(nodes={}), "base": 1}
    async with visitor.session.put(path, json=later) as answer:
        assert answer.status == 200
    assert await status_of(visitor.session, "GET", picture) == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (SHARES, {"version": 7}, 404, "The workflow 'mine' has no version 7."),
        (SHARES, {"version": "1"}, 400, '"version" must be the number of a version, from 1.'),
        ("/api/workflows/none/shares", {}, 404, "There is no workflow 'none' here."),
        (
            f"/api/workflows/{TEXT_TO_IMAGE}/shares",
            {},
            409,
            "'Text to image' comes with Safelight; keep a copy of it to share that.",
        ),
    ],
)
async def test_what_cannot_be_shared_is_refused(
    visitor: Visitor, path: str, body: object, status: int, words: str
) -> None:
    """In words that say why."""
    await visitor.post("/api/workflows", {"document": document()})
    answered, told = await visitor.post(path, body)
    assert (answered, told["error"]["message"]) == (status, words)
