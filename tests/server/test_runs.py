import asyncio
import json
import struct

import pytest
from tests.server.tiny_nodes import png
from tests.server.visitor import Ear, Visitor, through, walk

from safelight_server.serve import Server
from safelight_server.sockets import Frame


def calm(ear: Ear) -> list[str]:
    """What was heard by type, without the progress map that goes with everything."""
    return [kind for kind in ear.types() if kind != "progress_state"]


async def test_a_script_gets_its_picture(visitor: Visitor) -> None:
    """Connect, post, wait for executing null, read the history, view: the recipe of scripts."""
    async with visitor.listening("script") as ear:
        prompt_id = await visitor.submit(walk(value=99), client_id="script")
        await ear.until_end(prompt_id)
    entry = (await visitor.get(f"/history/{prompt_id}"))[prompt_id]
    (image,) = entry["outputs"]["3"]["images"]
    async with visitor.session.get("/view", params=image) as answer:
        assert await answer.read() == png(99)
        assert answer.content_type == "image/png"
    assert entry["status"]["status_str"] == "success"
    assert entry["status"]["completed"] is True


async def test_frames_of_a_run_come_in_the_order_clients_rely_on(visitor: Visitor) -> None:
    """The order of PROTOCOL 2.4, from the two statuses to executing null."""
    async with visitor.listening("me", metadata=True) as ear:
        prompt_id = await visitor.submit(walk(steps=1), client_id="me")
        await ear.until_end(prompt_id)
    assert calm(ear) == [
        *("status", "status", "execution_start", "execution_cached"),
        *("executing", "executing", "preview", "progress", "executing", "executed"),
        *("execution_success", "status", "executing"),
    ]
    counts = [data["status"]["exec_info"]["queue_remaining"] for data in ear.of_type("status")]
    assert counts == [1, 1, 0]
    nodes = [data["node"] for data in ear.of_type("executing")]
    assert nodes == ["1", "2", "3", None]


async def test_progress_state_surrounds_each_node(visitor: Visitor) -> None:
    """A node is running in the map before `executing` names it, and finished after `executed`."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(walk(steps=1), client_id="me")
        await ear.until_end(prompt_id)
    kinds = ear.types()
    first = kinds.index("executing")
    assert kinds[first - 1] == "progress_state"
    after = kinds[kinds.index("executed") + 1]
    assert after == "progress_state"
    last = ear.of_type("progress_state")[-1]
    assert last["prompt_id"] == prompt_id
    assert {node: told["state"] for node, told in last["nodes"].items()} == dict.fromkeys(
        "123", "finished"
    )
    assert last["nodes"]["3"]["display_node_id"] == "3"
    assert last["nodes"]["3"]["parent_node_id"] is None


async def test_a_repeated_run_answers_from_the_cache(visitor: Visitor) -> None:
    """All nodes are named cached, and the old output is sent again."""
    async with visitor.listening("me") as ear:
        await ear.until_end(await visitor.submit(walk(), client_id="me"))
        first = ear.of_type("executed")[0]["output"]
        ear.heard.clear()
        await ear.until_end(await visitor.submit(walk(), client_id="me"))
    assert ear.of_type("execution_cached")[0]["nodes"] == ["1", "2", "3"]
    assert ear.of_type("executed")[0]["output"] == first
    assert ear.types() == [
        *("status", "status", "execution_start", "execution_cached", "executed"),
        *("progress_state", "execution_success", "status", "executing"),
    ]


async def test_a_failing_node_is_told_with_its_name(visitor: Visitor) -> None:
    """The error names node, class and exception; the history says error; the next job runs."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(through("Fail", message="boom 6"), client_id="me")
        await ear.until_end(prompt_id)
        assert calm(ear)[-5:] == [
            *("executing", "executing", "execution_error", "status", "executing")
        ]
        (error,) = ear.of_type("execution_error")
        ear.heard.clear()
        await ear.until_end(await visitor.submit(walk(), client_id="me"))
        assert "execution_success" in ear.types()
    assert (error["node_id"], error["node_type"]) == ("2", "Fail")
    assert (error["exception_type"], error["exception_message"]) == ("ValueError", "boom 6")
    assert error["executed"] == ["1"]
    assert error["current_inputs"]["message"] == ["boom 6"]
    assert "tiny_nodes" in "".join(error["traceback"])
    status = (await visitor.entry(prompt_id))["status"]
    assert (status["status_str"], status["completed"]) == ("error", False)
    assert status["messages"][-1][0] == "execution_error"


