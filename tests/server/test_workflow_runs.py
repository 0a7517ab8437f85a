import asyncio
from typing import Any

import pytest
from tests.server.conftest import Start
from tests.server.visitor import Visitor, walk

from safelight_server.workflows_examples import TEXT_TO_IMAGE

PATH = "/api/workflows/mine"
PARAMETERS = {
    "number": {"node": "1", "input": "value"},
    "steps": {"node": "2", "input": "steps"},
    "pause": {"node": "2", "input": "seconds"},
    "label": {"node": "2", "input": "label"},
    "colour": {"node": "4", "input": "colour"},
    "look": {"node": "5", "input": "image"},
}


def document(**more: object) -> dict[str, Any]:
    """A workflow that can be given a number, a text, a choice and a file."""
    nodes = {
        **walk(),
        "4": {"class_type": "Pick", "inputs": {"colour": "green"}},
        "5": {"class_type": "Look", "inputs": {"image": "there.png"}},
    }
    results = {"picture": {"node": "3", "output": 0}, "said": {"node": "4", "output": 0}}
    about = {"safelight": 1, "id": "mine", "name": "Mine", "nodes": nodes}
    return {**about, "parameters": PARAMETERS, "results": results, **more}


@pytest.fixture
async def library(start: Start) -> Any:
    """A client of a server whose library holds the workflow, and whose input a file."""
    async with start() as (server, visitor):
        folder = server.services.folders.directory("input")
        (folder / "there.png").write_bytes(b"any")
        assert (await visitor.post("/api/workflows", {"document": document()}))[0] == 200
        yield visitor


async def refusal(visitor: Visitor, body: object, query: str = "") -> tuple[int, str, str]:
    """Call the workflow with what it refuses; return the status, the kind and the words."""
    status, told = await visitor.post(f"{PATH}/run{query}", body)
    return status, told["error"]["type"], told["error"]["message"]


async def test_a_workflow_says_what_it_takes(library: Visitor) -> None:
    """Types, bounds, choices and defaults are those of the inputs and of the workflow."""
    assert await library.get(f"{PATH}/schema") == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mine",
        "type": "object",
        "properties": {
            "number": {
                "type": "integer",
                "title": "Value",
                "minimum": 0,
                "maximum": 100,
                "default": 7,
            },
            "steps": {
                "type": "integer",
                "title": "Steps",
                "minimum": 1,
                "maximum": 10000,
                "default": 3,
            },
            "pause": {
                "type": "number",
                "title": "Seconds",
                "minimum": 0.0,
                "maximum": 60.0,
                "default": 0.0,
            },
            "label": {"type": "string", "title": "Label", "default": ""},
            "colour": {
                "type": "string",
                "title": "Colour",
                "enum": ["red", "green"],
                "default": "green",
            },
            "look": {
                "type": "string",
                "title": "Image",
                "enum": ["there.png"],
                "default": "there.png",
            },
        },
        "additionalProperties": False,
    }


async def test_a_call_answers_a_job(library: Visitor) -> None:
    """It is the workflow with other values, and known as a run of that workflow."""
    await library.post("/api/queue/pause")
    call, values = f"{PATH}/run?prompt_id=first", {"number": 9, "label": "x"}
    waiting = {"job": "first", "status": "pending", "over": False}
    assert await library.post(call, values) == (202, waiting)
    await library.post("/api/queue/resume")
    await library.idle()
    status, told = await library.post(call, values)
    assert (status, told["status"]) == (200, "completed"), "said twice, it runs once"
    job = await library.get("/api/jobs/first")
    assert job["workflow_id"] == "mine"
    prompt = job["workflow"]["prompt"]
    assert prompt["1"]["inputs"] == {"value": 9}
    assert prompt["2"]["inputs"]["label"] == "x"
    assert prompt["2"]["inputs"]["steps"] == 3
    assert len((await library.get("/api/jobs"))["jobs"]) == 1


async def test_who_waits_gets_the_results(library: Visitor) -> None:
    """By the names that the workflow gives them, each file with its address."""
    status, told = await library.post(f"{PATH}/run?wait=60", {"colour": "red"})
    assert (status, told["status"], list(told["results"])) == (
        200,
        "completed",
        ["picture", "said"],
    )
    assert told["results"]["said"] == {"text": [{"colour": "red"}]}
    (file,) = told["results"]["picture"]["images"]
    async with library.session.get(file["url"]) as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")


