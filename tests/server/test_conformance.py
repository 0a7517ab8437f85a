"""What programs written for ComfyUI rely on, one test per point, looked at from outside only.

The points are those of the checklist by which the protocol is kept.  Points about lists, lazy
inputs and expansion belong to the executor's tests, conversion to those of the conversion.
"""

import asyncio
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from PIL import Image
from tests.server.conftest import Start
from tests.server.tiny_nodes import png
from tests.server.visitor import Ear, Visitor, through, walk


def calm(ear: Ear) -> list[str]:
    """What was heard by type, without the progress map that goes with everything."""
    return [kind for kind in ear.types() if kind != "progress_state"]


async def status_of(visitor: Visitor, verb: str, address: str, content: bytes | None = None) -> int:
    """The status that a request is answered with."""
    async with visitor.session.request(verb, address, data=content) as answer:
        return answer.status


async def test_01_a_body_without_a_prompt(visitor: Visitor) -> None:
    """400 `no_prompt`, under both paths."""
    for path in ("/prompt", "/api/prompt"):
        status, body = await visitor.post(path, {})
        assert (status, body["error"]["type"], body["node_errors"]) == (400, "no_prompt", {})


async def test_02_a_class_that_there_is_none_of(visitor: Visitor) -> None:
    """400 `invalid_prompt`, without errors of nodes."""
    prompt = {"1": {"class_type": "Nonsense", "inputs": {}}}
    status, body = await visitor.post("/prompt", {"prompt": prompt})
    assert (status, body["error"]["type"], body["node_errors"]) == (400, "invalid_prompt", {})


@pytest.mark.parametrize(
    ("class_type", "name", "value", "kind"),
    [
        ("Walk", "steps", 0, "value_smaller_than_min"),
        ("Walk", "steps", 10_001, "value_bigger_than_max"),
        ("Walk", "steps", "many", "invalid_input_type"),
        ("Pick", "colour", "blue", "value_not_in_list"),
        ("Walk", "number", ["9", 0], "bad_linked_input"),
        ("Walk", "number", ["1", -1], "bad_linked_input"),
        ("Walk", "number", ["1"], "bad_linked_input"),
    ],
)
async def test_03_mistakes_have_their_shapes(
    visitor: Visitor, class_type: str, name: str, value: object, kind: str
) -> None:
    """Type, input, declaration and what was received, under the node; the output that fails."""
    picking: dict[str, Any] = {"2": {"class_type": class_type, "inputs": {}}}
    prompt = walk() if class_type == "Walk" else picking
    prompt["2"]["inputs"][name] = value
    status, body = await visitor.post("/prompt", {"prompt": prompt})
    assert (status, body["error"]["type"]) == (400, "prompt_outputs_failed_validation")
    faulty = body["node_errors"]["2"]
    assert faulty["class_type"] == class_type
    assert faulty["dependent_outputs"] == (["3"] if class_type == "Walk" else ["2"])
    (error,) = faulty["errors"]
    assert set(error) == {"type", "message", "details", "extra_info"}
    assert (error["type"], error["extra_info"]["input_name"]) == (kind, name)
    assert {"input_config", "received_value"} <= set(error["extra_info"])
    assert isinstance(value, list) or error["extra_info"]["received_value"] == value


async def test_03_a_missing_input_and_a_wrong_wire(visitor: Visitor) -> None:
    """`required_input_missing` and `return_type_mismatch`, each under its own node."""
    prompt = walk()
    del prompt["2"]["inputs"]["number"]
    prompt["3"]["inputs"]["filename_prefix"] = ["1", 0]
    _, body = await visitor.post("/prompt", {"prompt": prompt})
    (missing,) = body["node_errors"]["2"]["errors"]
    assert missing["type"] == "required_input_missing"
    assert missing["extra_info"]["input_name"] == "number"
    (mismatch,) = body["node_errors"]["3"]["errors"]
    assert mismatch["type"] == "return_type_mismatch"
    assert mismatch["extra_info"]["input_name"] == "filename_prefix"


