"""The files that clients keep on the server: workflows, blueprints, settings, a style sheet.

They lie under one folder per user, of which there is one here.  A name leads nowhere else, links
included; a file is written whole or not at all.
"""

import contextlib
import os
import secrets
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from safelight_server import files
from safelight_server.protocol import JsonObject, Refused


@dataclass(frozen=True, slots=True)
class UserFiles:
    """The files under `root`, by paths with slashes.

    Whatever names a file raises `Refused`: 400 for what cannot be a name, 403 for a way out of
    the folder, 404 when nothing is there.
    """

    root: Path

    def find(self, name: str) -> Path:
        """Return the path of a file that is there."""
        path = self._place(name)
        if not os.path.isfile(path):
            raise Refused("not_found", f"There is no file {name[:200]!r}.", status=404)
        return path

    def put(self, name: str, content: IO[bytes], *, overwrite: bool) -> Path:
        """Write a file, making the folders in which it lies.

        Raises:
            Refused: 409 when it is there already and may not be overwritten.
        """
        path = self._place(name)
        with _explained(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.parent / f"{files.DRAFT}{secrets.token_hex(8)}"
            try:
                files.write_whole(content, draft)
                _settle(draft, path, overwrite)
            finally:
                draft.unlink(missing_ok=True)
        return path

    def remove(self, name: str) -> None:
        """Delete a file."""
        self.find(name).unlink(missing_ok=True)

    def move(self, name: str, to: str, *, overwrite: bool) -> Path:
        """Give a file another name.

        Raises:
            Refused: 409 when the other name is taken and may not be overwritten.
        """
        source, path = self.find(name), self._place(to)
        with _explained(to):
            path.parent.mkdir(parents=True, exist_ok=True)
            _settle(source, path, overwrite)
            if source != path:
                source.unlink(missing_ok=True)
        return path

    def below(self, folder: str, *, recurse: bool) -> tuple[Path, list[Path]]:
        """Return a folder's path and the files in it, in order; drafts are left out."""
        top = self._folder(folder)
        walk = top.rglob("*") if recurse else top.iterdir()
        found = (path for path in walk if not path.name.startswith(files.DRAFT))
        return top, sorted(path for path in found if path.is_file())

    def tree(self, folder: str) -> list[JsonObject]:
        """Return all folders and files below a folder: folders first, then by name."""
        if not folder and not self.root.exists():
            return []
        entries = [self._entry(path) for path in self._folder(folder).rglob("*")]
        kept = [each for each in entries if not str(each["name"]).startswith(files.DRAFT)]
        return sorted(kept, key=lambda each: (each["type"] != "directory", str(each["name"])))

    def name(self, path: Path) -> str:
        """Return what clients call a file: its path below the root."""
        return path.relative_to(self.root.resolve()).as_posix()

    def _entry(self, path: Path) -> JsonObject:
        named = {"name": path.name, "path": path.relative_to(self.root.resolve()).as_posix()}
        if path.is_dir():
            return {**named, "type": "directory"}
        found = path.lstat()
        return {**named, "type": "file", "size": found.st_size, "modified": found.st_mtime}

    def _folder(self, name: str) -> Path:
        path = files.contained(self.root / name, self.root)
        if not os.path.exists(path):
            raise Refused("not_found", f"There is no folder {name[:200]!r}.", status=404)
        if not os.path.isdir(path):
            raise Refused("not_a_folder", f"{name[:200]!r} is a file.")
        return path

    def _place(self, name: str) -> Path:
        path = files.contained(self.root / name, self.root)
        if path == self.root.resolve():
            raise Refused("invalid_filename", f"{name[:80]!r} cannot be the name of a file.")
        return path


def info(path: Path, called: str) -> JsonObject:
    """Return what clients learn of a file: times in seconds since 1970, size in bytes."""
    found = path.stat()
    return {
        "path": called,
        "size": found.st_size,
        "modified": found.st_mtime,
        "created": found.st_ctime,
    }


def _settle(source: Path, path: Path, overwrite: bool) -> None:
    """Give `source` the name `path`, or refuse when that is taken and stays so."""
    if overwrite:
        source.replace(path)
    elif not files.linked(source, path):
        message = f"There is a file {path.name!r} already; say overwrite=true to replace it."
        raise Refused("exists", message, status=409)


@contextlib.contextmanager
def _explained(name: str) -> Generator[None, None, None]:
    """Refuse in words what the file system refuses."""
    try:
        yield
    except OSError as error:
        message = f"{name[:80]!r} cannot be written."
        raise Refused("invalid_filename", message, details=error.strerror or "") from error
