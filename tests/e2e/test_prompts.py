"""Writing prompts: weights by keys, words completed, tokens counted, markup shown."""

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import saved
from tests.e2e.test_canvas_editing import open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def write(page: Page, text: str) -> Locator:
    """Empty the prompt and type into its editor."""
    page.get_by_label("Text of Prompt").click()
    editor = page.get_by_test_id("prompt-editor")
    expect(editor).to_be_visible(timeout=60_000)
    expect(page.get_by_label("Text of Prompt")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    return editor


def prompt(page: Page) -> str:
    """The prompt in the document."""
    text: str = saved(page)["nodes"]["2"]["inputs"]["text"]
    return text


def test_weights_are_changed_by_keys_and_taken_back(page: Page, server: Running) -> None:
    """Ctrl+Up twice weighs the word at the cursor; the history knows it; the markup is seen."""
    open_sheet(page, server)
    editor = write(page, "a red cat ")
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Control+ArrowUp")
    page.keyboard.press("Control+ArrowUp")
    expect(editor.locator("[data-mark=more]")).to_have_text("red")
    expect(editor.locator("[data-mark=weight]")).to_have_text(":1.1")
    page.keyboard.press("Control+ArrowDown")
    expect(editor.locator("[data-mark=weight]")).to_have_text(":1.05")
    assert prompt(page) == "a (red:1.05) cat "
    plain = page.get_by_label("Text of Prompt")
    expect(plain).to_have_value("a (red:1.05) cat ")
    page.get_by_role("button", name="Undo").click()
    expect(plain).not_to_have_value("a (red:1.05) cat ")


def test_words_are_completed_and_unknown_ones_are_marked(page: Page, server: Running) -> None:
    """The learnt word, the vocabulary of the embedded model, and a word that it never saw."""
    open_sheet(page, server)
    editor = write(page, "a zebra ")
    expect(editor.locator("[data-mark=unknown]")).to_have_text("zebra")
    page.keyboard.type("automo")
    offered = page.locator(".cm-tooltip-autocomplete").get_by_role("option")
    expect(offered.filter(has_text="automobiles")).to_be_visible()
    page.keyboard.press("Escape")
    expect(offered).to_have_count(0)
    page.keyboard.type("bile embed")
    expect(offered.filter(has_text="embedding:safelight-snail")).to_be_visible()
    offered.filter(has_text="embedding:safelight-snail").click()
    expect(editor.locator("[data-mark=embedding]")).to_have_text("embedding:safelight-snail")
    assert prompt(page) == "a zebra automobile embedding:safelight-snail"


def test_tokens_are_counted_in_chunks(page: Page, server: Running) -> None:
    """The embedded model's words are its tokens: the count is exact, and a long one says so."""
    open_sheet(page, server)
    editor = write(page, "a (red:1.2) cat, ")
    expect(editor).to_contain_text("4 of 75 tokens")
    page.keyboard.insert_text("cat " * 80)
    expect(editor).to_contain_text("84 of 150 tokens, 2 chunks")


def test_the_editor_is_fetched_only_when_it_is_needed(page: Page, server: Running) -> None:
    """A page that nobody writes on does not load it."""
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"{server.url}/#form")
    expect(page.get_by_role("main", name="Form")).to_be_visible(timeout=60_000)
    assert not any("Editor" in url for url in fetched)
    write_here = page.get_by_label("Prompt", exact=True)
    write_here.click()
    expect(page.get_by_test_id("prompt-editor")).to_be_visible(timeout=60_000)
    assert any("Editor" in url for url in fetched)
