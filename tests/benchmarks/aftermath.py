"""What a story of kills has left behind, compared with what was asked for.

Nothing of the server is used here: the database is read as SQLite, the pictures by Pillow.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

_ENDS = ("execution_success", "execution_error", "execution_interrupted")
_TWO_DEATHS = "It was the second one that died of this job."


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How many of what there are, and every promise that was broken, as a sentence."""

    jobs: int
    done: int
    failed: int  # because two workers died of them
    attempts: int
    pictures: int
    spare_pictures: int  # saved by attempts that died before their end was known
    lost: int
    ended_twice: int
    unreadable: int
    wrong: tuple[str, ...]

    def figures(self) -> dict[str, int]:
        """Return the figures by name, as they are printed."""
        return {
            "jobs asked for": self.jobs,
            "jobs done": self.done,
            "jobs failed, as two workers died of them": self.failed,
            "attempts": self.attempts,
            "pictures": self.pictures,
            "pictures of attempts that were cut off": self.spare_pictures,
            "accepted jobs lost": self.lost,
            "jobs that ended twice": self.ended_twice,
            "pictures that do not decode": self.unreadable,
        }


def examine(home: Path, asked: Mapping[str, int]) -> Aftermath:
    """Compare a home with the jobs that were asked for: by id, the grey of the picture."""
    with closing(sqlite3.connect(home / "safelight.db")) as database:
        database.row_factory = sqlite3.Row
        jobs = {row["id"]: row for row in database.execute("SELECT * FROM jobs")}
        events: dict[str, list[sqlite3.Row]] = {job: [] for job in jobs}
        for row in database.execute("SELECT * FROM events ORDER BY job_id, sequence"):
            events[row["job_id"]].append(row)
    pictures = sorted((home / "output").glob("*.png"))
    unreadable = [path.name for path in pictures if not _shows(path, asked)]
    lost = sorted(set(asked) ^ set(jobs))
    twice = [job for job in jobs if _ends(events[job]) != 1]
    states = Counter(row["state"] for row in jobs.values())
    done = [job for job, row in jobs.items() if row["state"] == "done"]
    wrong = [
        *(f"{job} was asked for and is not there, or the other way round" for job in lost),
        *(f"{job} has {_ends(events[job])} ends" for job in twice),
        *(f"{name} is not the picture that its job draws" for name in unreadable),
        *(each for job, row in jobs.items() for each in _broken(home, row, events[job])),
    ]
    return Aftermath(
        jobs=len(asked),
        done=len(done),
        failed=states["failed"],
        attempts=sum(row["attempt"] for row in jobs.values()),
        pictures=len(pictures),
        spare_pictures=len(pictures) - len(done),
        lost=len(lost),
        ended_twice=len(twice),
        unreadable=len(unreadable),
        wrong=tuple(wrong),
    )


def _broken(home: Path, job: sqlite3.Row, events: list[sqlite3.Row]) -> Iterator[str]:
    """Yield what is wrong with one job."""
    name = job["id"]
    if [each["sequence"] for each in events] != list(range(1, len(events) + 1)):
        yield f"the events of {name} are not numbered without gaps"
    last = events[-1] if events else None
    if last is None or last["type"] not in _ENDS or last["attempt"] != job["attempt"]:
        yield f"the last event of {name} is not the end of its last attempt"
    elif job["state"] == "failed":
        reason = json.loads(last["data"])["exception_message"]
        if not reason.endswith(_TWO_DEATHS):
            yield f"{name} failed: {reason}"
    elif job["state"] != "done":
        yield f"{name} is {job['state']}"
    else:
        yield from _missing(home, name, [e for e in events if e["attempt"] == job["attempt"]])


def _missing(home: Path, name: str, events: list[sqlite3.Row]) -> Iterator[str]:
    shown = [json.loads(each["data"]) for each in events if each["type"] == "executed"]
    files = [image["filename"] for each in shown for image in _images(each)]
    if len(files) != 1:
        yield f"{name} tells of {len(files)} pictures"
    for file in files:
        if not (home / "output" / file).is_file():
            yield f"{name} tells of {file}, which is not there"


def _images(executed: Mapping[str, Any]) -> list[dict[str, str]]:
    return list((executed["output"] or {}).get("images", []))


def _ends(events: list[sqlite3.Row]) -> int:
    return sum(each["type"] in _ENDS for each in events)


def _shows(path: Path, asked: Mapping[str, int]) -> bool:
    """Whether a picture can be read and is the one that its job draws."""
    try:
        with Image.open(path) as picture:
            grey = picture.getpixel((0, 0))
    except (OSError, SyntaxError):
        return False
    return grey == asked.get(path.name.partition("_")[0])
