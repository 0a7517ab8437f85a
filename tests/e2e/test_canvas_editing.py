"""Editing and looking back on the canvas: frames, order, commands, the queue, earlier results."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS, prompt_of, run_to_the_picture, saved

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def open_sheet(page: Page, server: Running) -> None:
    """Open the page; the first time the server may still be learning what it can do."""
    page.goto(server.url)
    expect(page.get_by_test_id("rf__node-5")).to_be_visible(timeout=RUN_LIMIT_MS)


def choose(page: Page, *nodes: str) -> None:
    """Click on the titles of nodes, so that these and no others are chosen."""
    for index, node in enumerate(nodes):
        title = page.get_by_test_id(f"rf__node-{node}").locator("header")
        title.click(modifiers=["Shift"] if index else [])


def place(page: Page, node: str) -> list[int]:
    """Where a node lies on the sheet."""
    position: list[int] = saved(page)["nodes"][node]["_meta"]["position"]
    return position


def command(page: Page, words: str) -> None:
    """Find a command by typing and carry it out."""
    page.keyboard.press("Control+k")
    page.get_by_label("Search commands").fill(words)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search commands")).to_have_count(0)


def test_a_frame_is_made_named_moved_and_deleted_without_its_nodes(
    page: Page, server: Running
) -> None:
    """What lies in it goes with it; every step can be taken back."""
    open_sheet(page, server)
    before = saved(page)
    choose(page, "2", "3")
    page.keyboard.press("Control+g")
    page.keyboard.type("Words")
    page.keyboard.press("Enter")
    frame = page.get_by_role("group", name="Frame Words")
    expect(frame).to_be_visible()
    (framed,) = saved(page)["frames"]
    assert framed["title"] == "Words"

    title = frame.get_by_text("Words")
    box = title.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 8, box["y"] + 120, steps=8)
    expect(page.get_by_test_id("rf__node-2")).to_be_visible()
    page.mouse.up()
    after = saved(page)
    steps = {
        node: [new - old for new, old in zip(here, there, strict=True)]
        for node in ("2", "3", "5")
        for here, there in [
            (after["nodes"][node]["_meta"]["position"], before["nodes"][node]["_meta"]["position"])
        ]
    }
    moved = [after["frames"][0]["position"][i] - framed["position"][i] for i in (0, 1)]
    assert moved[1] > 60
    assert steps == {"2": moved, "3": moved, "5": [0, 0]}

    page.keyboard.press("Delete")
    assert saved(page)["frames"] == []
    assert saved(page)["nodes"] == after["nodes"]
    for _ in range(4):
        page.keyboard.press("Control+z")
    assert saved(page)["nodes"] == before["nodes"]
    assert saved(page)["frames"] == []


def test_nodes_snap_into_line_and_a_guide_shows_it(page: Page, server: Running) -> None:
    """Dragged nearly level with its neighbour, a node lies level."""
    open_sheet(page, server)
    level = place(page, "5")[1]
    title = page.get_by_test_id("rf__node-6").locator("header")
    box = title.bounding_box()
    assert box is not None
    x, y = box["x"] + 40, box["y"] + 12
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 2)
    page.mouse.move(x, y + 60, steps=6)
    page.mouse.move(x, y + 4, steps=6)
    expect(page.get_by_test_id("guides")).to_be_attached()
    page.mouse.up()
    expect(page.get_by_test_id("guides")).not_to_be_attached()
    assert place(page, "6")[1] == level


def test_commands_are_found_by_typing_and_arrange_nodes(page: Page, server: Running) -> None:
    """Align, tidy up and undo from the palette; a command that cannot be is not offered."""
    open_sheet(page, server)
    page.keyboard.press("Control+k")
    page.get_by_label("Search commands").fill("align")
    expect(page.get_by_text("No command is called that.")).to_be_visible()
    page.keyboard.press("Escape")

    before = saved(page)["nodes"]
    choose(page, "4", "5")
    command(page, "align top")
    assert place(page, "4")[1] == place(page, "5")[1]
    command(page, "undo")
    assert saved(page)["nodes"] == before
    page.keyboard.press("Control+a")
    command(page, "tidy")
    places = {node: place(page, node) for node in before}
    assert places["1"][0] < places["2"][0] < places["5"][0] < places["6"][0] < places["7"][0]


def test_the_menu_of_a_node_works_from_the_keyboard(page: Page, server: Running) -> None:
    """Open it at a node, walk to an entry, take it; Escape leaves the focus at the node."""
    open_sheet(page, server)
    choose(page, "6")
    node = page.get_by_test_id("rf__node-6")
    node.focus()
    page.keyboard.press("Shift+F10")
    menu = page.get_by_role("menu", name="Menu of the node")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(node).to_be_focused()
    node.locator("header").click(button="right")
    menu.get_by_role("menuitem", name=re.compile("^Rename")).focus()
    page.keyboard.press("Enter")
    page.keyboard.type("To pixels")
    page.keyboard.press("Enter")
    assert saved(page)["nodes"]["6"]["_meta"]["title"] == "To pixels"


def test_a_map_appears_when_the_sheet_is_larger_than_the_view(page: Page, server: Running) -> None:
    """And goes again when everything can be seen."""
    open_sheet(page, server)
    sheet_map = page.get_by_label("Map of the sheet")
    expect(sheet_map).to_have_count(0)
    page.get_by_test_id("rf__node-7").locator("header").click()
    for _ in range(40):
        page.keyboard.press("Shift+ArrowRight")
    expect(sheet_map).to_be_visible()
    page.keyboard.press(".")
    expect(sheet_map).to_have_count(0)


def test_an_earlier_result_is_found_compared_and_its_settings_used_again(
    page: Page, server: Running
) -> None:
    """Two prompts, one search, one slider, and back: as a step that can be undone."""
    open_sheet(page, server)
    page.get_by_label("Text of Prompt").fill("an owl on a hill")
    run_to_the_picture(page)
    page.get_by_label("Text of Prompt").fill("a yellow boat")
    run_to_the_picture(page)
    page.get_by_role("button", name="Earlier results").click()
    panel = page.get_by_role("complementary", name="Earlier results")
    expect(panel.get_by_role("button", name="Enlarge a yellow boat")).to_be_visible()
    panel.get_by_label("Search by prompt").fill("owl hill")
    expect(panel.get_by_role("button", name="Enlarge")).to_have_count(1)
    panel.get_by_label("Search by prompt").fill("")

    panel.get_by_role("button", name="Enlarge a yellow boat").click()
    page.get_by_role("button", name="Compare with another picture").click()
    slider = page.get_by_role("slider", name="How much of the first picture is shown")
    slider.press("Home")
    expect(slider).to_have_value("0")
    sources = {
        page.get_by_test_id(f"compare-{one}").get_attribute("src") for one in ("one", "other")
    }
    assert len(sources) == 2
    page.keyboard.press("Escape")

    panel.get_by_role("button", name="Use the settings of an owl on a hill").click()
    expect(page.get_by_label("Text of Prompt")).to_have_value("an owl on a hill")
    assert saved(page)["nodes"]["5"]["_meta"]["seed_control"] == "fixed"
    page.get_by_role("button", name="Undo").click()
    assert prompt_of(page) == "a yellow boat"


def test_the_queue_shows_what_waits_and_takes_it_back(page: Page, server: Running) -> None:
    """Three long runs: one is at work, one is cancelled, the last is cleared, the first stopped."""
    open_sheet(page, server)
    page.keyboard.press("Escape")
    page.get_by_label("Steps of Develop").fill("2000")
    page.keyboard.press("Enter")
    for prompt in ("the first", "the second", "the third"):
        page.get_by_label("Text of Prompt").fill(prompt)
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
    page.get_by_role("button", name="Queue").click()
    running = page.get_by_role("region", name="Running")
    waiting = page.get_by_role("region", name="Waiting")
    expect(running.get_by_role("listitem")).to_contain_text("the first")
    expect(waiting.get_by_role("listitem")).to_have_count(2)
    expect(waiting.get_by_role("listitem").first).to_contain_text("the second")
    waiting.get_by_role("button", name="Cancel the second").click()
    expect(waiting.get_by_role("listitem")).to_have_count(1)
    waiting.get_by_role("button", name="Clear").click()
    expect(waiting).to_have_count(0)
    running.get_by_role("button", name="Cancel the first").click()
    expect(page.get_by_text("Nothing runs and nothing waits.")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)


def test_the_inspector_shows_and_changes_all_of_a_node(page: Page, server: Running) -> None:
    """Title, values and the seed that counts on, which the run writes where it can be seen."""
    open_sheet(page, server)
    choose(page, "5")
    page.keyboard.press("i")
    panel = page.get_by_role("complementary", name="Inspector")
    panel.get_by_label("Title").fill("Walk to a picture")
    panel.get_by_label("Steps of Walk to a picture").fill("3")
    panel.get_by_label("Seed is").select_option("The next for each run")
    node = saved(page)["nodes"]["5"]
    assert node["_meta"]["title"] == "Walk to a picture"
    assert node["inputs"]["steps"] == 3
    seed = node["inputs"]["seed"]
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(re.compile("^Done in"))).to_be_visible(timeout=RUN_LIMIT_MS)
    assert saved(page)["nodes"]["5"]["inputs"]["seed"] == seed + 1
    expect(panel.get_by_label("Seed of Walk to a picture")).to_have_value(str(seed + 1))
    choose(page, "2")
    expect(panel.get_by_label("Title")).to_have_value("Prompt")
    page.get_by_role("button", name="Close inspector").click()
    expect(panel).to_have_count(0)