async def test_a_node_that_shows_nonsense_fails_its_job_only(visitor: Visitor) -> None:
    """What JSON cannot hold ends that job with an error, and the next one runs."""
    prompt = walk() | {"3": {"class_type": "Babble", "inputs": {"number": ["2", 0]}}}
    status = (await visitor.entry(await visitor.submit(prompt)))["status"]
    kind, error = status["messages"][-1]
    assert (kind, error["exception_type"]) == ("execution_error", "ValueError")
    assert "JSON" in error["exception_message"]
    assert (await visitor.entry(await visitor.submit(walk())))["status"]["completed"] is True


async def test_an_interrupt_takes_effect_between_steps(visitor: Visitor) -> None:
    """The run ends soon with execution_interrupted, and the next one is not touched by it."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(walk(steps=10_000, seconds=0.01), client_id="me")
        await ear.until_type("progress")
        assert await visitor.post("/interrupt", {"prompt_id": prompt_id}) == (200, None)
        await ear.until_end(prompt_id)
        assert calm(ear)[-3:] == ["execution_interrupted", "status", "executing"]
        await ear.until_end(await visitor.submit(walk(), client_id="me"))
        assert "execution_success" in ear.types()
    (interrupted,) = ear.of_type("execution_interrupted")
    assert (interrupted["node_id"], interrupted["node_type"]) == ("2", "Walk")
    status = (await visitor.entry(prompt_id))["status"]
    assert status["status_str"] == "error"
    assert status["messages"][-1] == ["execution_interrupted", interrupted]


async def test_an_interrupt_of_another_job_does_nothing(visitor: Visitor) -> None:
    """Only the job named is stopped."""
    prompt_id = await visitor.submit(walk(steps=30, seconds=0.01))
    await visitor.running(prompt_id)
    await visitor.post("/interrupt", {"prompt_id": "somebody else's"})
    assert (await visitor.entry(prompt_id))["status"]["status_str"] == "success"


async def test_an_interrupt_without_a_body_stops_what_runs(visitor: Visitor) -> None:
    """Neither a missing body nor one that is no JSON hinders it."""
    for body in (b"", b"not json"):
        prompt_id = await visitor.submit(walk(steps=10_000, seconds=0.01, label=body.decode()))
        await visitor.running(prompt_id)
        async with visitor.session.post("/api/interrupt", data=body) as answer:
            assert answer.status == 200
        messages = (await visitor.entry(prompt_id))["status"]["messages"]
        assert messages[-1][0] == "execution_interrupted"


async def test_previews_say_whose_they_are_to_those_who_asked(visitor: Visitor) -> None:
    """With the flag, binary type 4 comes before its progress."""
    async with visitor.listening("me", metadata=True) as ear:
        prompt_id = await visitor.submit(walk(steps=1), client_id="me")
        await ear.until_end(prompt_id)
    (frame,) = (said for said in ear.heard if isinstance(said, bytes))
    kind, length = struct.unpack_from(">II", frame)
    metadata = json.loads(frame[8 : 8 + length])
    assert kind == 4
    assert (metadata["node_id"], metadata["prompt_id"]) == ("2", prompt_id)
    assert metadata["image_type"] == "image/jpeg"
    assert frame[8 + length :].startswith(b"\xff\xd8")
    assert ear.types()[ear.types().index("preview") + 1] == "progress"


async def test_previews_are_plain_to_those_who_did_not(visitor: Visitor) -> None:
    """Without the flag, binary type 1 comes after its progress, the picture from byte 8 on."""
    async with visitor.listening("me") as ear:
        await ear.until_end(await visitor.submit(walk(steps=1), client_id="me"))
    (frame,) = (said for said in ear.heard if isinstance(said, bytes))
    assert struct.unpack_from(">II", frame) == (1, 1)
    assert frame[8:].startswith(b"\xff\xd8")
    assert ear.types()[ear.types().index("preview") - 1] == "progress"


async def test_feature_flags_count_as_the_first_frame_only(visitor: Visitor) -> None:
    """Asked for later, they are passed over."""
    async with visitor.listening("me") as ear:
        await ear.socket.send_str("not json")
        flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
        await ear.socket.send_json(flags)
        await ear.until_end(await visitor.submit(walk(steps=1), client_id="me"))
    assert "feature_flags" not in ear.types()


async def test_what_nobody_asked_to_hear_is_told_to_nobody(visitor: Visitor) -> None:
    """A job without a client fills the history; others learn only how many jobs remain."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(walk())
        entry = await visitor.entry(prompt_id)
        await ear.until_end(await visitor.submit(walk(), client_id="me"))
    assert entry["status"]["completed"] is True
    others = [s for s in ear.heard if isinstance(s, dict) and prompt_id in json.dumps(s)]
    assert others == []


