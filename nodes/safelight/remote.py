"""The commands that talk to a running server: submit, jobs, watch, workflows.

Exit codes are those of the other commands: 0 done, 1 the job failed or no server answers, 2 the
command or the workflow is wrong.  Results go to standard output, everything else to standard
error.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safelight.client import Client
from safelight.client_values import Event, Outcome, Refusal, Unreachable
from safelight.commands import DONE, FAILED, WRONG, DocumentError, read_document

_TRUTH = {"true": True, "false": False}


def main(options: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""
    command = {"submit": _submit, "jobs": _jobs, "watch": _watch, "workflows": _workflows}
    try:
        return asyncio.run(_connected(command[options.command], options))
    except Unreachable as error:
        _complain(f"{error}\nIs Safelight running? `safelight serve` starts it.")
        return FAILED
    except Refusal as refusal:
        _complain(str(refusal))
        return WRONG
    except DocumentError as error:
        _complain(str(error))
        return WRONG
    except KeyboardInterrupt:
        _complain("Stopped looking; what was submitted goes on.")
        return FAILED


def with_settings(document: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """Return a workflow with some inputs set, by name of parameter or as NODE.INPUT.

    A value is read as what stood there; where it is none of those, it stays text, which the
    server reads as the input's type or refuses in words.

    Raises:
        DocumentError: when the workflow has no such parameter or node.
    """
    own = "safelight" in document
    if isinstance(document.get("nodes"), list) and settings:
        message = "--set needs another format than ComfyUI's canvas saves: `safelight convert`"
        raise DocumentError(message)
    nodes = dict(document["nodes"] if own else document)
    parameters = document.get("parameters", {}) if own else {}
    for name, text in settings.items():
        place = parameters.get(name) or dict(zip(("node", "input"), _split(name), strict=True))
        node, entry = place["node"], place["input"]
        if node not in nodes:
            known = ", ".join(parameters) or "none"
            raise DocumentError(f"there is no parameter or node {name!r}; parameters: {known}")
        inputs = nodes[node].get("inputs", {})
        value = _typed(text, inputs.get(entry))
        nodes[node] = {**nodes[node], "inputs": {**inputs, entry: value}}
    return {**document, "nodes": nodes} if own else nodes


async def _connected(command: Any, options: argparse.Namespace) -> int:
    token = os.environ.get("SAFELIGHT_TOKEN")
    async with Client(options.server, token=token) as client:
        code: int = await command(client, options)
        return code


async def _submit(client: Client, options: argparse.Namespace) -> int:
    """Queue a workflow; with --wait or --output, also see it through."""
    document = await _document(client, options.workflow)
    filled = with_settings(document, dict(options.settings))
    job = await client.submit(filled, front=options.front)
    if not options.wait and options.output is None:
        print(json.dumps({"job": job}) if options.json else job)
        return DONE
    _complain(f"job {job}")
    outcome = await client.wait(job)
    return await _ended(client, outcome, options)


async def _document(client: Client, wanted: str) -> Mapping[str, Any]:
    """Return the workflow of a file, or of the library by its id or name."""
    if Path(wanted).exists() or wanted.endswith((".json", ".png")):
        found = read_document(Path(wanted))
        if not isinstance(found, dict):
            raise DocumentError(f"{wanted} holds no workflow")
        return found
    entries = await client.workflows()
    ids = [each.id for each in entries if wanted in (each.id, each.name)]
    if len(ids) != 1:
        many = "several workflows are" if ids else "no file and no workflow of the server is"
        raise DocumentError(f"{many} called {wanted!r}; `safelight workflows` lists them")
    return await client.workflow(ids[0])


async def _jobs(client: Client, options: argparse.Namespace) -> int:
    """List jobs, or stop one."""
    if options.cancel is not None:
        await client.cancel(options.cancel)
        return DONE
    for job in await client.jobs(options.status, options.limit):
        if options.json:
            print(json.dumps(dataclasses.asdict(job)))
        else:
            print(f"{job.id}  {job.status:<11}  {job.workflow or ''}".rstrip())
    return DONE


async def _watch(client: Client, options: argparse.Namespace) -> int:
    """Tell what happens to a job, then what it made."""
    async for event in client.watch(options.job):
        if options.json:
            print(json.dumps({"type": event.type, "data": event.data}), flush=True)
        else:
            _complain(_told(event))
    return await _ended(client, await client.outcome(options.job), options)


async def _workflows(client: Client, options: argparse.Namespace) -> int:
    """List the workflows of the library, or tell what one takes."""
    if options.parameters is not None:
        print(json.dumps(await client.parameters(options.parameters), indent=2))
        return DONE
    for entry in await client.workflows(" ".join(options.words), options.tag):
        if options.json:
            print(json.dumps(dataclasses.asdict(entry)))
        else:
            tags = f"  [{', '.join(entry.tags)}]" if entry.tags else ""
            print(f"{entry.id}  {entry.name}{tags}")
    return DONE


async def _ended(client: Client, outcome: Outcome, options: argparse.Namespace) -> int:
    """Name the files of a job that is over, having fetched them if that is wished."""
    files = [f"{each.subfolder}/{each.filename}".lstrip("/") for each in outcome.files]
    if options.output is not None:
        files = [str(await client.save(each, options.output)) for each in outcome.files]
    if options.json:
        told = {"job": outcome.job, "status": outcome.status, "error": outcome.error}
        print(json.dumps({**told, "files": files}))
    elif files:
        print("\n".join(files))
    if outcome.completed:
        return DONE
    _complain(f"The job {outcome.status}: {outcome.error}" if outcome.error else outcome.status)
    return FAILED


def _told(event: Event) -> str:
    """Return an event in a line."""
    node = event.data.get("node")
    if event.type == "progress":
        return f"progress {event.data.get('value')}/{event.data.get('max')} at node {node}"
    return f"{event.type} {node}" if node else event.type


def _typed(text: str, now: object) -> object:
    """Return text as a value of the type of the one that it takes the place of, if it can be."""
    if isinstance(now, bool):
        return _TRUTH.get(text.lower(), text)
    for kind in (int, float):
        if isinstance(now, int | float):
            with contextlib.suppress(ValueError):
                return kind(text)
    return text


def _split(name: str) -> tuple[str, str]:
    node, _, entry = name.rpartition(".")
    return node, entry


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
