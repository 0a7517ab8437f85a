import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.server.tiny_nodes import png
from tests.server.visitor import Visitor, walk

from safelight_server.bodies import parse_json, read_submission
from safelight_server.protocol import Refused

MIB = 2**20


async def refusal(
    visitor: Visitor, body: bytes | io.BytesIO | AsyncIterator[bytes]
) -> tuple[int, Any]:
    """Post bytes as they are; return the status and the error of the answer."""
    async with visitor.session.post("/api/prompt", data=body) as answer:
        assert answer.content_type == "application/json"
        page = await answer.json()
        assert set(page) == {"error", "node_errors"}
        assert set(page["error"]) == {"type", "message", "details", "extra_info"}
        return answer.status, page["error"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "invalid_json"),
        (b"nonsense", "invalid_json"),
        (b'{"prompt": {}', "invalid_json"),
        (b'{"prompt": NaN}', "invalid_json"),
        (
            b'{"prompt": {"1": {"class_type": "Walk", "inputs": {"seconds": 1e999}}}}',
            "invalid_json",
        ),
        (b'{"prompt": ' + b"9" * 5000 + b"}", "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"[]", "invalid_body"),
        (b"null", "invalid_body"),
        (b"{}", "no_prompt"),
        (b'{"prompt": null}', "no_prompt"),
        (b'{"prompt": 7}', "invalid_prompt"),
        (b'{"prompt": {}}', "prompt_no_outputs"),
        (b'{"prompt": {"1": 7}}', "invalid_prompt"),
        (b'{"prompt": {"1": {"inputs": {}}}}', "invalid_prompt"),
        (b'{"prompt": {"1": {"class_type": "Nonsense", "inputs": {}}}}', "invalid_prompt"),
        (b'{"prompt": {}, "extra_data": 7}', "invalid_body"),
        (b'{"prompt": {}, "client_id": ["a"]}', "invalid_body"),
        (b'{"prompt": {}, "prompt_id": "a\\u0000b"}', "invalid_body"),
        (b'{"prompt": {}, "prompt_id": "\\ud800"}', "invalid_body"),
        (b'{"prompt": {}, "number": "first"}', "invalid_body"),
        (b'{"prompt": {}, "number": 1e300}', "invalid_body"),
        (b'{"prompt": {}, "front": "yes"}', "invalid_body"),
        (b'{"prompt": {}, "partial_execution_targets": "3"}', "invalid_body"),
        (b'{"prompt": {}, "partial_execution_targets": [3]}', "invalid_body"),
    ],
)
async def test_a_bad_body_is_refused_with_its_fault(
    visitor: Visitor, body: bytes, kind: str
) -> None:
    """400 with one shape of JSON, and nothing is queued."""
    status, error = await refusal(visitor, body)
    assert (status, error["type"]) == (400, kind)
    assert error["message"]
    assert await visitor.get("/prompt") == {"exec_info": {"queue_remaining": 0}}


@pytest.mark.parametrize("announced", [True, False])
async def test_fifty_megabytes_are_refused_unread(visitor: Visitor, announced: bool) -> None:
    """413 in plain words, whether or not the length was said before; the server goes on."""
    body = b'{"prompt": "' + b"x" * (50 * MIB) + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), MIB):
            yield body[start : start + MIB]

    status, error = await refusal(visitor, io.BytesIO(body) if announced else chunks())
    assert (status, error["type"]) == (413, "body_too_large")
    assert error["message"] == "The body is larger than 32 MiB, the most that is read here."
    assert (await visitor.entry(await visitor.submit(walk())))["status"]["completed"] is True


async def test_ten_thousand_nodes_are_taken(visitor: Visitor) -> None:
    """A long chain is checked and run, neither refused nor a reason to fall over."""
    prompt: dict[str, Any] = {"0": {"class_type": "Constant", "inputs": {}}}
    for number in range(1, 10_000):
        link = [str(number - 1), 0]
        prompt[str(number)] = {"class_type": "Add", "inputs": {"a": link, "b": ["0", 0]}}
    prompt["end"] = {"class_type": "Save", "inputs": {"number": ["9999", 0]}}
    entry = await visitor.entry(await visitor.submit(prompt))
    assert entry["status"]["completed"] is True
    (image,) = entry["outputs"]["end"]["images"]
    async with visitor.session.get("/view", params=image) as answer:
        assert await answer.read() == png(10_000 % 256)


