"""Workflows that go out as links, and those that come from another program."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS, drop, saved
from tests.e2e.test_canvas_editing import choose, command, open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LINK = re.compile(r"#w=[\w-]+$")


def test_a_link_opens_in_a_tab_of_its_own(page: Page, server: Running) -> None:
    """The other tab gets the workflow; this one keeps its own; a reload there keeps it too."""
    open_sheet(page, server)
    page.get_by_label("Text of Prompt").fill("an owl from a link")
    command(page, "link to")
    link = page.get_by_role("textbox", name="Link")
    expect(link).to_have_value(LINK)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open in a new tab").click()
    other = opened.value
    expect(other.get_by_label("Text of Prompt")).to_have_value(
        "an owl from a link", timeout=RUN_LIMIT_MS
    )
    expect(other).not_to_have_url(LINK)
    other.close()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Text of Prompt")).to_have_value("an owl from a link")


def test_a_link_never_takes_the_place_of_what_lies_open(page: Page, server: Running) -> None:
    """Followed in a tab with work in it, it is only offered; a damaged one changes nothing."""
    open_sheet(page, server)
    command(page, "link to")
    link = page.get_by_role("textbox", name="Link")
    expect(link).to_have_value(LINK)
    address = link.input_value()
    page.keyboard.press("Escape")
    page.get_by_label("Text of Prompt").fill("work of mine")
    page.evaluate("(address) => location.assign(address)", address)
    offer = page.get_by_role("dialog", name="A workflow came with the link")
    expect(offer).to_be_visible()
    expect(page).not_to_have_url(LINK)
    with page.context.expect_page() as opened:
        offer.get_by_role("link", name="Open in a new tab").click()
    expect(opened.value.get_by_label("Text of Prompt")).not_to_have_value(
        "work of mine", timeout=RUN_LIMIT_MS
    )
    opened.value.close()
    expect(offer).to_have_count(0)
    expect(page.get_by_label("Text of Prompt")).to_have_value("work of mine")


def comfy() -> dict[str, Any]:
    """What ComfyUI's canvas would save: a checkpoint that is not here, and a node nobody has."""
    loader = {
        "id": 1, "type": "CheckpointLoaderSimple", "pos": [0, 0], "size": [300, 100], "mode": 0,
        "inputs": [], "widgets_values": ["absent.safetensors"],
        "outputs": [
            {"name": "MODEL", "type": "MODEL", "links": []},
            {"name": "CLIP", "type": "CLIP", "links": [1]},
            {"name": "VAE", "type": "VAE", "links": []},
        ],
        "properties": {"models": [{"name": "absent.safetensors", "hash": "c0ffee"}]},
    }  # fmt: skip
    prompt = {
        "id": 2, "type": "CLIPTextEncode", "pos": [400, 0], "size": [300, 100], "mode": 0,
        "inputs": [{"name": "clip", "type": "CLIP", "link": 1}],
        "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": []}],
        "widgets_values": ["a castle"], "properties": {},
    }  # fmt: skip
    magic = {
        "id": 3, "type": "Magic from elsewhere", "pos": [800, 0], "size": [200, 100], "mode": 0,
        "inputs": [], "outputs": [], "widgets_values": [1, 2], "properties": {},
    }  # fmt: skip
    return {
        "last_node_id": 3, "last_link_id": 1, "nodes": [loader, prompt, magic],
        "links": [[1, 1, 1, 2, 0, "CLIP"]], "groups": [], "config": {}, "extra": {}, "version": 0.4,
    }  # fmt: skip


def test_a_workflow_of_comfyui_comes_with_a_report(
    page: Page, server: Running, tmp_path: Path
) -> None:
    """What is missing is told by name and hash; the nodes lie where they lay; undo goes back."""
    open_sheet(page, server)
    before = saved(page)["nodes"]
    file = tmp_path / "castle.json"
    file.write_text(json.dumps(comfy()))
    drop(page, file, "application/json")
    report = page.get_by_role("dialog", name="Imported castle.json")
    expect(report).to_contain_text("Magic from elsewhere", timeout=RUN_LIMIT_MS)
    expect(report).to_contain_text("absent.safetensors in checkpoints (hash c0ffee)")
    page.keyboard.press("Escape")
    expect(report).to_have_count(0)
    nodes = saved(page)["nodes"]
    assert nodes["2"]["inputs"] == {"text": "a castle", "clip": ["1", 1]}
    assert nodes["2"]["_meta"]["position"] == [400, 0]
    choose(page, "2")
    page.keyboard.press("Control+z")
    assert saved(page)["nodes"] == before
