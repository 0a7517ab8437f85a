"""A client for programs: submit workflows, watch them run, fetch what they made.

    async with Client("http://127.0.0.1:8188") as client:
        job = await client.submit(json.loads(Path("workflow.json").read_text()))
        async for event in client.watch(job):
            print(event.type)
        for file in (await client.outcome(job)).files:
            await client.save(file, Path("pictures"))

A workflow of the server's library is a function: `await client.run(ID, prompt="a cat", seed=7)`.
A connection that breaks while somebody watches is made anew, and nothing is missed.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout, FormData
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from safelight.client_values import (
    USUAL_ADDRESS,
    Event,
    File,
    JobEntry,
    Outcome,
    Refusal,
    Unreachable,
    WorkflowEntry,
)
from safelight.client_wire import Patience, heard, parsed, resumption

_POLL_SECONDS = 60  # how long one question for a result may stay open
_LARGEST_MESSAGE = 64 * 2**20


class Client:
    """A connection to one server.

    Whatever asks it something raises `Unreachable` when it does not answer, and `Refusal` with
    the server's own words when it will not.

    Args:
        address: Of the server, as it prints it at its start, with or without `?token=`.
        token: What the server asks for, when it is bound beyond its machine.
        client_id: Who the jobs are from; anything of one's own.
    """

    def __init__(
        self, address: str = USUAL_ADDRESS, *, token: str | None = None, client_id: str = ""
    ) -> None:
        base, _, query = address.partition("?")
        self.address = base.rstrip("/")
        self.client_id = client_id or uuid.uuid4().hex
        token = token or (query.removeprefix("token=") if query.startswith("token=") else None)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session: ClientSession | None = None

    async def __aenter__(self) -> "Client":
        timeout = ClientTimeout(total=None, sock_connect=30, sock_read=_POLL_SECONDS + 60)
        self._session = ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    # Jobs

    async def submit(
        self, workflow: Mapping[str, Any], *, front: bool = False, metadata: bool = True
    ) -> str:
        """Queue a workflow of any format; return the job's id once it is on the server's disk.

        Args:
            workflow: A Safelight document, an API prompt, or a file of ComfyUI's canvas.
            front: Whether it shall run before all that waits.
            metadata: Whether the files that it saves tell how they were made.
        """
        body: dict[str, Any] = {"prompt": workflow, "client_id": self.client_id, "front": front}
        if not metadata:
            body["extra_data"] = {"save_metadata": False}
        told = await self._ask("POST", "/api/prompt", json=body)
        return str(told["prompt_id"])

    async def jobs(self, statuses: Iterable[str] = (), limit: int = 100) -> list[JobEntry]:
        """Return the newest jobs: of all statuses, or some of them."""
        query = {"limit": str(limit), "status": ",".join(statuses)}
        page = await self._ask("GET", "/api/jobs", params=query)
        return [
            JobEntry(each["id"], each["status"], each["create_time"], each.get("workflow_id"))
            for each in page["jobs"]
        ]

    async def outcome(self, job: str) -> Outcome:
        """Return how a job stands now."""
        told = await self._ask("GET", f"/api/jobs/{_quoted(job)}")
        error = (told.get("execution_error") or {}).get("exception_message")
        return Outcome(job, told["status"], told.get("outputs") or {}, error)

    async def cancel(self, job: str) -> None:
        """Stop a job, whether it waits or runs."""
        await self._ask("POST", f"/api/jobs/{_quoted(job)}/cancel")

    async def wait(self, job: str) -> Outcome:
        """Wait until a job is over, and return how it ended."""
        async for _ in self.watch(job):
            pass
        return await self.outcome(job)

    async def watch(self, job: str, since: int = 0) -> AsyncGenerator[Event, None]:
        """Yield what happens to a job until it is over, from its log and from its progress.

        Args:
            job: Its id.
            since: The number of the last event that is known already.
        """
        patience = Patience(self.address)
        while True:
            try:
                async with connect(self._socket_address(), **self._socket_options()) as socket:
                    await socket.send(resumption(job, since))
                    patience.renew()
                    async for event in heard(socket, job):
                        since = since if event.sequence is None else event.sequence
                        yield event
                    return
            except InvalidStatus as refused:
                raise Refusal(refused.response.status_code, parsed(refused.response.body)) from None
            except (OSError, ConnectionClosed) as error:
                await patience.take(error)

    # Files

    async def fetch(self, file: File) -> bytes:
        """Return what a file on the server holds."""
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        try:
            async with self._open().get(f"{self.address}/api/view", params=query) as answer:
                content = await answer.read()
        except (ClientError, TimeoutError) as error:
            raise Unreachable(f"{self.address} does not answer: {error}") from error
        if answer.status != 200:
            raise Refusal(answer.status, parsed(content))
        return content

    async def save(self, file: File, folder: Path) -> Path:
        """Fetch a file into a folder, under its own name; return its path there."""
        content = await self.fetch(file)
        path = folder / PurePath(file.filename).name
        await asyncio.to_thread(_write, path, content)
        return path

    async def upload(self, path: Path) -> str:
        """Send a picture; return the name by which inputs of workflows may name it."""
        content = await asyncio.to_thread(path.read_bytes)
        form = FormData()
        form.add_field("image", content, filename=path.name)
        told = await self._ask("POST", "/api/upload/image", data=form)
        return "/".join(filter(None, [told["subfolder"], told["name"]]))

    # Workflows of the library

    async def workflows(self, search: str = "", tags: Iterable[str] = ()) -> list[WorkflowEntry]:
        """Return the workflows that the server keeps, and its examples."""
        query = {"search": search, "tag": ",".join(tags), "limit": "500"}
        page = await self._ask("GET", "/api/workflows", params=query)
        return [_entry(each) for each in page["workflows"]]

    async def workflow(self, workflow: str) -> dict[str, Any]:
        """Return the newest version of a workflow, as a document."""
        found = await self._ask("GET", f"/api/workflows/{_quoted(workflow)}")
        document: dict[str, Any] = found["document"]
        return document

    async def parameters(self, workflow: str) -> dict[str, Any]:
        """Return what a workflow can be given, as a JSON schema."""
        told: dict[str, Any] = await self._ask("GET", f"/api/workflows/{_quoted(workflow)}/schema")
        return told

    async def run(self, workflow: str, /, **parameters: object) -> Outcome:
        """Run a workflow with these parameters; return what it made, by name of result.

        It runs once, also when the connection breaks and is made anew meanwhile.
        """
        found = await self._ask("GET", f"/api/workflows/{_quoted(workflow)}")
        query = {
            "prompt_id": str(uuid.uuid4()),
            "client_id": self.client_id,
            "version": str(found["version"]),
            "wait": str(_POLL_SECONDS),
        }
        path = f"/api/workflows/{_quoted(workflow)}/run"
        patience = Patience(self.address)
        patience.renew()
        while True:
            try:
                told = await self._ask("POST", path, json=parameters, params=query)
            except Unreachable as error:
                await patience.take(error)
                continue
            patience.renew()
            if told["over"]:
                reason = (told.get("error") or {}).get("message")
                return Outcome(told["job"], told["status"], told["results"], reason)

    # How it is asked

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        """Ask for JSON."""
        try:
            async with self._open().request(method, f"{self.address}{path}", **more) as answer:
                told = parsed(await answer.read())
        except (ClientError, TimeoutError) as error:
            raise Unreachable(f"{self.address} does not answer: {error}") from error
        if answer.status >= 400:
            raise Refusal(answer.status, told)
        return told

    def _open(self) -> ClientSession:
        if self._session is None:
            raise RuntimeError("use the client in `async with Client(...) as client`")
        return self._session

    def _socket_address(self) -> str:
        address = self.address.replace("http", "ws", 1)
        return f"{address}/ws?clientId={_quoted(self.client_id)}"

    def _socket_options(self) -> dict[str, Any]:
        return {"additional_headers": self._headers, "max_size": _LARGEST_MESSAGE, "proxy": None}


def _entry(told: Mapping[str, Any]) -> WorkflowEntry:
    tags = tuple(told["tags"])
    return WorkflowEntry(told["id"], told["name"], told["version"], tags, told["read_only"])


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _quoted(text: str) -> str:
    return quote(text, safe="")
