"""Nodes that a user switched off: muted ones and bypassed ones.

A muted node does not run, and what it would have fed stays unconnected.  A
bypassed node hands on, for each output, what feeds one of its own inputs: the
one at the same place if it fits, so that two wires of one kind do not change
places, or else the first that fits.
"""

from collections.abc import Callable, Mapping, Sequence

from safelight.graph.comfy import NodeText
from safelight.graph.records import ANYTHING
from safelight.graph.schema import Schema

MUTED = frozenset({"mute", "never"})
BYPASSED = "bypass"
OFF = MUTED | {BYPASSED}


def handed_on(
    wanted: str,
    slot: int,
    given: str,
    inputs: Sequence[str],
    fits: Callable[[str, str], bool],
) -> int | None:
    """Return which of its inputs a bypassed node gives in place of an output.

    Args:
        wanted: The type of the input that reads the output.
        slot: The output, counted from 0.
        given: Its type.
        inputs: The types of the node's inputs.
        fits: Whether an input of the first type takes a wire of the second.
    """
    if wanted == ANYTHING:
        return slot if slot < len(inputs) else (0 if inputs else None)
    if slot < len(inputs) and fits(given, inputs[slot]) and fits(wanted, inputs[slot]):
        return slot
    exact = (index for index, kind in enumerate(inputs) if kind == wanted)
    fitting = (index for index, kind in enumerate(inputs) if fits(wanted, kind))
    return next(exact, next(fitting, None))


class Bypass:
    """Finds the node that really feeds an input, past those switched off."""

    def __init__(self, nodes: Mapping[str, NodeText], schema: Schema) -> None:
        self._nodes = nodes
        self._schema = schema
        self._known: dict[tuple[str, object, str], list[object] | None] = {}

    def origin(self, link: list[object], wanted: str) -> list[object] | None:
        """Return the link that stands for `link` into an input of type `wanted`.

        None when it ends at a muted node, or at a bypassed one without a
        fitting wire.
        """
        passed: set[tuple[str, object, str]] = set()
        current: list[object] | None = link
        while current is not None:
            source = current[0] if len(current) == 2 else None
            node = self._nodes.get(source) if isinstance(source, str) else None
            if node is None or node.mode not in OFF:
                break
            key = (str(source), str(current[1]), wanted)
            if key in self._known:
                current = self._known[key]
                break
            if key in passed:  # bypassed nodes in a circle
                current = None
                break
            passed.add(key)
            current = None if node.mode in MUTED else self._through(node, current[1], wanted)
        self._known.update(dict.fromkeys(passed, current))
        return current

    def _through(self, node: NodeText, slot: object, wanted: str) -> list[object] | None:
        spec = self._schema.nodes.get(node.class_type)
        if spec is None or type(slot) is not int or not 0 <= slot < len(spec.outputs):
            return None
        kinds = [entry.type for entry in spec.inputs]
        given = spec.outputs[slot].type
        chosen = handed_on(wanted, slot, given, kinds, self._schema.accepts)
        link = None if chosen is None else node.inputs.get(spec.inputs[chosen].name)
        return link if isinstance(link, list) else None
