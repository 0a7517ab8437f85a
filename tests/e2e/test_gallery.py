"""Pictures that were made: liked, found, looked into, and used again by dragging them."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS, saved
from tests.e2e.test_canvas_editing import open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def gallery(page: Page) -> Locator:
    """Open the panel of earlier results."""
    page.get_by_role("button", name="Earlier results").click()
    return page.get_by_role("complementary", name="Earlier results")


def make(page: Page, panel: Locator, prompt: str) -> None:
    """Make a picture in two steps, and wait until it lies among the earlier results."""
    page.get_by_label("Steps of Develop").fill("2")
    page.get_by_label("Text of Prompt").fill(prompt)
    page.keyboard.press("Control+Enter")
    made = panel.get_by_role("button", name=f"Enlarge {prompt}")
    expect(made).to_be_visible(timeout=RUN_LIMIT_MS)


def test_favourites_are_kept_on_the_server_and_found_again(page: Page, server: Running) -> None:
    """Two pictures, one star: only that one is left by the filter, also after a reload."""
    open_sheet(page, server)
    panel = gallery(page)
    make(page, panel, "an owl")
    make(page, panel, "a boat")
    pictures = panel.get_by_role("list", name="Pictures").get_by_role("listitem")
    expect(pictures).to_have_count(2)
    star = panel.get_by_role("button", name="Favourite: an owl")
    with page.expect_response(
        lambda told: "safelight.favourites" in told.url and told.request.method == "POST"
    ) as kept:
        star.click()
    assert kept.value.ok
    expect(star).to_have_attribute("aria-pressed", "true")
    page.reload()
    panel = gallery(page)
    panel.get_by_role("button", name="Only favourites").click()
    expect(pictures).to_have_count(1)
    expect(pictures).to_contain_text("an owl")
    panel.get_by_label("Search by prompt").fill("boat")
    expect(panel.get_by_text("No favourite here.")).to_be_visible()


def test_a_picture_tells_how_it_was_made(page: Page, server: Running) -> None:
    """Its size, its prompt and the values of its nodes, in the lightbox."""
    open_sheet(page, server)
    panel = gallery(page)
    make(page, panel, "a red robot")
    panel.get_by_role("button", name="Enlarge a red robot").click()
    page.get_by_role("button", name="About this picture").click()
    details = page.get_by_role("region", name="About this picture")
    expect(details).to_contain_text("128 × 128 pixels")
    expect(details).to_contain_text("a red robot")
    expect(details).to_contain_text("dpmpp_2m")


def test_a_picture_is_dragged_onto_the_sheet_and_onto_a_field(page: Page, server: Running) -> None:
    """It becomes an input of its own; another replaces it there; both can be taken back."""
    open_sheet(page, server)
    panel = gallery(page)
    make(page, panel, "a first cat")
    make(page, panel, "a second cat")
    before = set(saved(page)["nodes"])
    sheet = page.locator(".react-flow__pane")
    panel.get_by_role("button", name="Enlarge a first cat").drag_to(
        sheet, target_position={"x": 300, "y": 60}
    )
    expect(page.get_by_role("button", name=re.compile("^Choose a file for"))).to_be_visible()
    after = saved(page)["nodes"]
    (added,) = set(after) - before
    assert after[added]["class_type"] == "LoadImage"
    first = after[added]["inputs"]["image"]

    field = page.get_by_test_id(f"rf__node-{added}").get_by_role("group")
    panel.get_by_role("button", name="Enlarge a second cat").drag_to(field)
    expect(field.get_by_role("combobox")).not_to_have_value(first)
    page.get_by_role("button", name="Undo").click()
    assert saved(page)["nodes"][added]["inputs"]["image"] == first
    page.get_by_role("button", name="Undo").click()
    assert set(saved(page)["nodes"]) == before
