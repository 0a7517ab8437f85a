"""Running on the canvas: the order of the queue, a run that stops early, the way back to a run."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS, saved
from tests.e2e.test_canvas_editing import choose, open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def ask(page: Page, *prompts: str) -> None:
    """Ask for a run of each prompt."""
    for prompt in prompts:
        page.get_by_label("Text of Prompt").fill(prompt)
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()


def test_what_waits_is_held_reordered_let_go_and_tried_again(page: Page, server: Running) -> None:
    """Three runs while the queue is held: the last comes first; one that was stopped runs again."""
    open_sheet(page, server)
    page.get_by_role("button", name="Queue").click()
    page.get_by_role("button", name="Hold what waits").click()
    go_on = page.get_by_role("button", name="Go on with what waits")
    expect(go_on).to_be_visible()
    page.get_by_label("Steps of Develop").fill("2000")
    ask(page, "the first", "the second", "the third")
    waiting = page.get_by_role("region", name="Waiting").get_by_role("listitem")
    expect(waiting).to_have_count(3)

    page.get_by_role("button", name="Run the third earlier").click()
    expect(waiting.nth(1)).to_contain_text("the third")
    page.get_by_role("button", name="Run the third earlier").click()
    expect(waiting.nth(0)).to_contain_text("the third")
    expect(page.get_by_role("button", name="Run the third earlier")).to_be_disabled()
    page.reload()
    expect(page.get_by_test_id("rf__node-5")).to_be_visible(timeout=RUN_LIMIT_MS)
    page.get_by_role("button", name="Queue").click()
    expect(go_on).to_be_visible()
    expect(waiting.nth(0)).to_contain_text("the third")

    go_on.click()
    running = page.get_by_role("region", name="Running").get_by_role("listitem")
    expect(running).to_contain_text("the third", timeout=RUN_LIMIT_MS)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Cancel the third").click()
    expect(running).to_have_count(0, timeout=RUN_LIMIT_MS)
    page.get_by_role("button", name="Try the third again").first.click()
    expect(running).to_contain_text("the third", timeout=RUN_LIMIT_MS)
    page.get_by_role("button", name="Cancel the third").click()
    expect(running).to_have_count(0, timeout=RUN_LIMIT_MS)


def test_a_run_to_here_stops_here_and_shows_what_is_there(page: Page, server: Running) -> None:
    """The decoded picture stands in its node; nothing is saved, and the document is as it was."""
    open_sheet(page, server)
    page.get_by_label("Steps of Develop").fill("2")
    page.keyboard.press("Enter")
    pictures = server.pictures
    choose(page, "6")
    page.keyboard.press("Control+Shift+Enter")
    expect(page.get_by_text(re.compile("^Done in"))).to_be_visible(timeout=RUN_LIMIT_MS)
    expect(page.get_by_test_id("preview-6")).to_be_visible()
    assert server.pictures == pictures
    assert set(saved(page)["nodes"]) == {"1", "2", "3", "4", "5", "6", "7"}


def test_a_reloaded_page_finds_its_run_again(page: Page, server: Running) -> None:
    """Reload in the middle of a walk: the steps go on, and Cancel still stops it."""
    open_sheet(page, server)
    page.get_by_label("Steps of Develop").fill("2000")
    ask(page, "a long walk")
    node = page.get_by_test_id("rf__node-5")
    expect(node.get_by_role("progressbar")).to_be_visible(timeout=RUN_LIMIT_MS)
    page.reload()
    expect(node.get_by_role("progressbar")).to_be_visible(timeout=RUN_LIMIT_MS)
    expect(page.get_by_text(re.compile(r"Develop: step \d+ of 2000"))).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Cancelled", timeout=RUN_LIMIT_MS)
