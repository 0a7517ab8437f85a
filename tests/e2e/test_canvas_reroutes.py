"""Reroutes on the canvas: put on a wire, moved, led to, run through, taken away."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS, saved
from tests.e2e.test_canvas_editing import choose, command, open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def wire(page: Page, end: str) -> tuple[float, float]:
    """A point in the middle of a wire, on the page."""
    point = (
        page.get_by_test_id(f"rf__edge-{end}")
        .locator("path")
        .first.evaluate(
            """path => {
          const at = path.getPointAtLength(path.getTotalLength() / 2);
          const { x, y } = at.matrixTransform(path.getScreenCTM());
          return [x, y];
        }"""
        )
    )
    return point[0], point[1]


def test_a_reroute_is_put_on_a_wire_moved_run_and_deleted(page: Page, server: Running) -> None:
    """A double click puts it there; what runs is the same; deleting it heals the wire."""
    open_sheet(page, server)
    page.get_by_label("Steps of Develop").fill("2")
    page.keyboard.press("Enter")
    before = saved(page)["nodes"]
    page.mouse.dblclick(*wire(page, "7:images"))
    dot = page.get_by_test_id("rf__node-8")
    expect(dot).to_be_visible()
    nodes = saved(page)["nodes"]
    assert nodes["8"]["class_type"] == "Reroute"
    assert nodes["8"]["inputs"] == {"value": ["6", 0]}
    assert nodes["7"]["inputs"]["images"] == ["8", 0]

    box = dot.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 100, steps=8)
    page.mouse.up()
    assert saved(page)["nodes"]["8"]["_meta"]["position"][1] > nodes["8"]["_meta"]["position"][1]

    pictures = len(server.pictures)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(re.compile("^Done in"))).to_be_visible(timeout=RUN_LIMIT_MS)
    assert len(server.pictures) == pictures + 1

    dot.click()
    page.keyboard.press("Delete")
    after = saved(page)["nodes"]
    assert after["7"]["inputs"]["images"] == ["6", 0]
    assert set(after) == set(before)
    page.keyboard.press("Control+z")
    expect(dot).to_be_visible()


def test_a_reroute_is_made_from_the_keyboard_and_takes_another_wire(
    page: Page, server: Running
) -> None:
    """A chosen wire and R; then the reroute is fed anew from the list of what fits."""
    open_sheet(page, server)
    page.mouse.click(*wire(page, "5:negative"))
    page.keyboard.press("r")
    dot = page.get_by_test_id("rf__node-8")
    expect(dot).to_have_attribute("aria-label", "Node Reroute")
    assert saved(page)["nodes"]["5"]["inputs"]["negative"] == ["8", 0]
    choose(page, "2")
    page.keyboard.press("c")
    page.get_by_label("Search connections").fill("reroute")
    page.keyboard.press("Enter")
    assert saved(page)["nodes"]["8"]["inputs"] == {"value": ["2", 0]}
    command(page, "undo")
    assert saved(page)["nodes"]["8"]["inputs"] == {"value": ["3", 0]}
