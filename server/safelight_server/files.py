"""Files in and out: names that stay inside their folder, uploads whole or not at all.

A name from outside is checked as text first, then the path it leads to is resolved, links
included, and must still lie inside its folder.  An upload is written under a hidden name, synced
and then given its own; a kill at any moment leaves either the whole file or a hidden draft, which
the next start sweeps away.
"""

import contextlib
import hashlib
import mimetypes
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO

from safelight.graph.folders import PICTURE_PLACES, Folders
from safelight_server.protocol import Refused
from safelight_server.retention import TEMP_DAYS

_SUFFIX = re.compile(r" \[(input|output|temp)\]$")
DRAFT = ".upload-"
_DRAFT_SECONDS = 10  # after so long without a change, whoever wrote a draft is dead
_WINDOWS_NAMES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
# Types that a browser would run or apply as the server's own: they are sent as plain bytes.
_ACTIVE = ("html", "javascript", "css", "svg", "xml")


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture's place as clients name it."""

    name: str
    subfolder: str
    type: str


def locate(folders: Folders, filename: str, place: str, subfolder: str) -> Path:
    """Return the path of the file that a client names.

    A filename may end with " [input]", " [output]" or " [temp]", which overrides `place`; of what
    is left only the last part counts, directories belong into `subfolder`.

    Raises:
        Refused: 400 for a bad name or place, 403 for a way out of the folder, 404 when no file is
            there.
    """
    if (found := _SUFFIX.search(filename)) is not None:
        filename, place = filename[: found.start()], found[1]
    parts = re.split(r"[/\\]", filename)
    if not filename or filename.startswith("/") or ".." in parts or "\0" in filename:
        raise Refused("invalid_filename", f"{filename!r} is not a name of a file here.")
    folder = _folder(folders, place, subfolder)
    builtin = folders.builtin.get(place, {})
    if not subfolder and filename in builtin:
        return builtin[filename]
    path = contained(folder / PurePosixPath(filename).name, folders.directory(place))
    if not os.path.isfile(path):  # unlike Path.is_file, it takes a name of any length
        raise Refused("not_found", f"There is no file {filename!r} in {place}.", status=404)
    return path


def content_type(path: Path) -> str:
    """Return the type to send a file as; what a browser might run is only bytes."""
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    active = any(word in guessed for word in _ACTIVE)
    return "application/octet-stream" if active else guessed


def disposition(name: str) -> str:
    """Return the Content-Disposition that tells a file's name, in any script."""
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", name)
    if plain == name:
        return f'filename="{name}"'
    quoted = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}"
        for byte in name.encode(errors="replace")
    )
    return f"filename=\"{plain}\"; filename*=UTF-8''{quoted}"


def shown_or_attached(path: Path) -> dict[str, str]:
    """Return the headers of a file as it is: media are shown, anything else is saved to disk."""
    kind, named = content_type(path), disposition(path.name)
    media = kind.startswith(("image/", "audio/", "video/"))
    told = named if media else f"attachment; {named}"
    return {"Content-Type": kind, "Content-Disposition": told, "Cache-Control": "no-cache"}


def keep_upload(folders: Folders, content: IO[bytes], wanted: Stored, *, overwrite: bool) -> Stored:
    """Store an uploaded file and return the name that it got.

    Without `overwrite`, a file of the same name and content is used as it is, and one of other
    content keeps its name: the new one becomes "name (1).png", "name (2).png" ...

    Raises:
        Refused: 400 when the name, the place or the subfolder cannot be used.
    """
    _check_new_name(wanted.name)
    try:
        folder = _folder(folders, wanted.type, wanted.subfolder)
        folder.mkdir(parents=True, exist_ok=True)
    except Refused as error:
        raise Refused(error.kind, error.message) from error
    except OSError as error:
        message = f"The subfolder {wanted.subfolder[:80]!r} cannot be made."
        raise Refused("invalid_filename", message, details=error.strerror or "") from error
    draft = folder / f"{DRAFT}{secrets.token_hex(8)}"
    try:
        digest = write_whole(content, draft)
        builtin = {} if wanted.subfolder else folders.builtin.get(wanted.type, {})
        path = _named(draft, folder / wanted.name, digest, overwrite, builtin)
    finally:
        draft.unlink(missing_ok=True)
    return Stored(path.name, wanted.subfolder, wanted.type)


