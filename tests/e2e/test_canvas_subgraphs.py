"""Subgraphs on the canvas: made, walked through, run, used twice, saved, unpacked."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS, drop, saved
from tests.e2e.test_canvas_editing import choose, command, open_sheet
from tests.e2e.test_canvas_pieces import COPY, PASTE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def node(page: Page, name: str) -> Locator:
    """A node of the open sheet, by its id there."""
    return page.get_by_test_id(f"rf__node-{name}")


def pack(page: Page, name: str, *nodes: str) -> str:
    """Make a subgraph of these nodes; return the id of its instance."""
    before = set(saved(page)["nodes"])
    choose(page, *nodes)
    page.keyboard.press("Control+Shift+G")
    page.get_by_label("Title of Subgraph").fill(name)
    page.keyboard.press("Enter")
    (instance,) = set(saved(page)["nodes"]) - before
    expect(node(page, instance).get_by_text(name)).to_be_visible()
    return instance


def run(page: Page) -> None:
    """Run to the end."""
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(re.compile("^Done in"))).to_be_visible(timeout=RUN_LIMIT_MS)


def inside(page: Page) -> dict[str, Any]:
    """The only definition of the document."""
    (definition,) = saved(page)["subgraphs"].values()
    found: dict[str, Any] = definition
    return found


def test_a_subgraph_is_made_run_looked_into_and_unpacked(page: Page, server: Running) -> None:
    """Times and pictures of its parts stand on it and inside; unpacking leaves no trace."""
    open_sheet(page, server)
    page.get_by_label("Steps of Develop").fill("3")
    page.keyboard.press("Enter")
    before = saved(page)
    instance = pack(page, "Walk", "4", "5", "6")
    document = saved(page)
    assert set(document["nodes"]) == {"1", "2", "3", "7", instance}
    assert document["nodes"]["7"]["inputs"]["images"] == [instance, 0]
    assert document["parameters"]["steps"] == {"node": instance, "input": "steps"}
    assert set(inside(page)["nodes"]) == {"in", "out", "4", "5", "6"}

    run(page)
    expect(node(page, "7").get_by_role("img").first).to_be_visible(timeout=RUN_LIMIT_MS)
    walk = node(page, instance)
    expect(walk.get_by_text(re.compile(r"^[\d.]+ m?s$"))).to_be_visible()
    expect(page.get_by_test_id(f"preview-{instance}")).to_be_visible()

    walk.get_by_role("button", name="Open Walk").click()
    way = page.get_by_role("navigation", name="Way to this subgraph")
    expect(way).to_be_visible()
    expect(page.get_by_test_id(f"preview-{instance}:5")).to_be_visible()
    page.get_by_label("Name of the subgraph").fill("Stroll")
    way.get_by_role("button", name="Text to image").click()
    expect(way).to_have_count(0)
    expect(walk.get_by_text("Stroll")).to_be_visible()

    choose(page, instance)
    command(page, "unpack")
    after = saved(page)
    assert after["subgraphs"] == {}
    seeds = [it["nodes"]["5"]["inputs"].pop("seed") for it in (before, after)]
    assert after == before
    assert len(seeds) == 2
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert inside(page)["name"] == "Subgraph"


def test_a_field_is_shown_outside_and_each_copy_has_its_own(page: Page, server: Running) -> None:
    """By its menu; a change inside reaches both copies, a value outside only one; undo goes in."""
    open_sheet(page, server)
    instance = pack(page, "Walk", "5")
    choose(page, instance)
    page.keyboard.press("Control+d")
    (other,) = set(saved(page)["nodes"]) - {*map(str, range(1, 8)), instance}
    page.keyboard.press("Alt+ArrowDown")
    row = node(page, "5").locator("[data-input=cfg]")
    row.click(button="right", position={"x": 14, "y": 8})
    page.get_by_role("menuitem", name="Show this field outside").click()
    expect(row).to_contain_text("from Inputs")
    assert inside(page)["inputs"][-1] == {
        "name": "cfg",
        "title": "Guidance",
        "type": "FLOAT",
        "default": 4,
    }
    page.keyboard.press("Alt+ArrowUp")
    field = node(page, other).get_by_label("Guidance of Walk")
    expect(field).to_have_value("4.0")
    field.fill("9")
    page.keyboard.press("Enter")
    assert saved(page)["nodes"][other]["inputs"]["cfg"] == 9
    assert "cfg" not in saved(page)["nodes"][instance]["inputs"]
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(row).not_to_contain_text("from Inputs")


def test_what_it_takes_is_named_and_taken_away_in_the_inspector(
    page: Page, server: Running
) -> None:
    """Instances follow; the field inside holds its value again."""
    open_sheet(page, server)
    instance = pack(page, "Walk", "5")
    node(page, instance).get_by_role("button", name="Open Walk").click()
    choose(page, "in")
    page.keyboard.press("i")
    panel = page.get_by_role("complementary", name="Inspector")
    panel.get_by_label("Title of steps").fill("How far")
    panel.get_by_role("button", name="Move How far up").click()
    names = [end["name"] for end in inside(page)["inputs"]]
    assert names.index("steps") == len(names) - 2
    panel.get_by_role("button", name="Remove How far").click()
    assert isinstance(inside(page)["nodes"]["5"]["inputs"]["steps"], int)
    assert "steps" not in saved(page)["nodes"][instance]["inputs"]


def test_a_mistake_inside_is_shown_on_both_sheets(page: Page, server: Running) -> None:
    """Running goes to it; the instance is marked, too."""
    open_sheet(page, server)
    instance = pack(page, "Walk", "5", "6")
    node(page, instance).get_by_role("button", name="Open Walk").click()
    choose(page, "5")
    page.keyboard.press("Delete")
    page.keyboard.press("Alt+ArrowUp")
    expect(node(page, instance)).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Decode needs a Latent")
    expect(node(page, "6")).to_be_visible()
    page.keyboard.press("Alt+ArrowUp")
    expect(node(page, instance).get_by_role("alert")).to_contain_text("Decode needs a Latent")


def test_a_copy_and_a_saved_file_carry_their_definitions(
    page: Page, server: Running, tmp_path: Path
) -> None:
    """Into another window, which begins with the draft of the first, and back from JSON."""
    open_sheet(page, server)
    instance = pack(page, "Walk", "4", "5")
    choose(page, instance)
    text = page.evaluate(COPY)
    assert len(json.loads(text)["subgraphs"]) == 1

    other = page.context.new_page()
    other.goto(server.url)
    expect(node(other, instance)).to_be_visible(timeout=RUN_LIMIT_MS)
    other.locator(".react-flow__pane").click(position={"x": 20, "y": 20})
    other.evaluate(PASTE, text)
    document = saved(other)
    added = [it for it in document["nodes"].values() if it["class_type"].startswith("subgraph:")]
    assert len(added) == 2
    (definition,) = document["subgraphs"]
    assert {it["class_type"] for it in added} == {f"subgraph:{definition}"}

    file = tmp_path / "walk.json"
    file.write_text(json.dumps(document))
    drop(other, file, "application/json")
    expect(other.get_by_role("status")).to_contain_text("Opened walk.json")
    assert saved(other)["subgraphs"] == document["subgraphs"]


def test_what_a_part_says_stands_on_its_subgraph(
    page: Page, server: Running, tmp_path: Path
) -> None:
    """And on the part itself."""
    open_sheet(page, server)
    prompt = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "fog over the harbour"}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    file = tmp_path / "words.json"
    file.write_text(json.dumps(prompt))
    drop(page, file, "application/json")
    expect(page.get_by_role("status")).to_contain_text("Opened words.json")
    instance = pack(page, "Words", "1", "2")
    run(page)
    said = node(page, instance).get_by_role("note")
    expect(said).to_have_text("fog over the harbour", timeout=RUN_LIMIT_MS)
    node(page, instance).get_by_role("button", name="Open Words").click()
    expect(node(page, "2").get_by_role("note")).to_have_text("fog over the harbour")
