from typing import Any

from safelight_server.workflows_diff import difference


def document(**more: object) -> dict[str, Any]:
    """A workflow."""
    return {"safelight": 1, "id": "mine", "name": "Mine", **more}


def test_a_difference_tells_nodes_inputs_parameters_and_results() -> None:
    """Whatever is not told piece by piece is layout."""
    node: dict[str, Any] = {"class_type": "Walk", "inputs": {"steps": 3, "label": "", "on": 1}}
    old = document(nodes={"1": node, "2": node}, parameters={"a": {"node": "1", "input": "steps"}})
    moved = {**node, "inputs": {"steps": 4, "more": [], "on": True}, "_meta": {"title": "T"}}
    new = document(nodes={"1": moved, "3": node}, results={"p": {"node": "3", "output": 0}})
    told: Any = difference(old, new)
    assert told["nodes"]["added"] == [{"id": "3", "class_type": "Walk", "title": ""}]
    assert told["nodes"]["removed"] == [{"id": "2", "class_type": "Walk", "title": ""}]
    (changed,) = told["nodes"]["changed"]
    assert changed["title_changed"] == {"from": "", "to": "T"}
    assert changed["inputs"] == [
        {"name": "steps", "from": 3, "to": 4},
        {"name": "label", "from": ""},
        {"name": "on", "from": 1, "to": True},
        {"name": "more", "to": []},
    ]
    assert told["parameters"] == [{"name": "a", "from": {"node": "1", "input": "steps"}}]
    assert told["results"] == [{"name": "p", "to": {"node": "3", "output": 0}}]
    placed = document(nodes={"1": {**node, "_meta": {"position": [1, 2]}}, "2": node})
    assert difference(document(nodes={"1": node, "2": node}), placed)["layout"] is True