def recent(folders: Folders, place: str) -> list[str]:
    """Return the files of a place, newest first; hidden ones and subfolders are left out.

    Raises:
        Refused: 400 when there is no such place.
    """
    found = (path for path in _folder(folders, place, "").iterdir() if path.is_file())
    shown = [path for path in found if not path.name.startswith(".")]
    return [path.name for path in sorted(shown, key=_changed, reverse=True)]


def sweep(folders: Folders, temp_days: float = TEMP_DAYS) -> None:
    """Remove drafts that nobody writes any more, and temporary pictures of days ago."""
    for root in (*map(folders.directory, PICTURE_PLACES), folders.home / "user"):
        for pattern in (f"{DRAFT}*", ".*.part"):
            for draft in root.rglob(pattern):
                _remove_older(draft, _DRAFT_SECONDS)
    for path in folders.directory("temp").rglob("*"):
        if path.is_file():
            _remove_older(path, temp_days * 24 * 3600)


def _changed(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _remove_older(path: Path, seconds: float) -> None:
    with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
        if path.stat().st_mtime < time.time() - seconds:
            path.unlink()


def _folder(folders: Folders, place: str, subfolder: str) -> Path:
    if place not in PICTURE_PLACES:
        known = ", ".join(PICTURE_PLACES)
        raise Refused("invalid_type", f'"type" must be one of {known}, not {place!r}.')
    if "\0" in subfolder:
        raise Refused("invalid_filename", "A subfolder cannot hold a null character.")
    root = folders.directory(place)
    return contained(root / subfolder, root)


def contained(path: Path, root: Path) -> Path:
    """Return where `path` really leads, if that is inside `root`.

    Raises:
        Refused: 403 for a way out, 400 for what cannot be a path.
    """
    try:
        real, inside = path.resolve(), root.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a null character
        raise Refused("invalid_filename", "That cannot be the path of a file.") from error
    if real != inside and not real.is_relative_to(inside):
        raise Refused("forbidden_path", "The path leads out of its folder.", status=403)
    return real


def _check_new_name(name: str) -> None:
    bad = (
        not name
        or not name.isprintable()
        or any(character in name for character in '/\\:*?"<>|')
        or name.startswith(".")
        or name.endswith((".", " "))
        or len(name.encode(errors="replace")) > 200
        or _WINDOWS_NAMES.match(name) is not None
    )
    if bad:
        raise Refused("invalid_filename", f"{name[:80]!r} cannot be the name of a file.")


def write_whole(content: IO[bytes], draft: Path) -> str:
    """Write a new file down to the disk and return the digest of what it holds."""
    content.seek(0)
    with draft.open("xb") as file:
        shutil.copyfileobj(content, file, 2**20)
        file.flush()
        os.fsync(file.fileno())
    return _digest(draft)


def _named(
    draft: Path, path: Path, digest: str, overwrite: bool, builtin: Mapping[str, Path]
) -> Path:
    """Give the draft its name, or the next free one; the same content is not kept twice."""
    if overwrite and path.name not in builtin:
        draft.replace(path)
        return path
    for candidate in chain([path], (_numbered(path, each) for each in range(1, 10_000))):
        if candidate.name in builtin:  # such a file is found before any other of that name
            if _digest(builtin[candidate.name]) == digest:
                return candidate
            continue
        if linked(draft, candidate):
            return candidate
        if candidate.is_file() and _digest(candidate) == digest:
            return candidate
    raise Refused("invalid_filename", f"Too many files are called {path.name!r}.")


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem} ({number}){path.suffix}")


def linked(draft: Path, path: Path) -> bool:
    """Give the draft the name `path` too, unless that is taken: a rename would replace it."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if path.exists():
            return False
        draft.rename(path)
    return True


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
