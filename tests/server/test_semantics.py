"""What nodes may do besides giving one value, told to clients over a real socket."""

from typing import Any

from tests.server.visitor import Visitor

ONE: dict[str, Any] = {"class_type": "Constant", "inputs": {"value": 21}}


def prompt(kind: str) -> dict[str, Any]:
    """A number, through a node of some kind, saved."""
    middle = {"class_type": kind, "inputs": {"number": ["1", 0]}}
    save: dict[str, Any] = {"class_type": "Save", "inputs": {"number": ["2", 0]}}
    return {"1": ONE, "2": middle, "3": save}


async def test_nodes_of_an_expansion_are_told_as_whose_they_are(visitor: Visitor) -> None:
    """By frames while it runs, and by the history afterwards."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(prompt("Twice"), client_id="me")
        await ear.until_end(prompt_id)
    executing = [(data["node"], data.get("display_node")) for data in ear.of_type("executing")]
    children = [("2.0.0.add", "2"), ("2.0.0.save", "2")]
    assert executing == [("1", "1"), ("2", "2"), *children, ("3", "3"), (None, None)]
    assert {data["node"]: data["display_node"] for data in ear.of_type("executed")} == {
        "2.0.0.save": "2",
        "3": "3",
    }
    told = ear.of_type("progress_state")[-1]["nodes"]["2.0.0.add"]
    assert (told["display_node_id"], told["parent_node_id"], told["real_node_id"]) == ("2",) * 3
    entry = await visitor.entry(prompt_id)
    assert set(entry["outputs"]) == {"2.0.0.save", "3"}
    assert entry["meta"]["2.0.0.save"] == {
        "node_id": "2.0.0.save",
        "display_node": "2",
        "parent_node": "2",
        "real_node_id": "2",
    }


async def test_a_blocked_output_is_a_warning_and_the_job_succeeds(visitor: Visitor) -> None:
    """It stays among the events of the job."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(prompt("Stop"), client_id="me")
        await ear.until_end(prompt_id)
    (warning,) = ear.of_type("execution_warning")
    assert (warning["node_id"], warning["node_type"]) == ("3", "Save")
    assert warning["message"] == "nothing gets through here"
    assert "execution_success" in ear.types()
    entry = await visitor.entry(prompt_id)
    assert (entry["status"]["completed"], entry["outputs"]) == (True, {})
    events = await visitor.get(f"/api/jobs/{prompt_id}/events")
    assert "execution_warning" in [event["type"] for event in events["events"]]


async def test_a_wire_that_does_not_fit_is_told_with_its_type_and_source(visitor: Visitor) -> None:
    """As ComfyUI's clients look for it."""
    wrong = prompt("Walk")
    wrong["3"]["inputs"]["filename_prefix"] = ["1", 0]
    _, body = await visitor.post("/prompt", {"prompt": wrong})
    extra = body["node_errors"]["3"]["errors"][0]["extra_info"]
    assert (extra["received_type"], extra["linked_node"]) == ("NUMBER", ["1", 0])


async def test_a_workflow_is_converted_on_request(visitor: Visitor) -> None:
    """To the canvas's format and back to what runs; guesses are told."""
    status, saved = await visitor.post("/api/convert", {"workflow": prompt("Twice"), "to": "comfy"})
    assert status == 200
    assert [node["type"] for node in saved["workflow"]["nodes"]] == ["Constant", "Twice", "Save"]
    status, back = await visitor.post("/api/convert", {"workflow": saved["workflow"], "to": "api"})
    assert (status, back["guesses"]) == (200, [])
    assert back["workflow"]["2"]["class_type"] == "Twice"
    status, own = await visitor.post("/api/convert", {"workflow": saved["workflow"]})
    assert (status, own["workflow"]["safelight"]) == (200, 1)


async def test_what_cannot_be_converted_is_refused(visitor: Visitor) -> None:
    """With the mistake."""
    refusals = [
        ({}, '"workflow" is missing: the document to convert.'),
        ({"workflow": {}, "to": "pdf"}, '"to" is one of safelight, api, comfy.'),
        ({"workflow": 3}, "a workflow is a JSON object, got 3"),
    ]
    for body, message in refusals:
        status, answer = await visitor.post("/api/convert", body)
        assert (status, answer["error"]["message"]) == (400, message)
