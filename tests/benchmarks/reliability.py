"""Kill the server and its worker at random moments, and count what is lost.

    python -m tests.benchmarks.reliability --kills 500 --seed 1

A client keeps a server of its own busy with jobs that each save one picture.  Again and again the
server or the worker process is ended by SIGKILL: a drawn number of messages after the last time,
while a submission is on its way, or just as a process starts.  A submission that was not answered
is repeated under its id, as a careful client would.  In the end the database and the pictures
are compared with what was asked.  All that is drawn comes from the seed; only the moments at which
processes are at work differ from run to run.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

from aiohttp import ClientConnectionError, ClientSession, ClientWebSocketResponse, WSMsgType
from tests.benchmarks.aftermath import Aftermath, examine
from tests.server.visitor import walk

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "server" / "serve_tiny.py"
PATIENCE = 180.0  # seconds without any message, after which something hangs
OPEN = 3  # jobs that wait or run at a time
MOST_MESSAGES = 30  # between two kills; a job makes about fifteen
WORKER_KILLS = 2  # in one server's life: each doubles the pause before the next worker
_LOST_LINE = (ClientConnectionError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill: who dies, after how many messages, and whether a submission is on its way."""

    victim: Literal["server", "worker"]
    messages: int
    submitting_for: float | None  # seconds between the submission and the kill


def plan(random: Random, kills: int) -> list[Blow]:
    """Draw the blows: of three in a row, at least one hits the server."""
    blows: list[Blow] = []
    workers = 0
    for _ in range(kills):
        hits_server = workers == WORKER_KILLS or random.random() < 0.3
        workers = 0 if hits_server else workers + 1
        messages = random.randint(1, MOST_MESSAGES) if random.random() < 0.8 else 0
        submitting = random.uniform(0, 0.02) if random.random() < 0.3 else None
        blows.append(Blow("server" if hits_server else "worker", messages, submitting))
    return blows


@dataclass
class Client:
    """Whoever asks for the jobs, beyond the lives of servers."""

    random: Random
    asked: dict[str, int] = field(default_factory=dict)  # the number that each job draws, by id
    unanswered: list[str] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    repeated: int = 0
    log: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def note(self, what: str) -> None:
        """Remember what was done, for the case that it goes wrong."""
        self.log.append(f"{time.monotonic() - self.began:8.3f} {what}")

    def think_of_one(self) -> str:
        """Make up a further job; return its id."""
        job_id = f"job-{len(self.asked)}"
        self.asked[job_id] = self.random.randint(0, 100)
        self.unanswered.append(job_id)
        return job_id

    async def submit(self, session: ClientSession, job_id: str) -> None:
        """Post a job under its id; it counts as accepted once the answer is there."""
        steps = 1 + self.asked[job_id] % 4
        prompt = walk(steps=steps, seconds=0.005, value=self.asked[job_id], label=job_id)
        prompt["3"]["inputs"]["filename_prefix"] = job_id
        body = {"prompt": prompt, "prompt_id": job_id, "client_id": "story"}
        async with session.post("/prompt", json=body) as answer:
            said = await answer.json()
            assert (answer.status, said.get("prompt_id")) == (200, job_id), (answer.status, said)
        self.unanswered.remove(job_id)
        self.open.add(job_id)
        self.note(f"accepted {job_id}")

    async def take_up(self, session: ClientSession) -> None:
        """Look where a new server stands, and repeat what the last one did not answer."""
        async with session.get("/queue") as answer:
            queue = await answer.json()
        items = (*queue["queue_running"], *queue["queue_pending"])
        self.open = {str(item[1]) for item in items}
        for job_id in list(self.unanswered):
            self.repeated += 1
            await self.submit(session, job_id)

    def hear(self, said: dict[str, Any]) -> None:
        """Note the end of a job."""
        if said["type"] == "executing" and said["data"]["node"] is None:
            self.open.discard(said["data"]["prompt_id"])
            self.note(f"ended {said['data']['prompt_id']}")


