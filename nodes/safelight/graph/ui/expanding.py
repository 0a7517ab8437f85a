"""Laying out every board of a file: the top one, and each subgraph where it is used."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from safelight.graph.problems import invalid
from safelight.graph.ui.group_nodes import group_board
from safelight.graph.ui.reading import Board, Sheet, UiNode, mapping, name_of
from safelight.graph.ui.tracing import Frame
from safelight.graph.values import shown

# Limits of what subgraphs may unfold to: a small file of subgraphs within subgraphs can ask for
# any number of nodes.
MOST_NODES = 100_000
MOST_TEXT = 64 * 2**20  # characters
DEEPEST = 50  # subgraphs, one within the other
SELF = "-1"  # what stands for the instance itself in a list of promoted widgets


def expand(sheet: Sheet, tell: Callable[[str, str], None]) -> list[Frame]:
    """Return the frames of a file, each after the one around it.

    Args:
        sheet: The file.
        tell: Is given the id of a node, and what had to be guessed of it.

    Raises:
        Invalid: When a subgraph contains itself, or there are too many nodes.
    """
    frames = [Frame(sheet.board)]
    count = size = 0
    for frame in frames:  # grows meanwhile
        count += len(frame.board.nodes)
        if frame.parent is not None:
            size += frame.board.size + len(frame.path) * len(frame.board.nodes)
        if count > MOST_NODES:
            raise invalid("invalid_prompt", f"the workflow has more than {MOST_NODES} nodes")
        if size > MOST_TEXT:
            raise invalid("invalid_prompt", "its subgraphs unfold to more than 64 MB")
        for node in frame.board.nodes.values():
            board = _board_of(node, sheet, frame.path, tell)
            if board is not None:
                _refuse_endless(frame, node, board)
                child = _child(frame, node, board, tell)
                frame.children[node.id] = child
                frames.append(child)
    return frames


def _board_of(
    node: UiNode, sheet: Sheet, path: str, tell: Callable[[str, str], None]
) -> Board | None:
    if node.type in sheet.subgraphs:
        return sheet.subgraphs[node.type]
    for mark in ("workflow>", "workflow/"):
        definition = sheet.group_nodes.get(node.type.removeprefix(mark))
        if node.type.startswith(mark) and definition is not None:
            return group_board(definition, node, lambda text: tell(path + node.id, text))
    return None


def _refuse_endless(frame: Frame, node: UiNode, board: Board) -> None:
    around: Frame | None = frame
    depth = 0
    while around is not None:
        depth += 1
        if depth > DEEPEST:
            raise invalid("invalid_prompt", f"its subgraphs lie more than {DEEPEST} deep")
        if around.instance is not None and around.instance.type == node.type:
            name = shown(board.name or node.type)
            raise invalid("invalid_prompt", f"the subgraph {name} contains itself")
        around = around.parent


@dataclass(slots=True)
class _Values:
    """What an instance holds for its own inputs and for widgets inside."""

    promoted: dict[str, object] = field(default_factory=dict)
    overrides: dict[str, dict[str, object]] = field(default_factory=dict)

    def put(self, inner: str, widget: str, value: object) -> None:
        if widget.startswith("$$") or value is None:  # a preview, or nothing saved
            return
        if inner == SELF:
            self.promoted[widget] = value
        else:
            self.overrides.setdefault(inner, {})[widget] = value


def _child(frame: Frame, node: UiNode, board: Board, tell: Callable[[str, str], None]) -> Frame:
    path = f"{frame.path}{node.id}:"
    held = _Values()
    proxies = list(_proxies(node))
    grouped = board.name == node.type  # the values of a group node went to its parts
    values = [] if grouped or isinstance(node.values, Mapping) else list(node.values)
    widgets = proxies or [(SELF, name) for name in board.promoted]
    if values and len(values) != len(widgets):
        tell(path[:-1], f"it holds {len(values)} values for {len(widgets)} widgets of its subgraph")
    for (inner, widget), value in zip(widgets, values, strict=False):
        held.put(inner, widget, value)
    by_name = node.named or mapping(node.values)
    for name, value in by_name.items():
        held.put(SELF, name, value)
    _take_outer(frame.overrides.get(node.id, {}), board, proxies, held)
    return Frame(
        board=board,
        path=path,
        mode=frame.mode_of(node),
        parent=frame,
        instance=node,
        promoted=held.promoted,
        overrides=held.overrides,
        offset=_offset(frame, node, board),
    )


def _take_outer(
    outer: Mapping[str, object], board: Board, proxies: list[tuple[str, str]], held: _Values
) -> None:
    """Take the values that the board around holds for widgets of this instance."""
    inputs = {socket.name for socket in board.inputs}
    for name, value in outer.items():
        inner = next((node for node, widget in proxies if widget == name), SELF)
        held.put(SELF if name in inputs else inner, name, value)


def _proxies(node: UiNode) -> Iterator[tuple[str, str]]:
    """Yield (node inside, its widget) for each widget shown without a wire."""
    found = node.properties.get("proxyWidgets")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            found = None
    for entry in found if isinstance(found, list) else ():
        match entry:
            case [inner, str(widget), *_] if (key := name_of(inner)) is not None:
                yield key, widget
            case _:
                yield "", "$$"


def _offset(frame: Frame, node: UiNode, board: Board) -> tuple[float, float]:
    """Return by how much to move a board so that it starts where its instance stands."""
    corners = [inner.position for inner in board.nodes.values() if inner.position is not None]
    x, y = node.position or (0.0, 0.0)
    left = min((corner[0] for corner in corners), default=0.0)
    top = min((corner[1] for corner in corners), default=0.0)
    return frame.offset[0] + x - left, frame.offset[1] + y - top
