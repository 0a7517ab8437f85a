"""What strangers might send: values that fit a JSON schema, and values that fit nothing."""

import asyncio
import io
import logging
from collections.abc import Coroutine, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from aiohttp import ClientSession
from hypothesis import strategies as st
from yarl import URL

from safelight_server.serve import ServeOptions, running

T = TypeVar("T")
Json = Mapping[str, Any]

NASTY = (
    *("", " ", ".", "..", "../../etc/passwd", "/etc/passwd", "a\\..\\b", "C:\\x", "con", "x\0y"),
    *("%00", "%2e%2e/x", "[input]", "a [output]", "\u202e", "💥", "é" * 300, "a" * 5000, "-1"),
    *("nan", "1e999", "9" * 40, "true", "null", "{}", "'; DROP TABLE jobs; --", "<script>", "\r\n"),
)
texts = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
junk = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
_PLAIN: Mapping[str, st.SearchStrategy[Any]] = {
    "string": texts,
    "integer": st.integers(-5, 5) | st.integers(),
    "number": st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "null": st.none(),
}


def fitting(schema: Json, known: Json) -> st.SearchStrategy[Any]:
    """Return values that mostly fit a schema; `known` are those that it may refer to."""
    return _fitting(schema, known) | junk


def _fitting(schema: Json, known: Json) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return fitting(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema or "oneOf" in schema:
        choices = schema.get("anyOf") or schema["oneOf"]
        return st.one_of([_fitting(each, known) for each in choices])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    kind = schema.get("type")
    if kind == "array":
        return st.lists(fitting(schema.get("items", {}), known), max_size=3)
    if kind == "object":
        told = {name: fitting(each, known) for name, each in schema.get("properties", {}).items()}
        return st.fixed_dictionaries({}, optional=told)
    return _PLAIN.get(str(kind), junk)


@dataclass(frozen=True)
class Wish:
    """A request: what is asked for, with what."""

    verb: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    data: bytes | None = None
    kind: str = "application/octet-stream"


@st.composite
def wishes(draw: st.DrawFn, document: Json) -> Wish:
    """Draw a request for one of the operations that an OpenAPI document describes."""
    known = document["components"]["schemas"]
    operations = [
        (p, v, told) for p, verbs in document["paths"].items() for v, told in verbs.items()
    ]
    path, verb, told = draw(st.sampled_from(operations))
    query: dict[str, str] = {}
    for each in told["parameters"]:
        if each["in"] == "path":
            value = quote(draw(texts) or "x", safe="")
            path = path.replace("{" + each["name"] + "}", value)
        elif draw(st.booleans()):
            query[each["name"]] = str(draw(fitting(each["schema"], known)))[:1000]
    content = told.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        return Wish(verb, path, query, draw(fitting(content["application/json"]["schema"], known)))
    data = draw(st.binary(max_size=200)) if content else None
    return Wish(verb, path, query, data=data, kind=next(iter(content), "text/plain"))


class Rig:
    """A server and a client of it on one event loop, for tests that are not async."""

    def __init__(self, home: Path) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.home = home
        self.mistakes: list[str] = []
        self._do(self._start(home))

    def _do(self, task: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(task)

    async def _start(self, home: Path) -> None:
        options = ServeOptions(home=home, port=0, catalog="tests.server.tiny_nodes")
        server = await self.stack.enter_async_context(running(options))
        self.session = await self.stack.enter_async_context(ClientSession(server.address))
        self.address = server.address
        await server.services.shelf.wait(120)

    def close(self) -> None:
        """Stop the server."""
        self._do(self.stack.aclose())
        self.runner.close()

    def ask(self, wish: Wish) -> tuple[int, bytes]:
        """Send a request and return the status and the beginning of the answer."""
        return self._do(self._ask(wish))

    def read(self, path: str) -> bytes:
        """Return the whole of a page."""
        return self._do(self._read(path))

    def talk(self, frames: list[str | bytes]) -> None:
        """Send frames over a websocket, and hear that the server still listens to it."""
        self._do(self._talk(frames))

    async def _talk(self, frames: list[str | bytes]) -> None:
        async with self.session.ws_connect("/ws?clientId=stranger") as socket:
            for frame in frames:
                await (
                    socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame)
                )
            await socket.send_json({"type": "submit", "data": {"request": "last"}})
            while True:
                said = await socket.receive(timeout=120)
                assert isinstance(said.data, str), said
                if '"request": "last"' in said.data or '"request":"last"' in said.data:
                    return

    async def _ask(self, wish: Wish) -> tuple[int, bytes]:
        url = URL(self.address + wish.path, encoded=True).update_query(wish.query)
        headers = {"Content-Type": wish.kind} if wish.data is not None else {}
        async with self.session.request(
            wish.verb.upper(),
            url,
            json=wish.json,
            data=None if wish.data is None else io.BytesIO(wish.data),
            headers=headers,
        ) as answer:
            return answer.status, await answer.content.read(2000)

    async def _read(self, path: str) -> bytes:
        async with self.session.get(path) as answer:
            assert answer.status == 200
            return await answer.read()


class _Mistakes(logging.Handler):
    def __init__(self, rig: Rig) -> None:
        super().__init__(logging.ERROR)
        self._rig = rig

    def emit(self, record: logging.LogRecord) -> None:
        self._rig.mistakes.append(self.format(record))


@contextmanager
def rig_on(home: Path) -> Generator[Rig, None, None]:
    """Run a server; whatever it logs as an error is noted as a mistake of its own."""
    rig = Rig(home)
    handler = _Mistakes(rig)
    watched = [logging.getLogger(name) for name in ("safelight.server", "asyncio")]
    for each in watched:
        each.addHandler(handler)
    try:
        yield rig
    finally:
        for each in watched:
            each.removeHandler(handler)
        rig.close()