async def test_every_mistake_is_told_with_node_and_input(visitor: Visitor) -> None:
    """All at once, by node, each with its type and the name of the input."""
    prompt = {
        "1": {"class_type": "Constant", "inputs": {"value": 999}},
        "2": {"class_type": "Walk", "inputs": {"number": ["1", 0], "steps": "many"}},
        "3": {"class_type": "Save", "inputs": {"number": ["2", 0], "filename_prefix": ["9", 0]}},
    }
    status, body = await visitor.post("/prompt", {"prompt": prompt})
    assert status == 400
    assert body["error"]["type"] == "prompt_outputs_failed_validation"
    found = {
        (node, error["type"], error["extra_info"]["input_name"])
        for node, told in body["node_errors"].items()
        for error in told["errors"]
    }
    assert found == {
        ("1", "value_bigger_than_max", "value"),
        ("2", "invalid_input_type", "steps"),
        ("3", "bad_linked_input", "filename_prefix"),
    }
    assert body["node_errors"]["1"]["class_type"] == "Constant"
    assert body["node_errors"]["1"]["dependent_outputs"] == ["3"]


async def test_a_circle_is_named(visitor: Visitor) -> None:
    """The message tells the nodes in it."""
    prompt = {
        "1": {"class_type": "Walk", "inputs": {"number": ["2", 0]}},
        "2": {"class_type": "Walk", "inputs": {"number": ["1", 0]}},
        "3": {"class_type": "Save", "inputs": {"number": ["1", 0]}},
    }
    status, body = await visitor.post("/prompt", {"prompt": prompt})
    assert status == 400
    assert "1 -> 2 -> 1" in json.dumps(body) or "2 -> 1 -> 2" in json.dumps(body)


async def test_good_outputs_run_though_others_cannot(visitor: Visitor) -> None:
    """200 with the faults of the bad one, which is left out."""
    prompt = walk() | {"4": {"class_type": "Save", "inputs": {"number": ["nowhere", 0]}}}
    status, body = await visitor.post("/prompt", {"prompt": prompt})
    assert status == 200
    assert list(body["node_errors"]) == ["4"]
    entry = await visitor.entry(body["prompt_id"])
    assert entry["prompt"][4] == ["3"]
    assert list(entry["outputs"]) == ["3"]


async def test_only_the_outputs_asked_for_run(visitor: Visitor) -> None:
    """The others are not even checked; asking for none is refused."""
    prompt = walk() | {"4": {"class_type": "Save", "inputs": {}}}
    wanted = await visitor.submit(prompt, partial_execution_targets=["3"])
    assert list((await visitor.entry(wanted))["outputs"]) == ["3"]
    body = {"prompt": prompt, "partial_execution_targets": []}
    status, answer = await visitor.post("/prompt", body)
    assert (status, answer["error"]["type"]) == (400, "prompt_no_outputs")


async def test_values_are_stored_as_they_will_be_used(visitor: Visitor) -> None:
    """Texts that are numbers have become numbers, and what was left out is filled in."""
    entry = await visitor.entry(await visitor.submit(walk(steps="4")))  # type: ignore[arg-type]
    inputs = entry["prompt"][2]["2"]["inputs"]
    assert inputs == {"number": ["1", 0], "steps": 4, "seconds": 0.0, "label": ""}


async def test_a_safelight_document_is_what_its_pictures_carry(visitor: Visitor) -> None:
    """It is put where other clients put theirs, whole."""
    document = {"safelight": 1, "name": "A walk", "nodes": walk(), "parameters": {}}
    extra = {"extra_pnginfo": {"note": "kept"}, "mine": 1}
    prompt_id = await visitor.submit(document, extra_data=extra, client_id="me")
    _, _, prompt, data, _ = (await visitor.entry(prompt_id))["prompt"]
    assert data["extra_pnginfo"] == {"note": "kept", "workflow": document}
    assert (data["mine"], data["client_id"]) == (1, "me")
    assert set(prompt) == {"1", "2", "3"}


async def test_secrets_are_not_shown(visitor: Visitor) -> None:
    """Keys for other services, which some clients send along, appear nowhere."""
    extra = {"auth_token_comfy_org": "s3cret", "api_key_comfy_org": "s3cret"}
    prompt_id = await visitor.submit(walk(steps=20, seconds=0.01), extra_data=extra)
    assert "s3cret" not in json.dumps(await visitor.get("/queue"))
    assert "s3cret" not in json.dumps(await visitor.entry(prompt_id))


async def test_a_repeated_submission_is_one_job(visitor: Visitor) -> None:
    """The same id with the same prompt is answered again; with another it is refused."""
    first = await visitor.post("/prompt", {"prompt": walk(), "prompt_id": "mine"})
    again = await visitor.post("/prompt", {"prompt": walk(), "prompt_id": "mine"})
    assert again == first == (200, {"prompt_id": "mine", "number": 0, "node_errors": {}})
    status, body = await visitor.post("/prompt", {"prompt": walk(value=8), "prompt_id": "mine"})
    assert (status, body["error"]["type"]) == (400, "prompt_id_taken")
    assert body["error"]["message"] == "Another job has the id 'mine'; choose another, or none."
    await visitor.idle()
    assert list(await visitor.get("/history")) == ["mine"]


