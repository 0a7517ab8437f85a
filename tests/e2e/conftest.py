"""A real server with a real worker, and a real browser to look at it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright
from tests.e2e.serving import Running, serving, wait_for_nodes

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Quiet, and content with the permissions of a test machine.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KEEP_SAVED_FILES = """
const create = URL.createObjectURL;
URL.createObjectURL = (file) => create((window.lastSaved = file));
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the stories of a module."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        wait_for_nodes(running)
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, or the one Playwright brought; in CI there must be one.

    It ends with its module: while it is open no other test can run an event loop.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Chromium to drive: {error.message.splitlines()[0]}")
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page that tolerates no error on the console."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.add_init_script(KEEP_SAVED_FILES)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(message: ConsoleMessage) -> None:
        refused = "status of 400" in message.text  # the browser's own word on a refused run
        if message.type == "error" and not refused:
            errors.append(message.text)

    page.on("console", note)
    yield page
    context.close()
    assert errors == []
