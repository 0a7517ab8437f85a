"""What the wires of a run bring: the values of a node's inputs, as far as they are known.

Most nodes take one value for each input, and that path is kept short.  Where
lists are about, every input becomes a column of values; a node is called once
for each row, short columns repeating their last value.
"""

from collections.abc import Collection, Mapping
from typing import TypeAlias

from safelight.graph.kinds import Kind, Kinds
from safelight.graph.returns import SIGNALS, Blocked, values_at
from safelight.graph.values import Refused, coerced
from safelight.graph.wiring import Call, Held, Link

Inputs: TypeAlias = dict[str, object]


class Wires:
    """The calls of a run and the results known so far."""

    def __init__(self, calls: Mapping[str, Call], kinds: Kinds) -> None:
        self.known: dict[str, object] = {}
        self._calls = calls
        self._kinds = kinds

    def single(self, kind: Kind, call: Call) -> Inputs | None:
        """Return one value for each input, or None where there are lists or blocked wires.

        Raises:
            ValueError: When a plain value that came by wire does not fit its input.
        """
        inputs: Inputs = {}
        for name, value in call.inputs.items():
            if type(value) is Link:
                result = self.known[value.source]
                source = self._kinds[self._calls[value.source].node_class]
                if type(result) in SIGNALS or source.many[value.slot]:
                    return None
                brought = getattr(result, source.slots[value.slot]) if source.slots else result
                if type(brought) is Blocked:
                    return None
                inputs[name] = self._fitting(kind, name, brought)
            else:
                inputs[name] = value.value if type(value) is Held else value
        return inputs

    def rows(self, kind: Kind, call: Call, asked: Collection[str] = ()) -> list[Inputs]:
        """Return the inputs of each call of a node; a blocked one holds a `Blocked`.

        What lazy inputs bring is left out, but for those `asked` for: whether
        somebody else had it made must not matter.

        Raises:
            ValueError: When a plain value that came by wire does not fit its input.
        """
        fixed: Inputs = {}
        columns: dict[str, tuple[object, ...]] = {}
        for name, value in call.inputs.items():
            if name in kind.raw:
                fixed[name] = value
            elif name in kind.lazy and name not in asked and type(value) is Link:
                pass
            elif name in kind.whole:
                fixed[name] = self._whole(self.column(kind, name, value))
            else:
                columns[name] = self.column(kind, name, value)
        lengths = [len(column) for column in columns.values()]
        count = 0 if 0 in lengths else max(lengths, default=1)
        return [
            fixed | {name: column[min(row, len(column) - 1)] for name, column in columns.items()}
            for row in range(count)
        ]

    def column(self, kind: Kind, name: str, value: object) -> tuple[object, ...]:
        """Return all values of one input."""
        if not isinstance(value, Link):
            return (value.value if isinstance(value, Held) else value,)
        return tuple(self._fitting(kind, name, brought) for brought in self.values(value))

    def values(self, link: Link) -> tuple[object, ...]:
        """Return what one wire brings, as a list."""
        source = self._kinds[self._calls[link.source].node_class]
        result = self.known[link.source]
        return values_at(result, source.slots, link.slot, source.many[link.slot])

    def _whole(self, column: tuple[object, ...]) -> object:
        blocked = (value for value in column if isinstance(value, Blocked))
        return next(blocked, column)

    def _fitting(self, kind: Kind, name: str, value: object) -> object:
        """Return a value as its input wants it, where that is a plain one."""
        entry = kind.widgets.get(name)
        if entry is None or type(value) is Blocked:
            return value
        try:
            return coerced(entry, value)
        except Refused as refusal:
            raise ValueError(f"{name}: {refusal}") from None


def newly_needed(kind: Kind, call: Call, wires: Wires, asked: Collection[str]) -> set[str]:
    """Return the lazy inputs that a node needs besides those it has asked for.

    Raises:
        ValueError: When it asks for an input that has neither wire nor value.
    """
    rows = [row for row in wires.rows(kind, call, asked) if not _is_blocked(row)]
    names = {name for row in rows for name in kind.node_class.needs(row)}
    for name in sorted(names):
        if name not in call.inputs:
            raise ValueError(f"it needs {name}, which has neither wire nor value")
    return names.difference(asked)


def _is_blocked(row: Inputs) -> bool:
    return any(isinstance(value, Blocked) for value in row.values())
