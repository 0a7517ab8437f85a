"""Measure the canvas: what a pan and a drag cost with 1,000 nodes, and how much it first loads.

    python -m tests.benchmarks.canvas

Starts a server on a temporary home and a Chromium without a graphics card, and prints a table.
Nothing is asserted: the aims are 16 ms of the main thread's CPU for each move of a pan, 10 ms for
each move of a drag, and 220 kB of gzipped JavaScript before the page can be used.

The figure is CPU time of the renderer's main thread (`Performance.getMetrics` with
`threadTicks`) per pointer move, at zoom 1 with some fifteen nodes in view: unlike frames per
second it hardly depends on what else the machine does.
"""

import base64
import gzip
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright
from tests.e2e.conftest import BROWSERS, FLAGS
from tests.e2e.serving import serving
from tests.e2e.test_canvas import DROP

import safelight_server

NODES = 1000
COLUMNS = 40
SPACING = (300, 340)
MOVES = 90
LIMIT_MS = 120_000
VIEWPORT = "document.querySelector('.react-flow__viewport').style.transform"


def sheet() -> dict[str, Any]:
    """Return a grid of samplers, each fed by its neighbours: 1.5 wires a node."""
    nodes: dict[str, Any] = {}
    for number in range(NODES):
        place = [number % COLUMNS * SPACING[0], number // COLUMNS * SPACING[1]]
        inputs: dict[str, Any] = {
            "seed": number, "steps": 20, "cfg": 4.0, "denoise": 1.0,
            "sampler_name": "euler", "scheduler": "karras",
        }  # fmt: skip
        if number % COLUMNS:
            inputs["latent_image"] = [str(number), 0]  # ids count from 1
        if number >= COLUMNS and number % 2:
            inputs["model"] = [str(number + 1 - COLUMNS), 0]
        meta = {"title": f"Step {number}", "position": place}
        nodes[str(number + 1)] = {"class_type": "KSampler", "inputs": inputs, "_meta": meta}
    return {"safelight": 1, "id": "many", "name": "Many", "nodes": nodes}


def initial_bytes() -> int:
    """Return the gzipped size of the scripts that the page asks for at once."""
    static = Path(safelight_server.__file__).parent / "static"
    names = set(re.findall(r"assets/[\w.-]+\.js", (static / "index.html").read_text()))
    return sum(len(gzip.compress((static / name).read_bytes(), 9)) for name in names)


def cpu_ms(session: CDPSession) -> float:
    """Return the CPU time that the main thread has spent on tasks so far (ms)."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(each["value"] for each in metrics if each["name"] == "TaskDuration")


def cost(page: Page, session: CDPSession, start: tuple[float, float]) -> float:
    """Press at a place, move, release; return the CPU time for each move (ms)."""
    x, y = start
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 8, y + 8)
    before = cpu_ms(session)
    for step in range(MOVES):
        page.mouse.move(x + 8 - 4 * step, y + 8 + 2 * (step % 12))
    spent = cpu_ms(session) - before
    page.mouse.up()
    return spent / MOVES


def open_sheet(page: Page, url: str) -> None:
    """Open the page, drop the sheet on it, and come close to its first nodes."""
    page.goto(url)
    page.get_by_test_id("rf__node-5").wait_for(timeout=LIMIT_MS)
    content = base64.b64encode(json.dumps(sheet()).encode()).decode()
    page.evaluate(DROP, [content, "many.json", "application/json"])
    page.get_by_role("status").get_by_text("Opened many.json").wait_for(timeout=LIMIT_MS)
    page.wait_for_function(f"parseFloat({VIEWPORT}.split('scale(')[1]) < 0.5", timeout=LIMIT_MS)


def near(page: Page) -> None:
    """Zoom in around the middle until a node is as large as it is worked on."""
    page.mouse.move(720, 450)
    for _ in range(60):
        scale = float(page.evaluate(f"parseFloat({VIEWPORT}.split('scale(')[1])"))
        if scale >= 0.95:
            return
        page.mouse.wheel(0, -120 if scale < 0.8 else -20)
    raise RuntimeError("the sheet could not be enlarged")


def places(page: Page) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return a place on the bare sheet and one on a node's title, well inside the window."""
    found = page.evaluate(
        """() => {
          const at = (x, y) => document.elementFromPoint(x, y);
          const inside = [];
          for (let x = 500; x < 1300; x += 7)
            for (let y = 150; y < 750; y += 7) inside.push([x, y]);
          const pane = inside.find(([x, y]) => at(x, y)?.classList.contains('react-flow__pane'));
          const title = inside.find(([x, y]) => at(x, y)?.closest('.react-flow__node header'));
          return [pane, title];
        }"""
    )
    pane, title = found
    return (pane[0], pane[1]), (title[0], title[1])


def measured(url: str) -> list[tuple[str, float, float | None]]:
    """Return what was measured: its name, the figure, the aim if there is one."""
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(LIMIT_MS)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        began = cpu_ms(session)
        open_sheet(page, url)
        opened = cpu_ms(session) - began
        near(page)
        panned = cost(page, session, places(page)[0])
        dragged = cost(page, session, places(page)[1])
        browser.close()
    return [
        ("page and sheet opened, CPU ms", opened, None),
        ("pan, CPU ms per move", panned, 16),
        ("drag, CPU ms per move", dragged, 10),
    ]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as running:
        rows = measured(running.url)
    rows.append(("initial JavaScript, gzipped kB", initial_bytes() / 1000, 220))
    for name, figure, aim in rows:
        wanted = "" if aim is None else f"  (aim {aim:.0f})"
        print(f"{name:34} {figure:8.1f}{wanted}")


if __name__ == "__main__":
    main()
