import base64
import io
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import FormData
from PIL import Image
from tests.server.conftest import Start
from tests.server.visitor import Visitor, walk

TOKEN = "correct-horse-battery-staple"
PATH = "/v1/images/generations"
PARAMETERS = {
    "prompt": {"node": "3", "input": "filename_prefix"},
    "seed": {"node": "1", "input": "value"},
    "width": {"node": "2", "input": "steps"},
    "height": {"node": "5", "input": "steps"},
}


def document(**more: object) -> dict[str, Any]:
    """A workflow that "draws" a prompt with a seed: the seed is how bright its pixel is."""
    nodes = walk()
    nodes["5"] = {"class_type": "Walk", "inputs": {"number": ["1", 0], "steps": 1, "seconds": 0.0}}
    nodes["3"] = {"class_type": "Save", "inputs": {"number": ["2", 0], "filename_prefix": "x"}}
    about = {"safelight": 1, "id": "mine", "name": "Mine", "nodes": nodes}
    results = {"picture": {"node": "3", "output": 0}}
    return {**about, "parameters": PARAMETERS, "results": results, **more}


def png(mode: str, size: tuple[int, int]) -> bytes:
    """Return a picture as a file."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


def grey(content: bytes) -> Any:
    """Return the brightness of a picture's first pixel."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture.getpixel((0, 0))


@pytest.fixture
async def painter(visitor: Visitor) -> Visitor:
    """A client of a server that is told to draw with the workflow."""
    await pick(visitor, "generations", document())
    return visitor


async def pick(visitor: Visitor, what: str, workflow: Mapping[str, Any]) -> None:
    """Keep a workflow and pick it in the settings."""
    status, told = await visitor.post("/api/workflows", {"document": workflow})
    assert status == 200, told
    chosen = {f"safelight.openai.{what}": workflow["id"]}
    assert (await visitor.post("/settings", chosen))[0] == 200


async def refusal(visitor: Visitor, body: object, path: str = PATH) -> dict[str, Any]:
    """Send what is refused; return the error, which has exactly the keys that clients read."""
    status, told = await visitor.post(path, body)
    assert list(told) == ["error"]
    assert sorted(told["error"]) == ["code", "message", "param", "type"]
    return {"status": status, **told["error"]}


async def form(visitor: Visitor, **fields: object) -> tuple[int, Any]:
    """Post a form for an edit; bytes are files."""
    data = FormData()
    for name, value in fields.items():
        if isinstance(value, bytes):
            data.add_field(name, value, filename=f"{name}.png")
        else:
            data.add_field(name, str(value))
    async with visitor.session.post("/v1/images/edits", data=data) as answer:
        return answer.status, await answer.json()


async def test_words_become_pictures(painter: Visitor) -> None:
    """As addresses or as text, each with a seed of its own."""
    status, told = await painter.post(PATH, {"prompt": "fox", "n": 3, "seed": 5})
    assert (status, sorted(told)) == (200, ["created", "data"])
    seen = []
    for item in told["data"]:
        assert list(item) == ["url"]
        async with painter.session.get(item["url"]) as answer:
            assert answer.content_type == "image/png"
            seen.append(grey(await answer.read()))
    assert seen == [5, 6, 7]
    body = {"prompt": "fox", "response_format": "b64_json", "seed": 9, "user": "u", "model": "x"}
    (item,) = (await painter.post(PATH, body))[1]["data"]
    assert grey(base64.b64decode(item["b64_json"])) == 9
    jobs = (await painter.get("/api/jobs?workflow_id=mine"))["jobs"]
    assert [job["status"] for job in jobs] == 4 * ["completed"]


async def test_the_form_follows_the_model_as_openai_has_it(painter: Visitor) -> None:
    """The newer models of theirs always answer text; a model may also be a workflow's id."""
    other = document(id="other", name="Other", parameters={"prompt": PARAMETERS["prompt"]})
    assert (await painter.post("/api/workflows", {"document": other}))[0] == 200
    (item,) = (await painter.post(PATH, {"prompt": "a", "model": "gpt-image-1", "seed": 1}))[1][
        "data"
    ]
    assert list(item) == ["b64_json"]
    assert (await painter.post(PATH, {"prompt": "a", "model": "other"}))[0] == 200
    assert len((await painter.get("/api/jobs?workflow_id=other"))["jobs"]) == 1


async def test_a_size_is_set_on_the_workflow(painter: Visitor) -> None:
    """By its parameters."""
    await painter.post(PATH, {"prompt": "a", "size": "96x64", "seed": 1})
    (job,) = (await painter.get("/api/jobs"))["jobs"]
    prompt = (await painter.get(f"/api/jobs/{job['id']}"))["workflow"]["prompt"]
    assert (prompt["2"]["inputs"]["steps"], job["outputs_count"]) == (96, 1)


