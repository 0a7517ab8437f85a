"""What a person does with the canvas, in a real browser against a real server and worker."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROMPT = "a red robot at night"
FIRST_PROMPT = "a cat in a hat"
RUN_LIMIT_MS = 120_000
IS_DRAWN = """(canvas) => {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return pixels.some((value, index) => index % 4 !== 3 && value > 30);
}"""
DROP = """([base64, name, type]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
  const target = document.querySelector("[data-testid=app]");
  for (const kind of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(kind, options));
}"""


def prompt_of(page: Page) -> str:
    """What stands in the prompt."""
    return page.get_by_label("Text of Prompt").input_value()


def downloaded(page: Page) -> dict[str, Any]:
    """The document in the file that Save workflow downloads."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save workflow").click()
    return json.loads(Path(download.value.path()).read_text())


def saved(page: Page) -> dict[str, Any]:
    """The document that Save workflow hands to the browser.

    Chromium refuses a page's eleventh download, so stories that look often read the
    content of the file (kept by the fixture `page`) and not the file.
    """
    page.get_by_role("button", name="Save workflow").click()
    return json.loads(page.evaluate("window.lastSaved.text()"))


def drop(page: Page, file: Path, kind: str) -> None:
    """Drop a file on the canvas."""
    content = base64.b64encode(file.read_bytes()).decode()
    page.evaluate(DROP, [content, file.name, kind])


def open_canvas(page: Page, server: Running) -> None:
    """Open the page; the first time the server may still be learning what it can do."""
    page.goto(server.url)
    expect(page.get_by_test_id("rf__node-5")).to_be_visible(timeout=RUN_LIMIT_MS)


def run_to_the_picture(page: Page) -> None:
    """Press Run and wait until the picture of this run stands in the node."""
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(re.compile("^Done in"))).to_be_visible(timeout=RUN_LIMIT_MS)
    picture = page.get_by_test_id("picture-7")
    expect(picture).to_be_visible()
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 128


def test_from_a_prompt_to_a_picture_and_back(page: Page, server: Running, tmp_path: Path) -> None:
    """Load, edit, run, watch, undo, save, reload, drop the picture: the same graph."""
    open_canvas(page, server)
    prompt = page.get_by_label("Text of Prompt")
    expect(prompt).to_be_focused()
    assert prompt.input_value() == FIRST_PROMPT
    prompt.fill(PROMPT)

    page.get_by_role("button", name="Run", exact=True).click()
    preview = page.get_by_test_id("preview-5")
    expect(preview).to_be_visible(timeout=RUN_LIMIT_MS)
    page.wait_for_function(
        f"() => ({IS_DRAWN})(document.querySelector('[data-testid=preview-5]'))",
        timeout=RUN_LIMIT_MS,
    )
    picture = page.get_by_test_id("picture-7")
    expect(picture).to_be_visible(timeout=RUN_LIMIT_MS)
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 128
    ran = downloaded(page)
    assert ran["nodes"]["2"]["inputs"]["text"] == PROMPT

    page.get_by_role("button", name="Undo").click()
    expect(prompt).to_have_value(FIRST_PROMPT)
    page.get_by_role("button", name="Redo").click()
    expect(prompt).to_have_value(PROMPT)

    page.reload()
    expect(page.get_by_label("Text of Prompt")).to_have_value(PROMPT)
    assert saved(page)["nodes"] == ran["nodes"]

    page.get_by_label("Text of Prompt").fill("something else")
    drop(page, server.pictures[-1], "image/png")
    expect(page.get_by_label("Text of Prompt")).to_have_value(PROMPT)
    assert saved(page)["nodes"] == ran["nodes"]


def test_a_workflow_file_opens_by_dropping_it(page: Page, server: Running) -> None:
    """A shipped workflow with more nodes than the first one."""
    open_canvas(page, server)
    workflow = Path(__file__).resolve().parents[2] / "workflows" / "hires-fix.json"
    drop(page, workflow, "application/json")
    expect(page.get_by_test_id("rf__node-9")).to_be_attached()
    assert saved(page)["nodes"] == json.loads(workflow.read_text())["nodes"]


def test_a_picture_opens_in_the_lightbox_and_escape_closes_it(page: Page, server: Running) -> None:
    """Enlarge, close, and the focus is back where it was."""
    open_canvas(page, server)
    run_to_the_picture(page)
    page.get_by_role("button", name=re.compile("^Enlarge picture 1")).click()
    large = page.get_by_test_id("lightbox-picture")
    expect(large).to_be_visible()
    page.keyboard.press("Escape")
    expect(large).not_to_be_visible()


def test_a_node_is_added_by_its_name_and_deleted_again(page: Page, server: Running) -> None:
    """Search, Enter, Delete, undo: from the keyboard alone."""
    open_canvas(page, server)
    before = set(saved(page)["nodes"])
    page.get_by_role("button", name="Add node").click()
    page.get_by_label("Search nodes").fill("resize lat")
    page.keyboard.press("Enter")
    added = set(saved(page)["nodes"]) - before
    assert len(added) == 1
    (node,) = added
    page.get_by_test_id(f"rf__node-{node}").get_by_text("Resize latent").click()
    page.keyboard.press("Delete")
    assert set(saved(page)["nodes"]) == before
    page.keyboard.press("Control+z")
    assert set(saved(page)["nodes"]) == before | added


def test_a_refused_run_says_what_is_wrong_at_the_node(page: Page, server: Running) -> None:
    """A checkpoint that is not there: the message names node and file, and nothing runs."""
    open_canvas(page, server)
    document = saved(page)
    document["nodes"]["1"]["inputs"]["ckpt_name"] = "gone.safetensors"
    file = server.home / "gone.json"
    file.write_text(json.dumps(document))
    pictures = server.pictures
    drop(page, file, "application/json")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("there is no file 'gone.safetensors'")
    page.get_by_role("button", name="1 problem").click()
    expect(page.get_by_label("Problems")).to_contain_text("Model")
    assert server.pictures == pictures


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_system_s_colours(page: Page, server: Running, scheme: str) -> None:
    """Dark stays dark and light stays light, down to the canvas."""
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    open_canvas(page, server)
    lightness = page.evaluate(
        """() => {
          const canvas = document.createElement("canvas").getContext("2d");
          canvas.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
          canvas.fillRect(0, 0, 1, 1);
          return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((a, b) => a + b) / 765;
        }"""
    )
    assert lightness > 0.8 if scheme == "light" else lightness < 0.2