@asynccontextmanager
async def life(home: Path) -> AsyncGenerator[tuple[asyncio.subprocess.Process, ClientSession]]:
    """Start a server in a process of its own and kill it at the end, if it still lives."""
    paths = (ROOT, ROOT / "nodes", ROOT / "server")
    with words_of(home).open("ab") as words:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPT), str(home)),
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert line, "the server ended before it could say where it is"
        async with ClientSession(line.decode().strip()) as session:
            yield process, session
    finally:
        kill(process.pid)
        await process.wait()


def kill(pid: int) -> None:
    """End a process at once; not by Popen.kill, which may reap it before asyncio does."""
    with contextlib.suppress(ProcessLookupError):  # it died of the last blow only now
        os.kill(pid, signal.SIGKILL)


def words_of(home: Path) -> Path:
    """Return where servers on a home write what they say to their standard error."""
    return home.with_suffix(".log")


class Story:
    """Servers on one home, one after another, each ended by a blow."""

    def __init__(self, home: Path, seed: int, kills: int) -> None:
        random = Random(seed)
        self.home = home
        self._blows: Iterator[Blow] = iter(plan(random, kills))
        self.client = Client(random)
        self.struck = {"server": 0, "worker": 0}

    async def run(self) -> Aftermath:
        """Deal every blow, let the last server finish all jobs, and compare."""
        while await self._one_life():
            pass
        return await asyncio.to_thread(examine, self.home, self.client.asked)

    async def _one_life(self) -> bool:
        """Run one server to its death; returns whether there shall be another."""
        async with life(self.home) as (server, session):
            self.client.note(f"server {server.pid}")
            async with session.ws_connect("/ws?clientId=story", max_msg_size=0) as socket:
                await self.client.take_up(session)
                for blow in self._blows:
                    await self._listen(session, socket, blow.messages)
                    await self._strike(blow, server, session)
                    if blow.victim == "server":
                        return True
                while self.client.open:
                    await self._hear(socket)
        return False

    async def _listen(
        self, session: ClientSession, socket: ClientWebSocketResponse, messages: int
    ) -> None:
        for _ in range(messages):
            while len(self.client.open) < OPEN:
                await self.client.submit(session, self.client.think_of_one())
            await self._hear(socket)

    async def _hear(self, socket: ClientWebSocketResponse) -> None:
        message = await socket.receive(timeout=PATIENCE)
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
        if message.type == WSMsgType.TEXT:
            self.client.hear(message.json())

    async def _strike(
        self, blow: Blow, server: asyncio.subprocess.Process, session: ClientSession
    ) -> None:
        victim = server.pid if blow.victim == "server" else await worker_of(session)
        posting: asyncio.Task[None] | None = None
        if blow.submitting_for is not None:
            posting = asyncio.create_task(self.client.submit(session, self.client.think_of_one()))
            await asyncio.wait({posting}, timeout=blow.submitting_for)
        self.client.note(f"kill {blow}, process {victim}")
        kill(victim)
        self.struck[blow.victim] += 1
        if posting is not None:
            with contextlib.suppress(*_LOST_LINE):
                await posting


async def worker_of(session: ClientSession) -> int:
    """Wait until there is a worker process, and return its number."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        async with session.get("/system_stats") as answer:
            pid = (await answer.json())["worker"]["pid"]
        if pid is not None:
            return int(pid)
        await asyncio.sleep(0.02)
    raise AssertionError("there was no worker process")


def main() -> int:
    """Run the story and print what came of it; the exit code is 1 when anything was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        story = Story(home, options.seed, options.kills)
        try:
            after = asyncio.run(story.run())
        except BaseException:
            print(
                *story.client.log[-400:],
                words_of(home).read_text()[-20_000:],
                sep="\n",
                file=sys.stderr,
            )
            print(f"seed {options.seed}", file=sys.stderr)
            raise
    rows = {
        "seed": options.seed,
        "kills of the server": story.struck["server"],
        "kills of the worker": story.struck["worker"],
        "submissions repeated": story.client.repeated,
        **after.figures(),
        "seconds": round(time.monotonic() - began),
    }
    for name, value in rows.items():
        print(f"{name:45} {value}")
    print(*after.wrong, sep="\n")
    return 1 if after.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
