"""What a file draws around its nodes: groups, and notes as frames with a text."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from safelight.graph.ui.reading import UiNode, pair
from safelight.graph.ui.tracing import NOTES, Frame

_NOTE_SIZE = (240, 120)  # pixels, of a note whose size was not saved


def frames_of(frames: Iterable[Frame]) -> Iterator[dict[str, Any]]:
    """Yield the groups and notes of all boards, moved to where the boards are used."""
    for frame in frames:
        for group in frame.board.groups:
            found = _group(group, frame)
            if found is not None:
                yield found
        for node in frame.board.nodes.values():
            if node.type in NOTES:
                yield _note(node, frame)


def _group(group: Mapping[str, object], frame: Frame) -> dict[str, Any] | None:
    box = group.get("bounding")
    place, size = (pair(box[:2]), pair(box[2:])) if isinstance(box, list) else (None, None)
    if place is None or size is None:
        return None
    title, color = group.get("title"), group.get("color")
    found: dict[str, Any] = {
        "title": title if isinstance(title, str) else "",
        "position": _moved(place, frame),
        "size": list(size),
    }
    return {**found, "color": color} if isinstance(color, str) else found


def _note(node: UiNode, frame: Frame) -> dict[str, Any]:
    values = list(node.values.values() if isinstance(node.values, Mapping) else node.values)
    return {
        "title": node.title,
        "position": _moved(node.position or (0, 0), frame),
        "size": list(node.size or _NOTE_SIZE),
        "text": values[0] if values and isinstance(values[0], str) else "",
    }


def _moved(place: tuple[float, float], frame: Frame) -> list[float]:
    return [place[0] + frame.offset[0], place[1] + frame.offset[1]]
