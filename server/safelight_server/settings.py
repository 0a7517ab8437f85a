"""What the user has set: one JSON object in one file, which clients read and merge into."""

import asyncio
import io
import json
import logging
from pathlib import Path

from safelight_server.bodies import parse_json
from safelight_server.protocol import JsonObject, Refused
from safelight_server.userdata import UserFiles

NAME = "comfy.settings.json"
_log = logging.getLogger("safelight.server")


class Settings:
    """The settings of a user, in the file that clients of ComfyUI know."""

    def __init__(self, kept: UserFiles) -> None:
        self._files = kept
        self._turn = asyncio.Lock()

    async def all(self) -> JsonObject:
        """Return every setting that was ever made."""
        return await asyncio.to_thread(self._read)

    async def merge(self, changed: JsonObject) -> None:
        """Set some and leave the others as they are."""
        async with self._turn:
            await asyncio.to_thread(self._merge, changed)

    def _merge(self, changed: JsonObject) -> None:
        text = json.dumps({**self._read(), **changed}, indent=4, allow_nan=False)
        self._files.put(NAME, io.BytesIO(text.encode()), overwrite=True)

    def _read(self) -> JsonObject:
        try:
            path = self._files.find(NAME)
        except Refused:
            return {}
        try:
            value = parse_json(path.read_bytes())
        except Refused as refused:
            return self._set_aside(path, refused.message)
        return value if isinstance(value, dict) else self._set_aside(path, "It is no object.")

    def _set_aside(self, path: Path, reason: str) -> JsonObject:
        """Keep a damaged file under another name, so that a new one can begin."""
        path.replace(path.with_suffix(".damaged"))
        _log.warning("%s was set aside as .damaged: %s", path, reason)
        return {}
