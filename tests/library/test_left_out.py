"""The library's README tells which of the reference's nodes are not here, and why."""

import json
import re
from pathlib import Path

import safelight.library
from safelight.graph.catalog import Catalog

README = Path(safelight.library.__file__).parent / "README.md"


def left_out() -> dict[str, str]:
    """Return the table of the README: node -> why it is left out."""
    rows = re.findall(r"^\| (`.*`) \| (.+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: why for names, why in rows for name in re.findall(r"`([^`]+)`", names)}


def test_our_nodes_and_those_left_out_are_all_of_the_reference(reference: Path) -> None:
    """Nothing is forgotten, and nothing that is here is said to be left out."""
    theirs = set(json.loads((reference / "object_info_core.json").read_text())["nodes"])
    ours = set(Catalog.of(safelight.library))
    table = left_out()
    assert len(theirs) == 274
    assert sorted(ours & table.keys()) == []
    assert sorted(theirs - ours - table.keys()) == []
    assert sorted(table.keys() - theirs) == []
