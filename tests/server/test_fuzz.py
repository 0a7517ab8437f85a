"""Whatever strangers send, the server answers in words, never by a mistake of its own.

The requests are drawn from the API's own description; a log entry of level ERROR counts as a
mistake too, so that nothing hides behind a polite answer.
"""

import gc
import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.server.fuzzing import NASTY, Rig, Wish, junk, plain, rig_on, texts, wishes
from tests.server.visitor import walk

# aiohttp warns of headers that it passes over; here a warning would count as a mistake.
pytestmark = [
    pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader"),
    pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionParam"),
]
bounded = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FORM = "multipart/form-data; boundary=edge"
BOMB = b"k\0\0" + zlib.compress(bytes(2**24))  # a text of 16 MiB in 16 KiB
UI = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "Constant", "outputs": [{"links": [1]}], "widgets_values": [7]},
        {"id": 2, "type": "Save", "inputs": [{"name": "number", "link": 1}]},
    ],
    "links": [[1, 1, 0, 2, 0, "NUMBER"]],
}
DOCUMENTS: tuple[dict[str, Any], ...] = (
    walk(),
    {"safelight": 1, "id": "x", "nodes": walk(), "parameters": {}, "frames": [], "subgraphs": {}},
    UI,
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One server for all that follows."""
    with pytest.MonkeyPatch.context() as patch:
        root = Path(__file__).resolve().parents[2]
        patch.setenv("PYTHONPATH", f"{root}:{root / 'nodes'}:{root / 'server'}")
        with rig_on(tmp_path_factory.mktemp("fuzz") / "home") as made:
            yield made


def check(rig: Rig, wish: Wish) -> int:
    """Send a request that must not be answered by a mistake; return the status."""
    status, said = rig.ask(wish)
    mistakes, rig.mistakes = rig.mistakes, []
    assert (status < 500, mistakes) == (True, []), (status, str(wish)[:500], said)
    inner = (b"Traceback", b".py", str(rig.home).encode())
    assert status < 400 or not any(word in said for word in inner), said
    return status


def test_no_described_operation_makes_a_mistake(rig: Rig) -> None:
    """Requests drawn from the OpenAPI document: parameters and bodies that fit, nearly or not."""
    document = json.loads(rig.read("/api/openapi.json"))

    @settings(bounded, max_examples=120)
    @given(wish=wishes(document))
    def holds(wish: Wish) -> None:
        check(rig, wish)

    holds()


def test_every_described_operation_is_tried_once(rig: Rig) -> None:
    """With nothing, and with a word that means nothing, in each place of its path."""
    document = json.loads(rig.read("/api/openapi.json"))
    for path, verbs in document["paths"].items():
        for verb in verbs:
            filled = path.replace("{", "").replace("}", "")
            check(rig, Wish(verb, filled))


def places(value: Any) -> list[tuple[Any, ...]]:
    """Return the way to every part of a document."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    return [(), *((key, *rest) for key in keys for rest in places(value[key]))]


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a document with another part at one place."""
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = changed(value[place[0]], place[1:], new)
    return copy


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """Draw a workflow of one of three formats, with up to three parts replaced by others."""
    document: Any = draw(st.sampled_from(DOCUMENTS))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(document)))
        document = changed(document, place, draw(junk | st.sampled_from(DOCUMENTS)))
    return document


def test_damaged_workflows_are_refused_in_words(rig: Rig) -> None:
    """Submitted and converted; those that are still workflows are accepted."""

    @settings(bounded, max_examples=50)
    @given(document=damaged(), target=st.sampled_from(("safelight", "api", "comfy")))
    def holds(document: Any, target: str) -> None:
        check(rig, Wish("post", "/prompt", json={"prompt": document}))
        check(rig, Wish("post", "/api/convert", json={"workflow": document, "to": target}))

    holds()


@pytest.mark.parametrize("depth", [50, 400, 900, 20_000])
def test_deep_documents_are_refused_in_words(rig: Rig, depth: int) -> None:
    """As lists and as objects, in the place of a workflow and of a value in it."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = opening * depth + "1" + closing * depth
        inside = f'{{"1": {{"class_type": "Constant", "inputs": {{"value": {deep}}}}}}}'
        for prompt in (deep, inside):
            body = f'{{"prompt": {prompt}, "workflow": {prompt}}}'.encode()
            for path in ("/prompt", "/api/convert"):
                check(rig, Wish("post", path, data=body, kind="application/json"))


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@st.composite
def pngs(draw: st.DrawFn) -> bytes:
    """Draw a picture with strange chunks before its pixels, some bytes of it changed."""
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2)).save(buffer, "PNG")
    whole = buffer.getvalue()
    kind = draw(st.sampled_from((b"tEXt", b"zTXt", b"iTXt", b"IHDR", b"PLTE", b"tRNS", b"eXIf")))
    inner = draw(st.binary(max_size=40) | st.just(BOMB) | st.just(b"prompt\0{"))
    made = bytearray(whole[:33] + chunk(kind, inner) + whole[33:])
    for _ in range(draw(st.integers(0, 3))):
        made[draw(st.integers(8, len(made) - 1))] = draw(st.integers(0, 255))
    return bytes(made[: draw(st.integers(20, len(made)) | st.just(len(made)))])