async def test_who_waits_too_short_is_told_so(library: Visitor) -> None:
    """The job goes on, and can be asked for."""
    status, told = await library.post(f"{PATH}/run?wait=1", {"pause": 0.05, "steps": 10_000})
    assert (status, told["over"]) == (202, False)
    assert "results" not in told
    await library.post(f"/api/jobs/{told['job']}/cancel")
    ended = await library.wait_for(
        f"/api/jobs/{told['job']}", lambda job: "execution_status" in job
    )
    assert ended["status"] == "cancelled"


async def test_many_who_wait_are_all_answered(library: Visitor) -> None:
    """Each with its own."""
    calls = [library.post(f"{PATH}/run?wait=60", {"number": number}) for number in range(8)]
    for status, told in await asyncio.gather(*calls):
        assert (status, told["status"]) == (200, "completed")


async def test_a_call_that_fails_says_why(visitor: Visitor) -> None:
    """With the node, and without the traceback."""
    nodes = {**walk(), "2": {"class_type": "Fail", "inputs": {"number": ["1", 0]}}}
    parameters = {"words": {"node": "2", "input": "message"}}
    failing = document(nodes=nodes, parameters=parameters, results={})
    assert (await visitor.post("/api/workflows", {"document": failing}))[0] == 200
    status, told = await visitor.post(f"{PATH}/run?wait=60", {"words": "no luck"})
    assert (status, told["status"], told["results"]) == (200, "failed", {})
    assert told["error"] == {
        "type": "ValueError",
        "message": "no luck",
        "node": "2",
        "node_type": "Fail",
    }


async def test_what_does_not_fit_is_refused_by_name(library: Visitor) -> None:
    """Every parameter that is wrong, at once, and nothing is queued."""
    wrong = {"number": 101, "steps": 1.5, "colour": "blue", "numbr": 1, "look": "../x"}
    assert await refusal(library, wrong) == (
        400,
        "invalid_parameters",
        "number: 101 is above 100; want from 0 to 100; steps: want a whole number, got 1.5; "
        "colour: 'blue' is not one of 2 choices; want one of 'red', 'green'; "
        "numbr: there is no such parameter; nearest: 'number'; "
        "look: input: '../x' leads out of the folder; want one of 'there.png'",
    )
    assert (await refusal(library, ["x"]))[:2] == (400, "invalid_body")
    words = '"wait" must be from 0 to 600 seconds.'
    assert await refusal(library, {}, "?wait=601") == (400, "invalid_query", words)
    assert (await refusal(library, {}, "?version=2"))[0] == 404
    assert (await library.get("/api/jobs"))["jobs"] == []


async def test_a_workflow_that_cannot_run_whole_is_refused(visitor: Visitor) -> None:
    """A function gives all its results or none; a parameter that sets nothing is named."""
    nodes = {**walk(), "4": {"class_type": "Save", "inputs": {}}}
    body = {"document": document(nodes=nodes, parameters={"a": {"node": "9", "input": "x"}})}
    assert (await visitor.post("/api/workflows", body))[0] == 200
    status, told = await visitor.post(f"{PATH}/run", {})
    assert (status, told["error"]["details"]) == (409, "a: there is no node '9'")
    put = {"document": document(nodes=nodes, parameters={}), "base": 1}
    async with visitor.session.put(PATH, json=put) as answer:
        assert answer.status == 200
    status, told = await visitor.post(f"{PATH}/run", {})
    assert (status, list(told["node_errors"])) == (400, ["4"])


async def test_an_old_version_runs_as_well(library: Visitor) -> None:
    """As it was when it was saved."""
    changed = {"document": document(parameters={}), "base": 1}
    async with library.session.put(PATH, json=changed) as answer:
        assert answer.status == 200
    assert (await library.get(f"{PATH}/schema"))["properties"] == {}
    assert len((await library.get(f"{PATH}/schema?version=1"))["properties"]) == 6
    status, _ = await library.post(f"{PATH}/run?version=1&wait=60", {"number": 3})
    assert status == 200


async def test_examples_are_functions_too(visitor: Visitor) -> None:
    """Under their own ids; here their nodes are not known, which is said."""
    status, told = await visitor.post(f"/api/workflows/{TEXT_TO_IMAGE}/run", {"prompt": "a cat"})
    assert (status, told["error"]["type"]) == (409, "broken_parameters")
    assert "prompt: there is no node class 'CLIPTextEncode'" in told["error"]["details"]