@pytest.mark.parametrize(
    ("body", "parameter", "message"),
    [
        ({}, "prompt", '"prompt" must be a text of 1 to 32000 characters, got nothing.'),
        (
            {"prompt": "a", "n": 11},
            "n",
            '"n" must be a whole number from 1 to 10, got 11.',
        ),
        (
            {"prompt": "a", "size": "big"},
            "size",
            '"size" must be "auto" or WIDTHxHEIGHT, each from 64 to 4096, got \'big\'.',
        ),
        (
            {"prompt": "a", "response_format": "tiff"},
            "response_format",
            "\"response_format\" must be one of url, b64_json, got 'tiff'.",
        ),
        ({"prompt": "a", "seed": 1.5}, "seed", '"seed" must be a whole number from 0, got 1.5.'),
    ],
)
async def test_what_cannot_be_followed_is_refused_as_openai_does(
    visitor: Visitor, body: object, parameter: str, message: str
) -> None:
    """With the name of the field."""
    assert await refusal(visitor, body) == {
        "status": 400,
        "type": "invalid_request_error",
        "param": parameter,
        "code": "invalid_value",
        "message": message,
    }


async def test_what_the_workflow_cannot_do_is_refused(visitor: Visitor) -> None:
    """And a job that fails is an error of the server, with the reason."""
    failing = {**walk(), "2": {"class_type": "Fail", "inputs": {"number": ["1", 0]}}}
    words = {"prompt": {"node": "2", "input": "message"}}
    await pick(visitor, "generations", document(nodes=failing, parameters=words))
    assert await refusal(visitor, {"prompt": "a", "n": 2}) == {
        "status": 400,
        "type": "invalid_request_error",
        "param": "n",
        "code": "unsupported_value",
        "message": "The workflow 'Mine' has no parameter \"seed\", so it makes one picture.",
    }
    size = await refusal(visitor, {"prompt": "a", "size": "64x64"})
    expected = "The workflow 'Mine' makes pictures of its own size; use \"auto\"."
    assert (size["param"], size["message"]) == ("size", expected)
    failed = await refusal(visitor, {"prompt": "no luck"})
    assert (failed["status"], failed["type"]) == (500, "server_error")
    assert failed["message"].endswith("failed: no luck")
    lost = await refusal(visitor, {}, "/v1/images/variations")
    assert (lost["status"], lost["type"]) == (405, "invalid_request_error")


async def test_the_token_is_a_bearers(start: Start) -> None:
    """As OpenAI's clients send their key; without it, the error is one they know."""
    async with start(token=TOKEN) as (_, visitor):
        refused = await refusal(visitor, {"prompt": "a"})
        assert (refused["status"], refused["code"]) == (401, "invalid_api_key")
        visitor.session.headers["Authorization"] = f"Bearer {TOKEN}"
        await pick(visitor, "generations", document())
        assert (await visitor.post(PATH, {"prompt": "a", "seed": 1}))[0] == 200


async def test_a_picture_and_words_become_a_picture(visitor: Visitor) -> None:
    """The picture is kept once among the inputs, and named to the workflow."""
    nodes = {**document()["nodes"], "6": {"class_type": "Look", "inputs": {"image": "x.png"}}}
    image = {"node": "6", "input": "image"}
    await pick(visitor, "edits", document(nodes=nodes, parameters={**PARAMETERS, "image": image}))
    content = png("RGB", (8, 8))
    for _ in range(2):
        status, told = await form(visitor, image=content, prompt="a")
        assert (status, len(told["data"])) == (200, 1), told
    kept = await visitor.get("/object_info/Look")
    (name,) = kept["Look"]["input"]["required"]["image"][0]
    assert name.startswith("openai/")
    expected = "The workflow 'Mine' does nothing with a mask; leave it out."
    masked = await form(visitor, image=content, mask=png("RGBA", (8, 8)), prompt="a")
    assert (masked[0], masked[1]["error"]["message"]) == (400, expected)
    for fields, words in (
        ({"image": b"GIF89a"}, '"image" cannot be read as a picture.'),
        ({"image": content[:45]}, '"image" cannot be read as a picture.'),
        ({"other": b"text"}, '"image" must be a picture, got nothing.'),
        ({"image": content, "n": "many"}, "\"n\" must be a whole number from 1 to 10, got 'many'."),
    ):
        status, told = await form(visitor, prompt="a", **fields)
        assert (status, told["error"]["message"]) == (400, words)
