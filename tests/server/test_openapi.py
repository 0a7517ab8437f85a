import json
import re
from typing import Any

from tests.server.visitor import Visitor

VERBS = {"get", "post", "put", "patch", "delete"}


def operations(page: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every verb of every path."""
    return [
        (path, verb, told) for path, verbs in page["paths"].items() for verb, told in verbs.items()
    ]


async def test_the_api_describes_itself(visitor: Visitor) -> None:
    """Every operation has a name of its own, a summary, and all parameters of its path."""
    page = await visitor.get("/api/openapi.json")
    assert page["openapi"] == "3.1.0"
    told = operations(page)
    names = [operation["operationId"] for _, _, operation in told]
    assert len(names) == len(set(names)) > 50
    for path, verb, operation in told:
        assert verb in VERBS
        assert operation["summary"].endswith((".", ",")), (path, operation["summary"])
        inside = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert inside == set(re.findall(r"{(\w+)}", path)), path
        assert {"200", "4XX"} <= set(operation["responses"])


async def test_a_route_with_two_paths_is_told_once(visitor: Visitor) -> None:
    """With the prefix; those without one stay as they are."""
    paths = set((await visitor.get("/api/openapi.json"))["paths"])
    assert {"/api/prompt", "/api/jobs/{id}/events", "/metrics", "/internal/logs"} <= paths
    assert not {"/prompt", "/internal/worker", "/{path}", "/api/{path}"} & paths


async def test_what_is_referred_to_is_there(visitor: Visitor) -> None:
    """Every reference leads to a schema."""
    page = await visitor.get("/api/openapi.json")
    found = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(page)))
    assert found >= {"Submission", "Accepted", "Refusal", "Workflow", "WorkflowPost"}
    assert found <= set(page["components"]["schemas"])


async def test_schemas_are_read_off_the_dataclasses(visitor: Visitor) -> None:
    """Names as they are posted, types as they are written, messages by type."""
    schemas = (await visitor.get("/api/openapi.json"))["components"]["schemas"]
    submission = schemas["Submission"]["properties"]
    assert submission["front"] == {"type": "boolean"}
    assert submission["number"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert submission["partial_execution_targets"]["anyOf"][0] == {
        "type": "array",
        "items": {"type": "string"},
    }
    progress = schemas["Message.progress"]["properties"]
    assert list(progress) == ["value", "max", "prompt_id", "node"]
    assert "Message.job_event" in schemas