def form(name: str, content: bytes, **fields: str) -> bytes:
    """Return the body of an upload."""
    parts = [
        b'--edge\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (key.encode(), value.encode())
        for key, value in fields.items()
    ]
    head = b'--edge\r\nContent-Disposition: form-data; name="image"; filename="%s"\r\n\r\n'
    return b"".join([*parts, head % name.encode(), content, b"\r\n--edge--\r\n"])


def test_broken_pictures_are_looked_at_without_harm(rig: Rig) -> None:
    """They can be uploaded, like any file; whoever asks for a part of one is refused in words."""
    original = json.dumps({"filename": "broken.png", "type": "input"})

    @settings(bounded, max_examples=25)
    @given(picture=pngs())
    def holds(picture: bytes) -> None:
        body = form("broken.png", picture, overwrite="true")
        assert check(rig, Wish("post", "/upload/image", data=body, kind=FORM)) == 200
        for more in ({}, {"preview": "webp;50"}, {"channel": "a"}, {"channel": "rgb"}):
            query = {"filename": "broken.png", "type": "input", **more}
            check(rig, Wish("get", "/view", query))
        mask = form("mask.png", picture, original_ref=original, overwrite="true")
        check(rig, Wish("post", "/upload/mask", data=mask, kind=FORM))

    holds()


def test_broken_forms_are_refused_in_words(rig: Rig) -> None:
    """Bodies of multipart uploads with bytes changed, left out or put in."""
    whole = form("a.png", b"not a picture", type="input", subfolder="x")

    @settings(bounded, max_examples=50)
    @given(
        start=st.integers(0, len(whole)),
        length=st.integers(0, 40),
        put=st.binary(max_size=20) | st.sampled_from((b"--edge", b"\r\n\r\n", b"--edge--\r\n")),
        path=st.sampled_from(("/upload/image", "/upload/mask")),
    )
    def holds(start: int, length: int, put: bytes, path: str) -> None:
        body = whole[:start] + put + whole[start + length :]
        check(rig, Wish("post", path, data=body, kind=FORM))

    holds()


@st.composite
def frames(draw: st.DrawFn) -> str | bytes:
    """Draw what a client might say over its socket."""
    kind = st.sampled_from(("feature_flags", "submit", "resume")) | plain
    message = st.fixed_dictionaries({}, optional={"type": kind, "data": junk | submissions()})
    match draw(st.integers(0, 3)):
        case 0:
            return draw(st.binary())
        case 1:
            return draw(texts)
        case _:
            return json.dumps(draw(message | junk))


def submissions() -> st.SearchStrategy[dict[str, Any]]:
    """Return what the data of a message might be."""
    told = {"prompt": damaged(), "job": plain, "since": plain, "request": junk, "number": plain}
    return st.fixed_dictionaries({}, optional=told)


def test_a_socket_outlives_what_is_said_over_it(rig: Rig) -> None:
    """After any frames, the next submission is answered."""

    @settings(bounded, max_examples=25)
    @given(said=st.lists(frames(), max_size=6))
    def holds(said: list[str | bytes]) -> None:
        rig.talk(said)
        mistakes, rig.mistakes = rig.mistakes, []
        assert mistakes == [], said

    holds()


def test_strangers_leave_nothing_in_memory(rig: Rig) -> None:
    """The same hundred odd requests again: the number of objects does not grow with them."""
    wishes = [Wish("post", "/prompt", json={"prompt": word}) for word in NASTY]
    wishes += [Wish("get", "/view", {"filename": word}) for word in NASTY]
    wishes += [Wish("post", "/upload/image", data=form("a", b""), kind=FORM)] * len(NASTY)
    wishes += [Wish("get", f"/{'x' * number}") for number in range(len(NASTY))]
    counted: list[int] = []
    for _ in range(4):
        for wish in wishes:
            check(rig, wish)
        rig.talk([json.dumps({"type": "resume", "data": {"job": word}}) for word in NASTY])
        gc.collect()
        counted.append(len(gc.get_objects()))
    assert counted[3] - counted[1] < 2 * len(wishes), counted
