from typing import Any

from tests.server.visitor import Visitor, walk


def saved(values: list[object]) -> dict[str, Any]:
    """A walk as ComfyUI's canvas saves it: node 1 gives a number, 2 walks, 3 shows it."""
    prompt = walk()
    numbers = {key: index + 1 for index, key in enumerate(prompt)}
    nodes: list[dict[str, Any]] = []
    links: list[list[object]] = []
    for key, entry in prompt.items():
        sockets: list[dict[str, Any]] = []
        for name, value in entry["inputs"].items():
            if isinstance(value, list):
                number = len(links) + 1
                links.append([number, numbers[value[0]], value[1], numbers[key], 0, "NUMBER"])
                sockets.append({"name": name, "type": "NUMBER", "link": number})
        mine = values if entry["class_type"] == "Walk" else []
        node = {"id": numbers[key], "type": entry["class_type"], "inputs": sockets}
        nodes.append({**node, "widgets_values": mine})
    return {"nodes": nodes, "links": links, "version": 0.4}


async def test_what_comfyuis_canvas_saves_runs(visitor: Visitor) -> None:
    """The answer tells every guess; the picture carries the document that it became."""
    status, body = await visitor.post("/prompt", {"prompt": saved([2, 0.01])})
    assert status == 200, body
    assert "node 2 (Walk): no value was saved for label; it is now ''" in body["conversion"]
    entry = await visitor.entry(body["prompt_id"])
    assert entry["status"]["completed"] is True
    _, _, prompt, extra, _ = entry["prompt"]
    assert prompt["2"]["inputs"]["steps"] == 2
    assert extra["extra_pnginfo"]["workflow"]["safelight"] == 1


async def test_other_workflows_are_not_converted(visitor: Visitor) -> None:
    """Their answer has the keys that it always had."""
    status, body = await visitor.post("/prompt", {"prompt": walk()})
    assert (status, set(body)) == (200, {"prompt_id", "number", "node_errors"})


async def test_a_file_that_makes_no_sense_is_refused(visitor: Visitor) -> None:
    """Naming the node."""
    status, body = await visitor.post("/prompt", {"prompt": {"nodes": [{"id": 4}]}})
    assert (status, body["error"]["type"]) == (400, "invalid_prompt")
    assert body["error"]["message"] == "node 4: the type of a node is text, got nothing"
