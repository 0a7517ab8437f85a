"""The page for everyone: names for screen readers, the keyboard alone, contrast, languages."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS
from tests.e2e.test_canvas_editing import choose, open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
MOST_TABS = 120
GRAVE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
      `${id} at ${target.join(" ")}: ${failureSummary}`));
}"""


def examine(page: Page, screen: str) -> None:
    """Look for what keeps people out, with axe."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(GRAVE)
    assert found == [], f"{screen}:\n" + "\n".join(found)


def visit_dialogs(page: Page) -> None:
    """Open what lies over the page, one after another."""
    for name, key in (
        ("Commands", "Control+k"),
        ("Keyboard and mouse", "?"),
        ("Settings", "Control+,"),
    ):
        page.keyboard.press(key)
        dialog = page.get_by_role("dialog", name=name)
        expect(dialog).to_be_visible()
        examine(page, name)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_keeps_anybody_out(page: Page, server: Running, scheme: str) -> None:
    """The sheet, its panels, the dialogs and the form hold what axe asks of them."""
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    open_sheet(page, server)
    choose(page, "5")
    examine(page, "sheet")
    for name, key in (("Inspector", "i"), ("Queue", "q"), ("Earlier results", "h")):
        page.get_by_test_id("rf__node-5").focus()
        page.keyboard.press(key)
        expect(page.get_by_role("complementary", name=name)).to_be_visible()
        examine(page, name)
    page.keyboard.press("Escape")
    visit_dialogs(page)
    page.get_by_role("button", name="Add node").click()
    expect(page.get_by_role("dialog", name="Add node")).to_be_visible()
    examine(page, "search")
    page.keyboard.press("Escape")
    choose(page, "5")
    for name, key in (("Develop", "F1"), ("Connect", "c")):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        examine(page, name)
        page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.get_by_role("main", name="Form")).to_be_visible()
    examine(page, "form")


def test_high_contrast_holds_too_and_is_remembered(page: Page, server: Running) -> None:
    """Asked for by the system or in the settings, and there again after a reload."""
    page.emulate_media(contrast="more", color_scheme="dark")
    open_sheet(page, server)
    root = page.locator("html")
    expect(root).to_have_attribute("data-contrast", "more")
    page.emulate_media(contrast="no-preference", color_scheme="dark")
    expect(root).not_to_have_attribute("data-contrast", "more")
    page.keyboard.press("Control+,")
    page.get_by_label("Contrast").select_option("High")
    expect(root).to_have_attribute("data-contrast", "more")
    examine(page, "settings in high contrast")
    page.reload()
    expect(root).to_have_attribute("data-contrast", "more")


def test_the_page_speaks_german_and_remembers_it(page: Page, server: Running) -> None:
    """The language changes at once, nothing is lost, and it is there again after a reload."""
    open_sheet(page, server)
    page.get_by_label("Text of Prompt").fill("eine Eule")
    page.keyboard.press("Control+,")
    page.get_by_label("Language").select_option("Deutsch")
    expect(page.get_by_role("dialog", name="Einstellungen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Ausführen", exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_label("Text von Prompt")).to_have_value("eine Eule")
    expect(page.get_by_role("group", name="Knoten Develop")).to_be_visible()
    page.get_by_role("button", name="Rückgängig").click()
    expect(page.get_by_role("status")).to_contain_text("Rückgängig gemacht")
    page.reload()
    expect(page.get_by_role("button", name="Rückgängig")).to_be_visible(timeout=RUN_LIMIT_MS)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has that name has the cursor."""
    target = page.get_by_label(name, exact=True)
    for _ in range(MOST_TABS):
        if target.evaluate_all("(found) => found.includes(document.activeElement)"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {name}")


def wire(page: Page, words: str) -> None:
    """Connect the chosen node by words of the wire."""
    page.keyboard.press("c")
    expect(page.get_by_label("Search connections")).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search connections")).to_have_count(0)


def test_everything_from_a_node_to_a_picture_without_a_mouse(page: Page, server: Running) -> None:
    """Add a node, wire both its ends, set a value, run, and open the picture."""
    open_sheet(page, server)
    expect(page.get_by_label("Text of Prompt")).to_be_focused()
    before = set(saved_by_keys(page)["nodes"])
    page.keyboard.press("Control+k")
    expect(page.get_by_label("Search commands")).to_be_focused()
    page.keyboard.type("add node")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search nodes")).to_be_focused()
    page.keyboard.type("ImageInvert")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search nodes")).to_have_count(0)
    wire(page, "decode")
    wire(page, "picture")
    document = saved_by_keys(page)
    (added,) = set(document["nodes"]) - before
    assert document["nodes"][added]["inputs"]["image"] == ["6", 0]
    assert document["nodes"]["7"]["inputs"]["images"] == [added, 0]

    tab_to(page, "Steps of Develop")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Done in"), timeout=RUN_LIMIT_MS)
    assert saved_by_keys(page)["nodes"]["5"]["inputs"]["steps"] == 2
    tab_to(page, "Enlarge picture 1 of Picture")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("lightbox-picture")).to_be_visible()
    examine(page, "lightbox")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("lightbox-picture")).to_have_count(0)


def saved_by_keys(page: Page) -> dict[str, Any]:
    """The document, saved with Ctrl+S."""
    page.keyboard.press("Control+s")
    content: dict[str, Any] = json.loads(page.evaluate("window.lastSaved.text()"))
    return content