async def test_04_a_good_output_beside_a_bad_one(visitor: Visitor) -> None:
    """200 with the faults of the bad one; only the good one runs."""
    prompt = walk() | {"4": {"class_type": "Save", "inputs": {}}}
    status, body = await visitor.post("/prompt", {"prompt": prompt})
    assert (status, list(body["node_errors"])) == (200, ["4"])
    assert list((await visitor.entry(body["prompt_id"]))["outputs"]) == ["3"]


async def test_05_and_06_the_frames_of_a_run_and_of_its_repetition(visitor: Visitor) -> None:
    """In order up to executing null, when the history is there; then all from the cache."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(walk(steps=1), client_id="me")
        await ear.until_end(prompt_id)
        assert prompt_id in await visitor.get(f"/history/{prompt_id}")
        assert calm(ear) == [
            *("status", "status", "execution_start", "execution_cached"),
            *("executing", "executing", "progress", "preview", "executing", "executed"),
            *("execution_success", "status", "executing"),
        ]
        (shown,) = ear.of_type("executed")
        ear.heard.clear()
        await ear.until_end(await visitor.submit(walk(steps=1), client_id="me"))
    (cached,) = ear.of_type("execution_cached")
    assert cached["nodes"] == ["1", "2", "3"]
    (again,) = ear.of_type("executed")
    assert again["output"] == shown["output"]
    assert [data["node"] for data in ear.of_type("executing")] == [None]


async def test_07_an_error(visitor: Visitor) -> None:
    """History says so; what stood before it need not run again."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(through("Fail", message="a"), client_id="me")
        await ear.until_end(prompt_id)
        assert calm(ear)[-3:] == ["execution_error", "status", "executing"]
        ear.heard.clear()
        await ear.until_end(await visitor.submit(through("Fail", message="b"), client_id="me"))
    assert ear.of_type("execution_cached")[0]["nodes"] == ["1"]
    status = (await visitor.entry(prompt_id))["status"]
    assert (status["status_str"], status["completed"]) == ("error", False)


