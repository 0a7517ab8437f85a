"""What can be told of model files without loading them: names, sizes, metadata, pictures beside.

A safetensors file begins with the length of its header (little-endian, 8 bytes) and the header,
which is JSON.  Only that much of a file is ever read here.
"""

import struct
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from PIL import Image

from safelight.graph.folders import MODEL_KINDS, OLDER_NAMES, FolderError, Folders
from safelight_server.bodies import parse_json
from safelight_server.pictures import encoded, opened
from safelight_server.protocol import JsonObject, Refused

_LONGEST_HEADER = 2**20
_BESIDE = (".preview.png", ".preview.jpg", ".preview.webp", ".png", ".jpg", ".jpeg", ".webp")


def kind_of(name: str) -> str:
    """Return the folder that a client means, who may use one of its older names.

    Raises:
        Refused: 404 when there is no such folder.
    """
    older = {old: new for new, olds in OLDER_NAMES.items() for old in olds}
    kind = older.get(name, name)
    if kind not in MODEL_KINDS:
        raise Refused("not_found", f"There is no models folder {name[:80]!r}.", status=404)
    return kind


def metadata(folders: Folders, kind: str, name: str) -> JsonObject:
    """Return what the writer of a safetensors file noted in it.

    Raises:
        Refused: 404 when there is no such file, or it notes nothing.
    """
    try:
        path = folders.resolve(kind, name)
        header = _header(path) if path.suffix == ".safetensors" else {}
        noted = header.get("__metadata__")
    except (FolderError, OSError, Refused, struct.error) as error:
        raise _absent(name) from error
    if not isinstance(noted, dict):
        raise _absent(name)
    return noted


def described(folders: Folders, kind: str) -> Iterator[JsonObject]:
    """Yield the models of a folder with size (bytes) and times (seconds since 1970).

    Each carries the number of the directory in which it lies; one that comes with Safelight lies
    in none of them, and is given the first.
    """
    roots = folders.roots(kind)
    for name in folders.names(kind):
        path = folders.resolve(kind, name)
        found = path.stat()
        number = next((i for i, root in enumerate(roots) if path == root / name), 0)
        yield {
            "name": name,
            "pathIndex": number,
            "modified": found.st_mtime,
            "created": found.st_ctime,
            "size": found.st_size,
        }


def picture_beside(folders: Folders, kind: str, name: str) -> bytes:
    """Return the picture that lies beside a model under its name, as WEBP.

    Raises:
        Refused: 404 when there is none.
    """
    try:
        path = folders.resolve(kind, name)
    except FolderError as error:
        raise _absent(name) from error
    beside = (path.with_name(path.stem + suffix) for suffix in _BESIDE)
    picture = next((each for each in beside if each.is_file()), None)
    if picture is None:
        raise Refused("not_found", f"There is no picture beside {name[:200]!r}.", status=404)
    return opened(picture, _as_webp)


def without_suffixes(names: list[str]) -> list[str]:
    """Return names of files as they are written in prompts."""
    return [str(PurePosixPath(name).with_suffix("")) for name in names]


def directories(folders: Folders) -> dict[str, list[str]]:
    """Return where models of each kind are looked for."""
    return {kind: [str(root) for root in folders.roots(kind)] for kind in MODEL_KINDS}


def _header(path: Path) -> JsonObject:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _LONGEST_HEADER:
            return {}
        header = parse_json(file.read(length))
    return header if isinstance(header, dict) else {}


def _as_webp(picture: Image.Image) -> bytes:
    return encoded(picture.convert("RGB"), "WEBP", quality=90)


def _absent(name: str) -> Refused:
    return Refused("not_found", f"There are no notes in a file {name[:200]!r}.", status=404)