async def test_a_job_can_be_submitted_over_the_socket(visitor: Visitor) -> None:
    """The answer has the request's name and what the POST would have said."""
    async with visitor.listening("me") as ear:
        data = {"request": "r1", "prompt": walk(), "prompt_id": "chosen"}
        await ear.socket.send_json({"type": "submit", "data": data})
        submitted = await ear.until_type("submitted")
        assert submitted == {
            "request": "r1",
            "status": 200,
            "body": {"prompt_id": "chosen", "number": 0, "node_errors": {}},
        }
        if "executing" not in ear.types() or ear.of_type("executing")[-1]["node"] is not None:
            await ear.until_end("chosen")
    assert "execution_success" in ear.types()


async def test_a_bad_job_over_the_socket_is_refused_as_over_http(visitor: Visitor) -> None:
    """Status and body equal those of the POST."""
    bad = {"prompt": {"1": {"class_type": "Nonsense", "inputs": {}}}}
    async with visitor.listening("me") as ear:
        await ear.socket.send_json({"type": "submit", "data": {"request": 2, **bad}})
        submitted = await ear.until_type("submitted")
    assert (submitted["status"], submitted["body"]) == await visitor.post("/prompt", bad)
    assert submitted["status"] == 400


async def test_who_comes_back_mid_run_hears_where_it_stands(visitor: Visitor) -> None:
    """A new socket of the same id gets status, the node at work, and all that follows."""
    async with visitor.listening("me") as old:
        prompt_id = await visitor.submit(walk(steps=60, seconds=0.02), client_id="me")
        await old.until_type("progress")
        async with visitor.session.ws_connect("/ws?clientId=me") as socket:
            new = Ear(socket)
            assert (await new.until_type("status"))["sid"] == "me"
            assert await new.until_type("executing") == {"node": "2"}
            await old.socket.close()
            await new.until_end(prompt_id)
    assert "execution_success" in new.types()


async def test_a_run_goes_on_when_its_client_leaves(visitor: Visitor) -> None:
    """Nobody needs to listen for a job to end well."""
    async with visitor.listening("me") as ear:
        prompt_id = await visitor.submit(walk(steps=10, seconds=0.01), client_id="me")
        await ear.until_type("progress")
    assert (await visitor.entry(prompt_id))["status"]["completed"] is True


async def test_a_socket_without_an_id_is_given_one(visitor: Visitor) -> None:
    """32 hexadecimal digits, in the first status."""
    async with visitor.session.ws_connect("/api/ws") as socket:
        first = await socket.receive_json(timeout=5)
    assert len(first["data"]["sid"]) == 32
    assert int(first["data"]["sid"], 16) >= 0


async def test_a_stalled_client_delays_nobody(server: Server, visitor: Visitor) -> None:
    """While megabytes wait for somebody who never reads, others are served as ever."""
    async with visitor.session.ws_connect("/ws?clientId=sleeper") as socket:
        await socket.receive(timeout=5)
        connection = socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.pause_reading()
        while (sleeper := server.services.clients.of("sleeper")) is None:
            await asyncio.sleep(0.01)
        for _ in range(40):
            sleeper.put(Frame("x" * 2**20))
        slept = await visitor.submit(walk(steps=3, seconds=0.05), client_id="sleeper")
        async with visitor.listening("me") as ear:
            await ear.until_end(await visitor.submit(walk(value=8), client_id="me"))
        assert (await visitor.entry(slept))["status"]["completed"] is True
        assert len(sleeper.waiting) > 30
        connection.transport.resume_reading()


async def test_a_large_graph_is_told_in_full(visitor: Visitor) -> None:
    """Two thousand nodes: each is announced once, in order, and no message grows with them."""
    prompt: dict[str, object] = {"0": {"class_type": "Constant", "inputs": {}}}
    for number in range(1, 2000):
        inputs = {"a": [str(number - 1), 0], "b": ["0", 0]}
        prompt[str(number)] = {"class_type": "Add", "inputs": inputs}
    prompt["2000"] = {"class_type": "Save", "inputs": {"number": ["1999", 0]}}
    async with visitor.listening("me") as ear:
        await ear.until_end(await visitor.submit(prompt, client_id="me"))
    assert [data["node"] for data in ear.of_type("executing")] == [*map(str, range(2001)), None]
    assert max(len(json.dumps(each)) for each in ear.of_type("progress_state")) < 30_000


@pytest.mark.parametrize("count", [25])
async def test_many_jobs_each_end_once(visitor: Visitor, count: int) -> None:
    """Submitted at once by many, each has one success in the history, with one file."""
    jobs = [visitor.submit(walk(value=number)) for number in range(count)]
    ids = await asyncio.gather(*jobs)
    await visitor.idle()
    history = await visitor.get("/history")
    assert set(history) == set(ids)
    for entry in history.values():
        kinds = [kind for kind, _ in entry["status"]["messages"]]
        assert kinds == ["execution_start", "execution_cached", "execution_success"]
        assert len(entry["outputs"]["3"]["images"]) == 1
