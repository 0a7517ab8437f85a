"""Seeing inside: the code that a node runs, read from the page."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.serving import Running
from tests.e2e.test_canvas import RUN_LIMIT_MS
from tests.e2e.test_canvas_editing import choose, open_sheet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_node_opens_on_its_source_and_leads_into_the_course(page: Page, server: Running) -> None:
    """From the class to a formula two files on, and back, by keyboard and by pointer."""
    open_sheet(page, server)
    choose(page, "5")
    page.keyboard.press("Shift+F1")
    files = page.get_by_role("navigation", name="Files")
    code = page.get_by_role("region", name="safelight/library/sampling.py")
    expect(code).to_be_visible(timeout=RUN_LIMIT_MS)
    expect(code.locator("[data-target]")).to_have_text(re.compile("^class KSampler"))

    code.get_by_role("button", name="ksampler_sigmas", exact=True).last.click()
    schedule = page.get_by_role("region", name="safelight/diffusion/schedule.py")
    expect(schedule.locator("[data-target]")).to_contain_text("def ksampler_sigmas")
    files.get_by_role("button", name=re.compile("^guidance.py")).click()
    guidance = page.get_by_role("region", name="safelight/diffusion/guidance.py")
    expect(guidance.get_by_text("D = U + w (C − U)")).to_be_attached()
    page.get_by_role("button", name="Back").click()
    expect(schedule).to_be_visible()

    page.get_by_role("tab", name="Source").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("KSampler · sampling")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
