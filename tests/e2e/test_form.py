"""The form: a workflow as a page to fill in, on a desk and on a phone."""

import re

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS, saved
from tests.e2e.test_canvas_editing import choose, open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE: ViewportSize = {"width": 390, "height": 844}


def open_form(page: Page, server: Running) -> None:
    """Open the form by its address; the first time the server may still be learning."""
    page.goto(f"{server.url}/#form")
    expect(page.get_by_role("main", name="Form")).to_be_visible(timeout=RUN_LIMIT_MS)


def run_form(page: Page) -> None:
    """Press Run and wait for the picture."""
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("status")).to_have_text(re.compile("^Done in"), timeout=RUN_LIMIT_MS)
    picture = page.get_by_test_id("form-picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 128


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide


def test_a_picture_is_made_on_a_phone_without_seeing_the_graph(page: Page, server: Running) -> None:
    """Fill in, slide, run, watch, enlarge; nothing lies beyond the edge of the screen."""
    page.set_viewport_size(PHONE)
    open_form(page, server)
    page.get_by_label("Prompt", exact=True).fill("an owl on a hill")
    slider = page.get_by_role("slider", name="Slide Steps")
    slider.press("Home")
    slider.press("ArrowRight")
    expect(page.get_by_role("spinbutton", name="Steps")).to_have_value("2")
    page.get_by_label("Another seed for each run").uncheck()
    seed = page.get_by_role("spinbutton", name="Seed")
    before = seed.input_value()
    page.get_by_role("button", name="Draw another seed").click()
    expect(seed).not_to_have_value(before)
    drawn = seed.input_value()
    run_form(page)
    expect(seed).to_have_value(drawn)
    assert sideways(page) <= 0

    made = page.get_by_role("region", name="Made with this form").get_by_role("listitem")
    expect(made).to_have_count(1)
    made.get_by_role("button").click()
    expect(page.get_by_test_id("lightbox-picture")).to_be_visible()
    assert sideways(page) <= 0
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo").click()
    expect(seed).to_have_value(before)


def test_the_form_is_made_on_the_canvas_and_each_step_can_be_undone(
    page: Page, server: Running
) -> None:
    """Switch a value on, name it, move it up, see it in the form; take it all back."""
    open_sheet(page, server)
    before = saved(page)
    choose(page, "5")
    page.keyboard.press("i")
    panel = page.get_by_role("complementary", name="Inspector")
    panel.get_by_role("button", name="Show Sampler in the form").click()
    label = panel.get_by_role("textbox", name="Label in the form").last
    label.fill("How it walks")
    parameters = saved(page)["parameters"]
    assert parameters["sampler"] == {
        "node": "5",
        "input": "sampler_name",
        "label": "How it walks",
    }
    panel.get_by_role("button", name="Further up in the form").last.click()
    assert [*saved(page)["parameters"]] == ["prompt", "seed", "sampler", "steps"]

    page.get_by_role("button", name="Form or canvas").click()
    expect(page).to_have_url(re.compile("#form$"))
    page.get_by_label("How it walks").select_option("euler")
    page.go_back()
    expect(page.get_by_test_id("rf__node-5")).to_be_visible()
    assert saved(page)["nodes"]["5"]["inputs"]["sampler_name"] == "euler"
    for _ in range(4):
        page.get_by_role("button", name="Undo").click()
    assert saved(page)["parameters"] == before["parameters"]
    assert saved(page)["nodes"] == before["nodes"]


def test_results_are_chosen_on_the_canvas(page: Page, server: Running) -> None:
    """Without a chosen result the form shows whatever the workflow shows."""
    open_sheet(page, server)
    choose(page, "7")
    page.keyboard.press("i")
    switch = page.get_by_label("Show its picture in the form")
    expect(switch).to_be_checked()
    switch.uncheck()
    assert saved(page)["results"] == {}
    switch.check()
    assert [*saved(page)["results"].values()] == [{"node": "7", "output": 0}]


def test_the_canvas_can_be_used_on_a_phone(page: Page, server: Running) -> None:
    """All commands, the inspector over the whole width, and no bar beyond the edge."""
    page.set_viewport_size(PHONE)
    open_sheet(page, server)
    assert sideways(page) <= 0
    for name in ("Add node", "Undo", "Inspector", "Form or canvas", "All commands", "Run"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    page.get_by_role("button", name="Inspector").click()
    panel = page.get_by_role("complementary", name="Inspector")
    expect(panel).to_be_visible()
    box = panel.bounding_box()
    assert box is not None
    assert box["width"] == PHONE["width"]
    panel.get_by_role("button", name="Close inspector").click()
    page.get_by_role("button", name="All commands").click()
    page.get_by_label("Search commands").fill("earlier")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Earlier results")).to_be_visible()