async def test_the_queue_is_shown_in_the_order_in_which_it_runs(visitor: Visitor) -> None:
    """Fronts before others, later fronts before earlier ones, numbers where they say."""
    running = await visitor.submit(walk(steps=10_000, seconds=0.01))
    await visitor.running(running)
    wishes: list[dict[str, Any]] = [{}, {}, {"front": True}, {"front": True}, {"number": 1.5}]
    ids = [await visitor.submit(walk(value=value), **wish) for value, wish in enumerate(wishes)]
    queue = await visitor.get("/api/queue")
    assert [item[1] for item in queue["queue_running"]] == [running]
    order = [item[1] for item in queue["queue_pending"]]
    assert order == [ids[3], ids[2], ids[0], ids[4], ids[1]]
    number, prompt_id, prompt, extra, outputs = queue["queue_pending"][0]
    assert (number, prompt_id, outputs) == (-4, ids[3], ["3"])
    assert prompt["1"]["inputs"] == {"value": 3}
    assert set(extra) == {"create_time"}
    await visitor.post("/queue", {"clear": True})
    await visitor.post("/interrupt")
    await visitor.idle()


async def test_waiting_jobs_can_be_cancelled(visitor: Visitor) -> None:
    """Named ones or all; unknown ones are passed over, the running one is left alone."""
    async with visitor.listening("me") as ear:
        running = await visitor.submit(walk(steps=60, seconds=0.02))
        await visitor.running(running)
        first, second, third = [
            await visitor.submit(walk(value=value), client_id="me") for value in range(3)
        ]
        assert await visitor.post("/queue", {"delete": [first, running, "?"]}) == (200, None)
        await ear.until_end(first)
        assert (await visitor.post(f"/api/jobs/{second}/cancel"))[1]["state"] == "pending"
        assert await visitor.post("/queue", {"clear": True}) == (200, None)
        await ear.until_end(third)
    assert (await visitor.entry(running))["status"]["completed"] is True
    history = await visitor.get("/history")
    for prompt_id in (first, second, third):
        status = history[prompt_id]["status"]
        assert status["status_str"] == "error"
        ((kind, data),) = status["messages"]
        assert (kind, data["prompt_id"]) == ("execution_interrupted", prompt_id)


async def test_one_verb_cancels_a_job_wherever_it_is(visitor: Visitor) -> None:
    """Running too; an unknown one is 404."""
    running = await visitor.submit(walk(steps=10_000, seconds=0.01))
    await visitor.running(running)
    status, body = await visitor.post(f"/api/jobs/{running}/cancel")
    assert (status, body) == (200, {"prompt_id": running, "state": "running"})
    messages = (await visitor.entry(running))["status"]["messages"]
    assert messages[-1][0] == "execution_interrupted"
    assert (await visitor.post("/api/jobs/unknown/cancel"))[0] == 404


async def test_history_is_paged_and_forgotten_on_demand(visitor: Visitor) -> None:
    """The last N, or from an offset; what is no number is refused."""
    ids = [await visitor.submit(walk(value=value)) for value in range(4)]
    await visitor.idle()
    assert list(await visitor.get("/history?max_items=2")) == ids[2:]
    assert list(await visitor.get("/api/history?max_items=2&offset=1")) == ids[1:3]
    assert await visitor.get("/history?offset=99") == {}
    async with visitor.session.get("/history?max_items=x") as answer:
        assert answer.status == 400
    await visitor.post("/history", {"delete": ids[:1]})
    assert list(await visitor.get("/history")) == ids[1:]
    await visitor.post("/history", {"clear": True})
    assert await visitor.get("/history") == {}
    assert await visitor.get("/history/unknown") == {}


async def test_freeing_forgets_what_was_remembered(visitor: Visitor) -> None:
    """The next equal job computes everything anew."""
    async with visitor.listening("me") as ear:
        await ear.until_end(await visitor.submit(walk(), client_id="me"))
        assert await visitor.post("/free", {"free_memory": True}) == (200, None)
        await ear.until_end(await visitor.submit(walk(), client_id="me"))
    assert [data["nodes"] for data in ear.of_type("execution_cached")] == [[], []]


def test_numbers_beyond_doubles_stay_exact() -> None:
    """A seed of 64 bits is read as it was written."""
    assert parse_json(b'{"seed": 18446744073709551615}') == {"seed": 2**64 - 1}


def test_the_client_may_stand_in_the_extra_data() -> None:
    """Where some scripts put it."""
    body = {"prompt": {}, "extra_data": {"client_id": "me"}}
    assert read_submission(body).client_id == "me"


def test_an_id_may_be_a_number() -> None:
    """It is taken as text, as clients are used to."""
    assert read_submission({"prompt": {}, "prompt_id": 7}).prompt_id == "7"


def test_a_refusal_names_the_field_and_what_it_got() -> None:
    """In plain words."""
    with pytest.raises(Refused) as refused:
        read_submission({"prompt": {}, "extra_data": []})
    assert refused.value.message == '"extra_data" must be an object, not a list.'
