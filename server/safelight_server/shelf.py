"""What the server knows of the nodes: the worker's schema, kept on disk between starts.

The server never loads a node.  At the very first start it waits for the worker to say what there
is; every later start has the answer at once, and the worker's word replaces it when it differs.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
from pathlib import Path
from typing import Any

from safelight.graph.schema import Schema
from safelight_server.protocol import Refused

PATIENCE_SECONDS = 20.0
_RETRY_SECONDS = 3
_log = logging.getLogger("safelight.server")


class SchemaShelf:
    """The newest schema, in memory and in `folder` as `schema-<digest>.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = asyncio.Event()
        self._schema: Schema | None = None

    @property
    def current(self) -> Schema | None:
        """The schema, or `None` before the first worker has spoken."""
        return self._schema

    def load(self) -> None:
        """Take the newest schema from the disk; one that cannot be read is passed over."""
        files = sorted(self._folder.glob("schema-*.json"), key=lambda path: path.stat().st_mtime)
        for path in reversed(files):
            try:
                self._take(Schema.from_json(json.loads(path.read_text(encoding="utf-8"))))
            except (OSError, ValueError) as error:
                _log.warning("%s is left aside: %s", path, error)
            else:
                return

    def learn(self, document: Any) -> bool:
        """Take a worker's schema, write it down, and return whether another was told before.

        Raises:
            ValueError: when it is damaged or of another format.
        """
        schema = Schema.from_json(document)
        changed = self._schema is not None and self._schema.digest != schema.digest
        self._take(schema)
        try:
            self._write(schema)
        except OSError as error:  # a full disk costs the next start its head start, nothing else
            _log.warning("The schema could not be kept in %s: %s", self._folder, error)
        return changed

    async def wait(self, seconds: float = PATIENCE_SECONDS) -> Schema:
        """Return the schema as soon as there is one.

        Raises:
            Refused: 503 when no worker has spoken in time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._known.wait()
        if self._schema is None:
            message = "The worker is still starting, so the nodes are not known yet. Try again."
            raise Refused("starting", message, status=503, retry_seconds=_RETRY_SECONDS)
        return self._schema

    def _take(self, schema: Schema) -> None:
        self._schema = schema
        self._known.set()

    def _write(self, schema: Schema) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"schema-{schema.digest}.json"
        if path.exists():
            os.utime(path)
        else:
            draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            draft.write_text(json.dumps(schema.to_json()), encoding="utf-8")
            draft.replace(path)
        for other in self._folder.glob("schema-*.json"):
            if other != path:
                other.unlink(missing_ok=True)
