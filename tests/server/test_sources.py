from pathlib import Path

import pytest
from tests.server.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]


async def test_a_node_tells_where_its_code_stands(visitor: Visitor) -> None:
    """The file, the line of the class, and the text as it is on disk."""
    found = await visitor.get("/api/nodes/Walk/source")
    assert (found["class_type"], found["file"]) == ("Walk", "tests/server/tiny_nodes.py")
    file = await visitor.get(f"/api/sources/{found['file']}")
    assert file["text"] == (ROOT / found["file"]).read_text()
    assert file["text"].splitlines()[found["line"] - 1].startswith("class Walk(")


@pytest.mark.parametrize(
    "name",
    [
        "tests/server/nothing.py",
        "tests/server/../server/tiny_nodes.py",
        "tests%2Fserver%2F..%2Fconftest.py",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "tests/conftest.py",
    ],
)
async def test_no_other_file_is_told(visitor: Visitor, name: str) -> None:
    """Only what the worker sent can be named, whatever a path may mean to the disk."""
    async with visitor.session.get(f"/api/sources/{name}") as answer:
        if answer.status != 200:
            assert answer.status == 404
        else:  # the client itself has made the path plain
            assert (await answer.json())["file"] == "tests/server/tiny_nodes.py"


async def test_a_class_that_nobody_knows_has_no_source(visitor: Visitor) -> None:
    """404, in words."""
    async with visitor.session.get("/api/nodes/Nonsense/source") as answer:
        assert answer.status == 404
        message = (await answer.json())["error"]["message"]
    assert message == "There is no source to show of a node class called 'Nonsense'."
