import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Start
from tests.server.visitor import walk
from websockets.asyncio.client import connect

import safelight.client
from safelight import Client
from safelight.__main__ import main
from safelight.client_values import Event, Refusal, Unreachable
from safelight.commands import DocumentError
from safelight.remote import with_settings
from safelight_server.serve import Server

NOWHERE = "http://127.0.0.1:9"  # the port of the service that discards, which nobody runs
PARAMETERS = {"number": {"node": "1", "input": "value"}, "words": {"node": "2", "input": "label"}}


def document(**more: object) -> dict[str, Any]:
    """A workflow that can be given a number and a text."""
    results = {"picture": {"node": "3", "output": 0}}
    about = {"safelight": 1, "id": "mine", "name": "Mine", "nodes": walk()}
    return {**about, "parameters": PARAMETERS, "results": results, **more}


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """A client of the running server, whose library holds the workflow."""
    async with Client(server.address) as client:
        await client._ask("POST", "/api/workflows", json={"document": document(), "name": "Mine"})
        yield client


async def test_a_job_is_submitted_watched_and_fetched(client: Client, tmp_path: Path) -> None:
    """All that a program needs, in four calls."""
    job = await client.submit(walk(steps=4))
    heard = [event async for event in client.watch(job)]
    kept = [event.sequence for event in heard if event.sequence is not None]
    assert kept == list(range(1, len(kept) + 1))
    types = [event.type for event in heard if event.sequence is not None]
    assert (types[0], types[-1]) == ("execution_start", "execution_success")
    outcome = await client.outcome(job)
    assert (outcome.status, outcome.completed, outcome.error) == ("completed", True, None)
    (file,) = outcome.files
    assert file.node == "3"
    assert (await client.fetch(file)).startswith(b"\x89PNG")
    saved = await client.save(file, tmp_path / "new")
    assert saved.read_bytes() == await client.fetch(file)
    assert [each.id for each in await client.jobs()] == [job]
    assert await client.jobs(["failed"]) == []


