"""Who asked for it hears of the end of a job, and nobody can make the server call elsewhere."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.server.conftest import Start
from tests.server.visitor import through, walk

from safelight_server import webhooks
from safelight_server.protocol import Refused
from safelight_server.webhooks import address_in, is_public

PATIENCE = 90.0


class Receiver:
    """A program on this machine that is called, and answers as a test wants."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.answers: list[web.Response] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Note a call."""
        self.calls.put_nowait((request.headers["Safelight-Signature"], await request.read()))
        return self.answers.pop(0) if self.answers else web.Response()

    async def call(self) -> dict[str, Any]:
        """Wait for the next call and return what it says."""
        async with asyncio.timeout(PATIENCE):
            _, body = await self.calls.get()
        return dict(json.loads(body))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A program that listens on this machine."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/done", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/done"
    yield made
    await runner.cleanup()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_PAUSES", (0.0, 0.0, 0.0))


async def test_the_end_of_a_job_is_told_and_signed(
    start: Start, receiver: Receiver, home: Path
) -> None:
    """Done, failed or cancelled; the key is in the home folder, for the user's eyes only."""
    async with start(webhook_hosts=("127.0.0.1",)) as (_, visitor):
        extra = {"webhook": receiver.url}
        done = await visitor.submit(walk(value=5), extra_data=extra)
        async with asyncio.timeout(PATIENCE):
            signature, body = await receiver.calls.get()
        said = json.loads(body)
        assert (said["event"], said["job"]["id"]) == ("job_ended", done)
        assert said["job"]["status"] == "completed"
        assert said["job"]["outputs"]["3"]["images"][0]["filename"].endswith(".png")
        assert "workflow" not in said["job"]
        moment, _, made = signature.removeprefix("t=").partition(",v1=")
        key = (home / "webhook.key").read_bytes()
        wanted = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        assert made == wanted
        assert (home / "webhook.key").stat().st_mode & 0o777 == 0o600
        await visitor.submit(through("Fail"), extra_data=extra)
        assert (await receiver.call())["job"]["status"] == "failed"
        await visitor.post("/api/queue/pause", {})
        waiting = await visitor.submit(walk(), extra_data=extra)
        await visitor.post(f"/api/jobs/{waiting}/cancel", {})
        assert (await receiver.call())["job"]["status"] == "cancelled"
        assert receiver.url not in json.dumps(await visitor.get("/history"))
        assert receiver.calls.empty()


async def test_a_call_is_repeated_boundedly(
    start: Start, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """After an error and a redirect, which is not followed, the third attempt is the last."""
    elsewhere = {"Location": receiver.url}
    receiver.answers += [web.Response(status=503), web.Response(status=302, headers=elsewhere)]
    async with start(webhook_hosts=("127.0.0.1",)) as (server, visitor):
        job = await visitor.submit(walk(), extra_data={"webhook": receiver.url})
        assert [(await receiver.call())["job"]["id"] for _ in range(3)] == [job] * 3
        receiver.answers += [web.Response(status=500) for _ in range(3)]
        other = await visitor.submit(walk(), extra_data={"webhook": receiver.url})
        assert [(await receiver.call())["job"]["id"] for _ in range(3)] == [other] * 3
        await asyncio.wait_for(asyncio.gather(*server.services.webhooks._tasks), PATIENCE)
        assert receiver.calls.empty()
    assert f"job {other} could not be told to 127.0.0.1: it answered 500" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"])
async def test_private_addresses_are_not_called(
    start: Start, receiver: Receiver, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By number, by name, or by a number that is written like a name."""
    caplog.set_level(logging.WARNING)
    async with start() as (_, visitor):
        url = receiver.url.replace("127.0.0.1", host)
        job = await visitor.submit(walk(), extra_data={"webhook": url})
        async with asyncio.timeout(PATIENCE):
            while f"job {job} could not be told" not in caplog.text:
                await asyncio.sleep(0.02)
        assert receiver.calls.empty()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(("8.8.8.8", True), ("2606:4700::1111", True)),
        *(("127.0.0.1", False), ("10.1.2.3", False), ("192.168.0.1", False), ("100.64.0.1", False)),
        *(("169.254.169.254", False), ("0.0.0.0", False), ("224.0.0.1", False)),
        *(("::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False)),
        *(("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("::ffff:8.8.8.8", True)),
    ],
)
def test_public_addresses_are_told_from_others(address: str, public: bool) -> None:
    """Also where an IPv4 address hides in one of IPv6."""
    assert is_public(address) is public


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ftp://a.example/",
        "a.example",
        "http://",
        "http://u:p@a.example",
        7,
        "http://[",
        "x" * 3000,
    ],
)
def test_what_is_no_address_is_refused(given: object) -> None:
    """At the submission, in words."""
    with pytest.raises(Refused, match='"webhook" must be an http or https address'):
        address_in({"webhook": given})


def test_nothing_said_is_nothing_called() -> None:
    """A job without an address."""
    assert address_in({}) is None
