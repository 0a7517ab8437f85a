"""What node packs bring besides nodes: translations, example workflows, blueprints.

It is data: read from the packs' folders whenever it is asked for, without running anything of
theirs.  What cannot be read is passed over, so that one pack cannot hide the others'.
"""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

from safelight_server.bodies import parse_json
from safelight_server.files import contained
from safelight_server.protocol import JsonObject, Refused

_EXAMPLES = ("example_workflows", "example", "examples", "workflow", "workflows")
_PARTS = ("nodeDefs", "commands", "settings")  # of a translation, besides main.json
_LONGEST = 8 * 2**20
_log = logging.getLogger("safelight.server")


def translations(packs: Path) -> JsonObject:
    """Return the texts of all packs by language, as front ends merge them."""
    merged: dict[str, dict[str, object]] = {}
    for pack in _folders(packs):
        for folder in _folders(pack / "locales"):
            texts = merged.setdefault(folder.name, {})
            _merge(texts, _object(folder / "main.json"))
            for part in _PARTS:
                if (found := _object(folder / f"{part}.json")) is not None:
                    _merge(texts, {part: found})
    return merged


def examples(packs: Path) -> dict[str, list[str]]:
    """Return the names of the example workflows of each pack that has any."""
    found = {pack.name: sorted(path.stem for path in _examples(pack)) for pack in _folders(packs)}
    return {name: names for name, names in found.items() if names}


def example(packs: Path, pack: str, name: str) -> Path:
    """Return the file of an example workflow.

    Raises:
        Refused: 404 when there is none, 403 for a way out of the folder.
    """
    for path in _examples(contained(packs / pack, packs)):
        if path.name == name:
            return path
    raise Refused("not_found", f"{pack[:80]!r} has no example {name[:80]!r}.", status=404)


def blueprints(packs: Path) -> dict[str, Path]:
    """Return the files of the subgraphs that packs offer, each under an id of its own."""
    paths = (path for pack in _folders(packs) for path in sorted(pack.glob("subgraphs/*.json")))
    return {hashlib.sha256(str(path).encode()).hexdigest(): path for path in paths}


def blueprint(path: Path) -> JsonObject:
    """Return what is told of a subgraph in a listing."""
    pack = path.parent.parent.name
    return {"source": "custom_node", "name": path.stem, "info": {"node_pack": pack}}


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from sorted(
            path
            for path in parent.iterdir()
            if path.is_dir()
            and not path.name.startswith((".", "__"))
            and not path.name.endswith(".disabled")
        )


def _examples(pack: Path) -> Iterator[Path]:
    for name in _EXAMPLES:
        yield from sorted(path for path in (pack / name).glob("*.json") if path.is_file())


def _object(path: Path) -> JsonObject | None:
    """Return the object in a JSON file, or `None` when there is none that can be read."""
    try:
        if path.stat().st_size > _LONGEST:
            raise Refused("too_large", "it is too large")
        value = parse_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, Refused) as error:
        _log.warning("%s is passed over: %s", path, error)
        return None
    return value if isinstance(value, dict) else None


def _merge(into: dict[str, object], more: JsonObject | None) -> None:
    """Add texts to those of other packs, level by level."""
    for key, value in (more or {}).items():
        there = into.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            _merge(there, value)
        else:
            into[key] = value
