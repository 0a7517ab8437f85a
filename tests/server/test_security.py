from pathlib import Path

import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from tests.server.conftest import Start
from tests.server.visitor import Visitor, walk

from safelight.__main__ import main
from safelight_server import serve
from safelight_server.security import Policy, is_loopback, policy_for
from safelight_server.serve import ServeOptions, Server

TOKEN = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8188", "127.0.0.1.evil.example", "192.168.1.7:8188", ""]
)
async def test_other_names_are_not_answered_to(visitor: Visitor, host: str) -> None:
    """A foreign name that was pointed at this machine gets nothing, whatever the path."""
    for path in ("/", "/prompt", "/api/history", "/healthz", "/ws"):
        async with visitor.session.get(path, headers={"Host": host}) as answer:
            assert answer.status == 403
            assert (await answer.json())["error"]["type"] == "forbidden_host"


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:8188", "LOCALHOST"])
async def test_this_machine_has_several_names(visitor: Visitor, host: str) -> None:
    """Any port, since it may have been forwarded."""
    async with visitor.session.get("/prompt", headers={"Host": host}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "origin",
    ["null", "", "https://evil.example", "http://localhost:3000", "http://[", "http://127.0.0.1"],
)
async def test_pages_of_others_are_refused(visitor: Visitor, origin: str) -> None:
    """Also those of other servers on this machine, and those that hide where they are from."""
    headers = {"Origin": origin}
    async with visitor.session.post("/prompt", json={"prompt": walk()}, headers=headers) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["type"] == "forbidden_origin"
    with pytest.raises(WSServerHandshakeError, match="403"):
        await visitor.session.ws_connect("/ws", headers=headers)
    assert await visitor.get("/prompt") == {"exec_info": {"queue_remaining": 0}}


async def test_own_pages_are_served(server: Server, visitor: Visitor) -> None:
    """The origin is the very address that was asked."""
    headers = {"Origin": server.address, "Sec-Fetch-Site": "same-origin"}
    async with visitor.session.get("/api/features", headers=headers) as answer:
        assert answer.status == 200
    async with visitor.session.ws_connect("/ws", headers=headers) as socket:
        assert (await socket.receive_json(timeout=5))["type"] == "status"


async def test_other_sites_cannot_embed_what_is_here(visitor: Visitor) -> None:
    """An image tag elsewhere sends no origin, but says that it is cross-site."""
    embed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    async with visitor.session.get("/view?filename=a.png", headers=embed) as answer:
        assert answer.status == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with visitor.session.get("/", headers=link) as answer:
        assert answer.status in (200, 503)
    async with visitor.session.get("/api/history", headers=link) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("path", ["/", "/prompt", "/nowhere", "/view"])
async def test_every_answer_has_the_security_headers(visitor: Visitor, path: str) -> None:
    """Pages, data and refusals alike."""
    async with visitor.session.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_nobody_else_enters_by_the_door_of_the_worker(visitor: Visitor) -> None:
    """Without the token of the present worker, or from a page, it stays shut."""
    for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": "Basic eDp5"}):
        with pytest.raises(WSServerHandshakeError, match="403"):
            await visitor.session.ws_connect("/internal/worker", headers=headers)


async def test_a_token_is_asked_for(start: Start) -> None:
    """By header, by address, by the cookie that replaces the address; else 401."""
    async with start(token=TOKEN) as (server, visitor):
        assert server.url == f"{server.address}/?token={TOKEN}"
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            async with visitor.session.get("/prompt", headers=headers) as answer:
                assert answer.status == 401
                assert (await answer.json())["error"]["type"] == "token_required"
        with pytest.raises(WSServerHandshakeError, match="401"):
            await visitor.session.ws_connect("/ws")
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with visitor.session.get("/prompt", headers=bearer) as answer:
            assert answer.status == 200
        async with visitor.session.ws_connect("/ws", params={"token": TOKEN}) as socket:
            assert (await socket.receive_json(timeout=5))["type"] == "status"
        async with visitor.session.get("/healthz") as answer:
            assert answer.status == 200


async def test_a_page_opened_with_the_token_gets_a_cookie_instead(start: Start) -> None:
    """It is out of scripts' reach, never sent across sites, and the address is cleaned."""
    async with start(token=TOKEN) as (server, _), ClientSession(server.address) as browser:
        query = {"token": TOKEN, "theme": "dark"}
        async with browser.get("/", params=query, allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Location"] == "/?theme=dark"
            cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        name, _, value = cookie.partition(";")[0].partition("=")
        headers = {"Cookie": f"{name}={value}"}
        async with ClientSession(server.address) as another:
            async with another.get("/prompt", headers=headers) as answer:
                assert answer.status == 200
            async with another.get("/prompt", headers={"Cookie": f"{name}=x"}) as answer:
                assert answer.status == 401


def test_a_token_is_made_up_beyond_this_machine() -> None:
    """Nobody can forget to set one; on loopback none is needed."""
    assert policy_for("127.0.0.1", 8188, None).token is None
    tokens = {policy_for("0.0.0.0", 8188, None).token for _ in range(3)}
    assert len(tokens) == 3
    assert all(token is not None and len(token) >= 32 for token in tokens)
    assert policy_for("192.168.1.7", 8188, "mine").token == "mine"


@pytest.mark.parametrize(
    ("policy", "host", "answers"),
    [
        (policy_for("0.0.0.0", 1, None), "192.168.1.7:8188", True),
        (policy_for("0.0.0.0", 1, None), "evil.example", False),
        (policy_for("0.0.0.0", 1, None, ("box.lan",)), "BOX.lan:1", True),
        (policy_for("192.168.1.7", 1, None), "192.168.1.7", True),
        (policy_for("192.168.1.7", 1, None), "192.168.1.8", False),
        (policy_for("127.0.0.1", 1, None), "192.168.1.7", False),
    ],
)
def test_a_bound_address_is_a_name(policy: Policy, host: str, answers: bool) -> None:
    """An address cannot be pointed elsewhere, a name can: names must be listed."""
    assert policy.answers_to(host) is answers


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.0", False), ("", False), ("10.0.0.1", False), ("example.org", False)),
    ],
)
def test_loopback_is_recognised(host: str, loopback: bool) -> None:
    """Only addresses of this machine count."""
    assert is_loopback(host) is loopback


def test_further_names_are_given_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each by an option of its own."""
    given: list[ServeOptions] = []
    monkeypatch.setattr(serve, "run_server", lambda options, _ready: given.append(options))
    names = ("--allow-host", "box.lan", "--allow-host", "proxy.lan")
    assert main(["serve", "--home", str(tmp_path), *names]) == 0
    assert given[0].allowed_hosts == ("box.lan", "proxy.lan")
