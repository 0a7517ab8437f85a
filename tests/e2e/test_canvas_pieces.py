"""Parts of workflows between windows, and masks painted over pictures."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import drop, saved
from tests.e2e.test_canvas_editing import choose, open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COPY = """() => {
  const clipboardData = new DataTransfer();
  const options = { clipboardData, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new ClipboardEvent("copy", options));
  return clipboardData.getData("text/plain");
}"""
PASTE = """(text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  const options = { clipboardData, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new ClipboardEvent("paste", options));
}"""


def test_a_framed_part_goes_to_another_window_as_text(page: Page, server: Running) -> None:
    """Nodes with the wires among them, and the frame around them; malformed text is refused."""
    open_sheet(page, server)
    choose(page, "5", "6")
    page.keyboard.press("Control+g")
    page.keyboard.type("Walk")
    page.keyboard.press("Enter")
    text = page.evaluate(COPY)
    assert set(json.loads(text)["nodes"]) == {"5", "6"}

    other = page.context.new_page()
    open_sheet(other, server)
    before = saved(other)["frames"]
    other.locator(".react-flow__pane").click(position={"x": 20, "y": 20})
    other.evaluate(PASTE, text)
    after = saved(other)
    added = set(after["nodes"]) - {str(node) for node in range(1, 8)}
    assert len(added) == 2
    decode = next(n for n in added if after["nodes"][n]["class_type"] == "VAEDecode")
    assert after["nodes"][decode]["inputs"]["samples"][0] in added
    assert [frame["title"] for frame in after["frames"]] == [
        *(frame["title"] for frame in before),
        "Walk",
    ]
    other.keyboard.press("Control+z")
    assert saved(other)["frames"] == before

    other.evaluate(PASTE, '{"safelight_nodes": 1, "nodes": {"1": 5}}')
    expect(other.get_by_role("status")).to_contain_text("That could not be pasted.")


def test_a_mask_is_painted_and_kept_with_the_graph(
    page: Page, server: Running, tmp_path: Path
) -> None:
    """Paint with the pointer, soften, undo a stroke, use it: a new picture in the input folder."""
    open_sheet(page, server)
    file = tmp_path / "plain.png"
    Image.new("RGB", (64, 64), (200, 100, 50)).save(file)
    before = set(saved(page)["nodes"])
    drop(page, file, "image/png")
    expect(page.get_by_role("status")).to_contain_text("Added plain")
    (node,) = set(saved(page)["nodes"]) - before
    page.keyboard.press("Shift+M")
    canvas = page.get_by_test_id("mask")
    expect(canvas).to_have_attribute("width", "64")
    box = canvas.bounding_box()
    assert box is not None
    x, y, unit = box["x"], box["y"], box["width"] / 64
    page.mouse.move(x + 16 * unit, y + 32 * unit)
    page.mouse.down()
    page.mouse.move(x + 48 * unit, y + 32 * unit, steps=4)
    page.mouse.up()
    canvas.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Use this mask").click()
    expect(canvas).to_have_count(0)

    value = saved(page)["nodes"][node]["inputs"]["image"]
    assert value.startswith("masks/masked-plain")
    with Image.open(io.BytesIO((server.home / "input" / value).read_bytes())) as masked:
        assert masked.getpixel((32, 32)) == (200, 100, 50, 0)
        assert masked.getpixel((32, 2)) == (200, 100, 50, 255)
    page.keyboard.press("Control+z")
    assert saved(page)["nodes"][node]["inputs"]["image"].startswith("plain")
