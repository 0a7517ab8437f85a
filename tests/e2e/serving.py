"""Starting the program as a user would, and stopping it."""

import contextlib
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

READY = re.compile(r"Safelight is at (http://127\.0\.0\.1:\d+)")
START_LIMIT_S = 60
LOAD_LIMIT_S = 240


@dataclass(frozen=True, slots=True)
class Running:
    """A server process under test."""

    url: str
    home: Path
    process: "subprocess.Popen[str]"

    @property
    def pictures(self) -> list[Path]:
        """What it saved."""
        return sorted((self.home / "output").glob("*.png"))


def wait_for_nodes(running: Running) -> None:
    """Return when the server knows its nodes; each answer takes the time that it takes.

    A page that is opened earlier waits, too, but the browser notes every refusal on its console.
    """
    deadline = time.monotonic() + LOAD_LIMIT_S
    while True:
        try:
            with urllib.request.urlopen(f"{running.url}/api/schema"):
                return
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise


@contextlib.contextmanager
def serving(home: Path, *arguments: str) -> Generator[Running, None, None]:
    """Start `safelight serve` as a user would, on any free port, and stop it afterwards."""
    command = [sys.executable, "-m", "safelight", "serve", "--port", "0", "--home", str(home)]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: list[str] = []
    url: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if found := READY.search(line):
                url.append(found[1])
                ready.set()
        ready.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        ready.wait(START_LIMIT_S)
        assert url, f"the server did not start:\n{''.join(said)}"
        yield Running(url[0], home, process)
    finally:
        process.terminate()
        process.wait(30)
        listener.join(10)
        if process.stdout is not None:
            process.stdout.close()
