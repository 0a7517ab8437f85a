"""A checked workflow: calls of node classes, wired to each other, in an order that runs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from safelight.graph.problems import Problem
from safelight.graph.records import Value


@dataclass(frozen=True, slots=True)
class Link:
    """The output at `slot` (from 0) of the node `source`."""

    source: str
    slot: int


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A value that no JSON can hold, which an expansion gave; `name` says what it is."""

    value: object
    name: str


Input: TypeAlias = Value | Link | Held


@dataclass(frozen=True, slots=True)
class Call:
    """One node to run: its class, and a value or link for each input given."""

    node_class: str
    version: int
    inputs: Mapping[str, Input]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """What is to run.

    Attributes:
        calls: By node id; every source stands before its users.
        wanted: The effect nodes, in the order of the document.
        problems: What was dropped, where that was allowed.
    """

    calls: Mapping[str, Call]
    wanted: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def prompt(self) -> dict[str, Any]:
        """Return the graph as an API prompt, with the values that will be used."""
        return {key: _entry(call) for key, call in self.calls.items()}


def sources(call: Call, besides: Collection[str] = ()) -> list[str]:
    """Return the node ids that a call takes wires from, one for each wire.

    Wires into the inputs `besides` are left out.
    """
    if besides:
        wires = call.inputs.items()
        return [v.source for name, v in wires if type(v) is Link and name not in besides]
    return [value.source for value in call.inputs.values() if type(value) is Link]


def _entry(call: Call) -> dict[str, Any]:
    inputs = {
        name: [value.source, value.slot] if isinstance(value, Link) else value
        for name, value in call.inputs.items()
        if not isinstance(value, Held)
    }
    entry: dict[str, Any] = {"class_type": call.node_class, "inputs": inputs}
    return {**entry, "_meta": {"title": call.title}} if call.title else entry


def parted(text: str, known: Callable[[str, str], bool]) -> tuple[str, str]:
    """Cut NODE.INPUT in two, either of which may have dots.

    It is cut at the first dot that leaves a known input of a node, or else at the last dot.
    """
    cuts = [index for index, letter in enumerate(text) if letter == "."]
    halves = ((text[:cut], text[cut + 1 :]) for cut in cuts)
    node, _, name = text.rpartition(".")
    return next((half for half in halves if known(*half)), (node, name))
