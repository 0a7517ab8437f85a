"""Measure the server: how soon it accepts, what a durable submission and listeners cost.

    python -m tests.benchmarks.server

Starts servers on temporary homes with a catalog without torch, and prints a table.  Nothing is
asserted: the aims are a start under 1 s, a median submission under 10 ms, and a run slowed by
less than 3 % while 500 clients listen.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.request import urlopen

from aiohttp import ClientSession, TCPConnector
from tests.server.visitor import Visitor, walk

from safelight_server.serve import ServeOptions, running

ROOT = Path(__file__).resolve().parents[2]
CATALOG = "tests.server.tiny_nodes"
LISTENERS = 500
SUBMISSIONS = 200


def first_answer(home: Path) -> tuple[float, float]:
    """Return the seconds from the start of a process to its first answer, and to a worker."""
    began = time.perf_counter()
    script = ROOT / "tests" / "server" / "serve_tiny.py"
    process = subprocess.Popen([sys.executable, script, home], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urlopen(f"{address}/healthz") as answer:
            answer.read()
        accepting = time.perf_counter() - began
        while True:
            try:
                with urlopen(f"{address}/readyz"):
                    return accepting, time.perf_counter() - began
            except OSError:
                time.sleep(0.01)
    finally:
        process.kill()
        process.wait()


async def submissions(visitor: Visitor) -> list[float]:
    """Return the seconds that each of many submissions took, one after another."""
    taken: list[float] = []
    for value in range(SUBMISSIONS):
        began = time.perf_counter()
        await visitor.submit(walk(value=value % 100))
        taken.append(time.perf_counter() - began)
    return taken


async def run_seconds(visitor: Visitor, label: str) -> float:
    """Return the seconds from the start to the end of a run of 200 steps of 5 ms."""
    prompt_id = await visitor.submit(walk(steps=200, seconds=0.005, label=label), client_id="me")
    messages = dict((await visitor.entry(prompt_id))["status"]["messages"])
    start, end = messages["execution_start"], messages["execution_success"]
    return float(end["timestamp"] - start["timestamp"]) / 1000


async def listeners(home: Path) -> tuple[list[float], list[float], list[float]]:
    """Return submission times, and run times alone and with listeners."""
    async with AsyncExitStack() as stack:
        options = ServeOptions(home=home, port=0, catalog=CATALOG)
        server = await stack.enter_async_context(running(options))
        connector = TCPConnector(limit=0)
        session = await stack.enter_async_context(
            ClientSession(server.address, connector=connector)
        )
        visitor = Visitor(session)
        await visitor.entry(await visitor.submit(walk()))
        taken = await submissions(visitor)
        await visitor.idle()
        async with visitor.listening("me"):
            alone = [await run_seconds(visitor, f"alone {number}") for number in range(3)]
            for number in range(LISTENERS):
                await stack.enter_async_context(session.ws_connect(f"/ws?clientId={number}"))
            held = [await run_seconds(visitor, f"held {number}") for number in range(3)]
    return taken, alone, held


def main() -> None:
    """Print the table."""
    paths = (ROOT, ROOT / "nodes", ROOT / "server")
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        starts = [first_answer(home) for _ in range(4)]
        taken, alone, held = asyncio.run(listeners(Path(folder) / "other"))
    later = [statistics.median(column) for column in zip(*starts[1:], strict=True)]
    quantiles = statistics.quantiles(taken, n=20)
    slower = statistics.median(held) / statistics.median(alone) - 1
    print(f"first start: accepts after {starts[0][0]:.2f} s, a worker after {starts[0][1]:.2f} s")
    print(f"later start: accepts after {later[0]:.2f} s, a worker after {later[1]:.2f} s")
    print(
        f"durable submission: p50 {1000 * quantiles[9]:.1f} ms, p95 {1000 * quantiles[18]:.1f} ms"
    )
    print(f"a run of 1 s with {LISTENERS} listeners: slower by {100 * slower:.1f} %")


if __name__ == "__main__":
    main()