async def test_08_an_interrupt(visitor: Visitor) -> None:
    """By a wrong id nothing happens; by the right one the run ends, and then executing null."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(walk(steps=10_000, seconds=0.005), client_id="me")
        await ear.until_type("progress")
        assert await visitor.post("/interrupt", {"prompt_id": "wrong"}) == (200, None)
        await ear.until_type("progress")
        assert await visitor.post("/interrupt", {"prompt_id": prompt_id}) == (200, None)
        await ear.until_end(prompt_id)
    assert calm(ear)[-3:] == ["execution_interrupted", "status", "executing"]


async def test_09_a_job_of_nobody(visitor: Visitor) -> None:
    """The history has it; others hear of the length of the queue only."""
    async with visitor.listening("me") as ear:
        await visitor.entry(await visitor.submit(walk()))
        await ear.until_end(await visitor.submit(walk(value=1), client_id="me"))
    first = ear.types().index("execution_start")
    assert set(ear.types()[:first]) == {"status"}


@pytest.mark.parametrize(("metadata", "kind"), [(True, 4), (False, 1)])
async def test_10_previews(visitor: Visitor, metadata: bool, kind: int) -> None:
    """Type 4 for those whose first frame asked for it, else type 1; the picture is a JPEG."""
    async with visitor.listening("me", metadata=metadata) as ear:
        await ear.until_end(await visitor.submit(walk(steps=1), client_id="me"))
    (frame,) = (said for said in ear.heard if isinstance(said, bytes))
    event, second = struct.unpack_from(">II", frame)
    start = 8 + second if metadata else 8
    assert event == kind
    assert metadata or second == 1
    assert frame[start : start + 2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 404),
        ("?filename=", 400),
        ("?filename=/a.png", 400),
        ("?filename=../a.png", 400),
        ("?filename=a.png&type=zzz", 400),
        ("?filename=a.png&subfolder=../..", 403),
        ("?filename=missing.png", 404),
        ("?filename=a.png", 200),
        ("?filename=a.png [output]&type=input", 200),
    ],
)
async def test_11_the_table_of_view(visitor: Visitor, home: Path, query: str, status: int) -> None:
    """A status for each way in which a name can be wrong."""
    (home / "output" / "a.png").write_bytes(png(1))
    assert await status_of(visitor, "GET", f"/view{query}") == status


async def test_12_uploads_of_one_name(visitor: Visitor) -> None:
    """The same content keeps its name, changed content gets a number."""

    async def upload(grey: int) -> dict[str, Any]:
        form = FormData()
        form.add_field("image", io.BytesIO(png(grey)), filename="a.png")
        async with visitor.session.post("/upload/image", data=form) as answer:
            assert answer.status == 200
            body: dict[str, Any] = await answer.json()
            return body

    assert [(await upload(grey))["name"] for grey in (1, 1, 2)] == ["a.png", "a.png", "a (1).png"]


async def test_13_the_table_of_user_files(visitor: Visitor) -> None:
    """200, 409, 404, 204 and 403; a file is one segment, whatever folders it names."""
    file = "/userdata/workflows%2Fa.json"
    steps = [
        ("POST", file, 200),
        ("POST", f"{file}?overwrite=false", 409),
        ("POST", f"{file}?overwrite=true", 200),
        ("GET", file, 200),
        ("POST", f"{file}/move/b.json", 200),
        ("GET", file, 404),
        ("DELETE", "/userdata/b.json", 204),
        ("DELETE", "/userdata/b.json", 404),
        ("GET", "/userdata/..%2F..%2Fsafelight.db", 403),
        ("GET", "/userdata?dir=..", 403),
        ("GET", "/userdata", 400),
    ]
    for verb, address, status in steps:
        content = b"{}" if verb == "POST" else None
        assert await status_of(visitor, verb, address, content) == status, (verb, address)


async def test_18_a_saved_picture_carries_its_workflow(start: Start, home: Path) -> None:
    """As texts under `prompt` and `workflow`, for whoever opens it later."""
    (home / "input").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(home / "input" / "a.png")
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "b"}},
    }
    extra = {"extra_pnginfo": {"workflow": {"id": "mine", "nodes": []}}}
    async with start(catalog="safelight.library.image", device="cpu") as (_, visitor):
        entry = await visitor.entry(await visitor.submit(prompt, extra_data=extra))
    assert entry["status"]["completed"] is True, entry
    with Image.open(home / "output" / "b_00001_.png") as made:
        texts = getattr(made, "text", {})
    assert set(texts) == {"prompt", "workflow"}


async def test_19_coming_back_in_the_middle(visitor: Visitor) -> None:
    """Status with the id, the node at work, then all that follows, though the old socket dies."""
    async with visitor.listening("me") as old:
        prompt_id = await visitor.submit(walk(steps=30, seconds=0.02), client_id="me")
        await old.until_type("progress")
        async with visitor.session.ws_connect("/ws?clientId=me") as socket:
            new = Ear(socket)
            assert (await new.until_type("status"))["sid"] == "me"
            assert await new.until_type("executing") == {"node": "2"}
            await old.socket.close()
            await new.until_end(prompt_id)
    assert {"progress", "executed", "execution_success"} <= set(new.types())


async def test_20_a_restart(start: Start) -> None:
    """What waited runs, what was done is known, what ran begins anew."""
    async with start() as (_, visitor):
        done = await visitor.submit(walk())
        await visitor.idle()
        running = await visitor.submit(walk(steps=20, seconds=0.05, value=1))
        waiting = await visitor.submit(walk(value=2))
        await visitor.running(running)
    async with start() as (_, visitor):
        assert done in await visitor.get("/history")
        await asyncio.gather(visitor.entry(running), visitor.entry(waiting))
        history = await visitor.get("/history")
    assert {key: entry["status"]["status_str"] for key, entry in history.items()} == (
        dict.fromkeys((done, running, waiting), "success")
    )