async def test_a_watcher_misses_nothing_when_the_connection_breaks(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It connects again and asks for what came after the last event it knows."""
    sockets: list[Any] = []

    def counted(*address: str, **options: Any) -> Any:
        sockets.append(connect(*address, **options))
        return sockets[-1]

    monkeypatch.setattr(safelight.client, "connect", counted)
    job = await client.submit(walk(steps=10_000, seconds=0.02))
    kept: list[Event] = []
    async for event in client.watch(job):
        if event.sequence is not None:
            kept.append(event)
        if event.type == "execution_start":
            await sockets[0].connection.close()
            await client.cancel(job)  # so that the end can only be heard on another one
    assert [event.sequence for event in kept] == list(range(1, len(kept) + 1))
    assert kept[-1].type == "execution_interrupted"
    assert len(sockets) == 2


async def test_a_stored_workflow_is_a_function(client: Client) -> None:
    """It is found, says what it takes, and gives its results by name."""
    (found,) = await client.workflows("mine walk")
    assert (found.id, found.version, found.read_only) == ("mine", 1, False)
    assert list((await client.parameters("mine"))["properties"]) == ["number", "words"]
    assert (await client.workflow("mine"))["nodes"] == walk()
    made = await asyncio.gather(*(client.run("mine", number=number) for number in range(4)))
    assert [outcome.status for outcome in made] == 4 * ["completed"]
    assert [file.node for outcome in made for file in outcome.files] == 4 * ["picture"]
    with pytest.raises(Refusal, match=r"^number: 101 is above 100; want from 0 to 100") as refusal:
        await client.run("mine", number=101)
    assert (refusal.value.kind, refusal.value.status) == ("invalid_parameters", 400)


async def test_what_fails_is_told_in_words(client: Client) -> None:
    """A job that fails, one that is stopped, one there is none of, a workflow with mistakes."""
    nodes = {**walk(), "2": {"class_type": "Fail", "inputs": {"number": ["1", 0]}}}
    failed = await client.wait(await client.submit(nodes))
    assert (failed.status, failed.error) == ("failed", "boom")
    slow = await client.submit(walk(steps=1000, seconds=0.02))
    await client.cancel(slow)
    assert (await client.wait(slow)).status == "cancelled"
    for asked in (client.wait("none"), client.outcome("none"), client.cancel("none")):
        with pytest.raises(Refusal, match="There is no job 'none'"):
            await asked
    with pytest.raises(Refusal) as refusal:
        await client.submit({"3": {"class_type": "Save", "inputs": {}}})
    assert list(refusal.value.node_errors) == ["3"]


async def test_a_server_that_is_not_there_is_named() -> None:
    """At once, not after a while."""
    async with Client(NOWHERE) as client:
        with pytest.raises(Unreachable, match=f"^{NOWHERE} does not answer: "):
            await client.jobs()
        with pytest.raises(Unreachable, match=f"^{NOWHERE} does not answer: "):
            await client.wait("a")


async def test_a_token_opens_the_server(start: Start) -> None:
    """By itself, or within the address that the server prints."""
    async with start(token="secret") as (server, _):
        async with Client(server.address) as stranger:
            for asked in (stranger.jobs(), stranger.wait("a")):
                with pytest.raises(Refusal, match="This server asks for its token"):
                    await asked
        for known in (Client(server.address, token="secret"), Client(server.url)):
            async with known:
                assert (await known.wait(await known.submit(walk()))).completed


async def test_a_picture_is_sent(client: Client, tmp_path: Path) -> None:
    """And answers the name by which inputs may name it."""
    path = tmp_path / "look.png"
    path.write_bytes(b"any")
    name = await client.upload(path)
    prompt = {"1": {"class_type": "Look", "inputs": {"image": name}}}
    outcome = await client.wait(await client.submit(prompt))
    assert outcome.outputs == {"1": {"text": [{"size": 3}]}}


def test_the_client_needs_no_torch() -> None:
    """Nor does the package import the client before somebody wants it."""
    code = (
        "import sys, safelight\n"
        "assert 'aiohttp' not in sys.modules\n"
        "from safelight import Client\n"
        "import safelight.remote\n"
        "assert Client and 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_settings_are_read_as_what_stood_there() -> None:
    """By name of parameter or NODE.INPUT; what there is none of is refused."""
    inputs = {"count": 1, "size": 0.5, "on": True, "text": "7", "wired": ["2", 0]}
    own: dict[str, Any] = {"safelight": 1, "nodes": {"1": {"class_type": "A", "inputs": inputs}}}
    named = {**own, "parameters": {"many": {"node": "1", "input": "count"}}}
    given = {"many": "3", "1.size": "2", "1.on": "False", "1.text": "8", "1.wired": "x"}
    filled = with_settings(named, given)
    expected = {"count": 3, "size": 2, "on": False, "text": "8", "wired": "x"}
    assert filled["nodes"]["1"]["inputs"] == expected
    assert named["nodes"]["1"]["inputs"] == inputs
    assert with_settings(own["nodes"], {"1.count": "x"})["1"]["inputs"]["count"] == "x"
    with pytest.raises(DocumentError, match="no parameter or node 'man'; parameters: many"):
        with_settings(named, {"man": "3"})


async def test_the_command_line_does_the_same(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results on standard output, the rest elsewhere; exit codes tell how it went."""
    path, output = tmp_path / "w.json", tmp_path / "made"
    path.write_text(json.dumps(document()))
    async with Client(server.address) as client:
        await client._ask("POST", "/api/workflows", json={"document": document()})

    async def done(*words: str) -> tuple[int, list[str], str]:
        arguments = [*words, "--server", server.address]
        code = await asyncio.to_thread(main, arguments)
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    waited = await done("submit", str(path), "--set", "number=9", "--output", str(output))
    assert waited[:2] == (0, [str(output / "tiny_00001_.png")])
    assert (output / "tiny_00001_.png").read_bytes().startswith(b"\x89PNG")
    code, (job,), _ = await done("submit", "Mine", "--set", "number=4")
    assert code == 0
    code, (file,), told = await done("watch", job)
    assert (code, file) == (0, "tiny_00002_.png")
    assert "execution_success" in told.splitlines()
    assert [line.split()[:2] for line in (await done("jobs", "--limit", "1"))[1]] == [
        [job, "completed"]
    ]
    assert (await done("workflows", "mine", "walk"))[1] == ["mine  Mine"]
    assert (await done("workflows", "--parameters", "mine"))[1][0] == "{"
    nodes = {**walk(), "2": {"class_type": "Fail", "inputs": {"number": ["1", 0]}}}
    path.write_text(json.dumps(nodes))
    code, _, told = await done("submit", str(path), "--wait")
    assert (code, told.splitlines()[-1]) == (1, "The job failed: boom")
    assert (await done("submit", "nothing such"))[::2] == (
        2,
        "no file and no workflow of the server is called 'nothing such'; "
        "`safelight workflows` lists them\n",
    )
    assert (await done("submit", "Mine", "--set", "number=101"))[0] == 2
    assert (await done("watch", "none"))[0] == 2
    assert await asyncio.to_thread(main, ["jobs", "--server", NOWHERE]) == 1
    assert "Is Safelight running?" in capsys.readouterr().err
