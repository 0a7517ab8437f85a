"""The options of the commands that talk to a running server; reading them loads nothing else."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safelight.client_values import USUAL_ADDRESS

STATUSES = ("pending", "in_progress", "completed", "failed", "cancelled")
NAMES = ("submit", "jobs", "watch", "workflows")


def add_commands(commands: Any, setting: Callable[[str], tuple[str, str]]) -> None:
    """Add them to those of `safelight`; `setting` reads NAME=VALUE."""
    submit = commands.add_parser("submit", help="queue a workflow on a running server")
    submit.add_argument(
        "workflow",
        metavar="WORKFLOW",
        help="a JSON file, a PNG made by one, or the name or id of one that the server keeps",
    )
    submit.add_argument(
        "--set",
        dest="settings",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter (prompt=…) or an input (NODE.INPUT=…); may be repeated",
    )
    submit.add_argument("--front", action="store_true", help="run it before all that waits")
    submit.add_argument("--wait", action="store_true", help="wait for it and name its files")
    _add_output(submit)
    _add_server(submit)

    jobs = commands.add_parser("jobs", help="list the jobs of a running server, newest first")
    jobs.add_argument("--status", choices=STATUSES, action="append", default=[], help="only such")
    jobs.add_argument("--limit", type=_count, default=20, metavar="N", help="%(default)s")
    jobs.add_argument("--cancel", metavar="JOB", help="stop a job instead, waiting or running")
    _add_server(jobs)

    watch = commands.add_parser("watch", help="tell what happens to a job until it is over")
    watch.add_argument("job", metavar="JOB", help="its id, as `submit` and `jobs` print it")
    _add_output(watch)
    _add_server(watch)

    workflows = commands.add_parser("workflows", help="list the workflows that a server keeps")
    workflows.add_argument("words", nargs="*", metavar="WORD", help="words that occur in them")
    workflows.add_argument("--tag", action="append", default=[], help="only with this tag")
    workflows.add_argument("--parameters", metavar="ID", help="tell what one takes, instead")
    _add_server(workflows)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        default=os.environ.get("SAFELIGHT_SERVER", USUAL_ADDRESS),
        metavar="URL",
        help="%(default)s; the variable SAFELIGHT_TOKEN holds its token, if it asks for one",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one value a line")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="fetch the files that it made into a folder"
    )


def _count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"want a number from 1 to 10000, got {text!r}")
    return int(text)
