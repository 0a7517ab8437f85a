"""Somebody who uses a server as clients do: over HTTP and a websocket, and nothing else."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

PATIENCE = 30.0


@dataclass
class Ear:
    """A websocket, and all that was heard on it: messages as dicts, previews as bytes."""

    socket: ClientWebSocketResponse
    heard: list[dict[str, Any] | bytes] = field(default_factory=list)

    async def next(self) -> dict[str, Any] | bytes:
        """Return what comes next."""
        message = await self.socket.receive(timeout=PATIENCE)
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
        said = json.loads(message.data) if message.type == WSMsgType.TEXT else message.data
        self.heard.append(said)
        return said

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Listen until a message is the wanted one, and return it."""
        while True:
            said = await self.next()
            if isinstance(said, dict) and wanted(said):
                return said

    async def until_type(self, kind: str) -> dict[str, Any]:
        """Listen until a message of that type comes, and return its data."""
        return (await self.until(lambda said: said["type"] == kind))["data"]

    async def until_end(self, prompt_id: str) -> None:
        """Listen as every script does: until nothing executes for that prompt."""
        end = {"node": None, "prompt_id": prompt_id}
        await self.until(lambda said: said["type"] == "executing" and said["data"] == end)

    def types(self) -> list[str]:
        """Return what was heard by type; previews are called "preview"."""
        return [said["type"] if isinstance(said, dict) else "preview" for said in self.heard]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of all messages of a type."""
        return [s["data"] for s in self.heard if isinstance(s, dict) and s["type"] == kind]


@dataclass
class Visitor:
    """An HTTP client of one server."""

    session: ClientSession

    async def get(self, path: str) -> Any:
        """Return the JSON of a page that must be there."""
        async with self.session.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: object = None) -> tuple[int, Any]:
        """Post JSON; return the status and the JSON of the answer, if it has any."""
        async with self.session.post(path, json=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def submit(self, prompt: Mapping[str, object], **more: object) -> str:
        """Post a job that must be accepted; return its id."""
        status, body = await self.post("/prompt", {"prompt": prompt, **more})
        assert status == 200, body
        return str(body["prompt_id"])

    async def entry(self, prompt_id: str) -> dict[str, Any]:
        """Wait until a job is over, and return its entry in the history."""
        return (await self.wait_for(f"/history/{prompt_id}", lambda page: prompt_id in page))[
            prompt_id
        ]

    async def idle(self) -> None:
        """Wait until nothing is queued or running."""
        await self.wait_for("/prompt", lambda page: page["exec_info"]["queue_remaining"] == 0)

    async def running(self, prompt_id: str) -> None:
        """Wait until a job runs."""
        await self.wait_for(
            "/queue", lambda page: [item[1] for item in page["queue_running"]] == [prompt_id]
        )

    async def wait_for(self, path: str, wanted: Callable[[Any], bool]) -> Any:
        """Ask for a page until it is as wanted, and return it."""
        end = time.monotonic() + PATIENCE
        while not wanted(page := await self.get(path)):
            assert time.monotonic() < end, f"{path} stayed {page}"
            await asyncio.sleep(0.02)
        return page

    @asynccontextmanager
    async def listening(
        self, client_id: str, *, metadata: bool = False
    ) -> AsyncGenerator[Ear, None]:
        """Connect the websocket; with `metadata`, ask for previews that say whose they are."""
        async with self.session.ws_connect(f"/ws?clientId={client_id}") as socket:
            ear = Ear(socket)
            await ear.until_type("status")
            if metadata:
                flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
                await socket.send_json(flags)
                await ear.until_type("feature_flags")
            ear.heard.clear()
            yield ear


def walk(steps: int = 3, seconds: float = 0.0, value: int = 7, **more: object) -> dict[str, Any]:
    """Return a prompt of three nodes: a constant, a walk, a picture."""
    return {
        "1": {"class_type": "Constant", "inputs": {"value": value}},
        "2": {
            "class_type": "Walk",
            "inputs": {"number": ["1", 0], "steps": steps, "seconds": seconds, **more},
        },
        "3": {"class_type": "Save", "inputs": {"number": ["2", 0]}},
    }


def through(class_type: str, **inputs: object) -> dict[str, Any]:
    """Return a prompt of three nodes: a constant, one of that class, a picture."""
    return {
        "1": {"class_type": "Constant", "inputs": {"value": 7}},
        "2": {"class_type": class_type, "inputs": {"number": ["1", 0], **inputs}},
        "3": {"class_type": "Save", "inputs": {"number": ["2", 0]}},
    }
