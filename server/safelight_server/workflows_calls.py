"""Calling workflows: values go in, a job comes out, and whoever likes waits for its results."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from safelight.graph.folders import Folders
from safelight_server.bodies import Submission
from safelight_server.jobs import Jobs, unknown_job
from safelight_server.listing import NAMES, Listing
from safelight_server.protocol import JsonObject
from safelight_server.shelf import SchemaShelf
from safelight_server.store import Store
from safelight_server.tables import FINAL
from safelight_server.workflows import Library
from safelight_server.workflows_functions import given, json_schema, results_of

LONGEST_WAIT = 600  # seconds


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A call of a workflow: the job that it is, and what has come of it so far."""

    job: str
    status: str
    over: bool
    results: JsonObject = field(default_factory=dict)
    error: JsonObject | None = None

    def body(self) -> dict[str, object]:
        """Return the JSON answer."""
        told: dict[str, object] = {"job": self.job, "status": self.status, "over": self.over}
        told |= {"results": self.results} if self.over else {}
        return told if self.error is None else {**told, "error": self.error}


@dataclass(frozen=True, slots=True)
class Calling:
    """Who calls, and how: what `Submission` says besides the workflow."""

    client_id: str | None = None
    job: str | None = None
    front: bool = False
    extra: JsonObject = field(default_factory=dict)


class Calls:
    """The workflows of the library as functions."""

    def __init__(
        self,
        library: Library,
        shelf: SchemaShelf,
        folders: Folders,
        jobs: Jobs,
        listing: Listing,
        store: Store,
    ) -> None:
        self._library = library
        self._shelf = shelf
        self._folders = folders
        self._jobs = jobs
        self._listing = listing
        self._store = store

    async def schema(self, workflow_id: str, version: int | None = None) -> JsonObject:
        """Return what a workflow can be given, as a JSON schema.

        Raises:
            Refused: 404 when there is no such workflow, 409 when its parameters set nothing.
        """
        _, document = await self._library.document(workflow_id, version)
        known = await self._shelf.wait()
        return await asyncio.to_thread(json_schema, document, known, self._folders)

    async def begin(
        self, workflow_id: str, values: JsonObject, calling: Calling, version: int | None = None
    ) -> tuple[str, Mapping[str, Any]]:
        """Queue a workflow with these values; return the job's id, and what will run.

        Raises:
            Refused: As `schema`, and 400 with every parameter or node that is wrong.
        """
        _, document = await self._library.document(workflow_id, version)
        return await self.submit(document, values, calling)

    async def submit(
        self, document: Mapping[str, Any], values: JsonObject, calling: Calling
    ) -> tuple[str, Mapping[str, Any]]:
        """Queue a Safelight document as `begin` does one of the library.

        Raises:
            Refused: As `begin`.
        """
        known = await self._shelf.wait()
        filled = await asyncio.to_thread(given, document, values, known, self._folders)
        submission = Submission(
            prompt=filled,
            client_id=calling.client_id,
            prompt_id=calling.job,
            front=calling.front,
            extra_data=calling.extra,
        )
        accepted = await self._jobs.submit(submission)
        return accepted.prompt_id, filled

    async def outcome(
        self, job_id: str, document: Mapping[str, Any], seconds: float
    ) -> WorkflowRun:
        """Wait until a job is over, but no longer than that; return how it stands.

        Raises:
            Refused: 404 when the job has been deleted meanwhile.
        """
        await self._wait(job_id, seconds)
        entry = await self._listing.one(job_id)
        if entry is None:
            raise unknown_job(job_id)
        errors = (each.data for each in entry.events if each.type == "execution_error")
        results = results_of(document, entry.outputs)
        error = next(map(_briefly, errors), None)
        state = entry.job.state
        return WorkflowRun(job_id, NAMES[state], state in FINAL, results, error)

    async def _wait(self, job_id: str, seconds: float) -> None:
        """Wait until a job is over, the time is up, or the server stops."""
        until = asyncio.get_running_loop().time() + seconds
        with self._store.news.about(job_id) as bell, contextlib.suppress(TimeoutError):
            while seconds and not self._store.news.closed:
                bell.clear()
                job = await self._store.find(job_id)
                if job is None or job.state in FINAL:
                    return
                async with asyncio.timeout_at(until):  # never around the database
                    await bell.wait()


def _briefly(error: JsonObject) -> JsonObject:
    """Return what went wrong, and where, without the traceback."""
    return {
        "type": error.get("exception_type"),
        "message": error.get("exception_message"),
        "node": error.get("node_id"),
        "node_type": error.get("node_type"),
    }
