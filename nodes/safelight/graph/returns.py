"""What `run` may return besides plain outputs.

    Showing     outputs, and something for the user to see: an effect in the middle of a graph
    Blocked     no value: whatever hangs on that wire does not run, and the run goes on
    Expansion   further nodes to run, whose results become this node's own

They are part of the signature, so that it tells the truth:

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")] | Blocked: ...
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from safelight.graph.node import Shown
from safelight.graph.wiring import Link

T = TypeVar("T")

# What the links of an expansion brought: for each, the list of its values.
Brought: TypeAlias = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Showing(Generic[T]):
    """Outputs of an effect, and what it tells the user."""

    result: T
    shown: Shown


@dataclass(frozen=True, slots=True)
class Blocked:
    """Stands where a value would: nodes that take it are not called and give it on.

    A `reason` is told once, at the first node that could not be called.
    """

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """One node of an expansion.

    Its inputs are values, of any kind, and links: to other nodes of the
    expansion by their key there, else to nodes of the graph by their id.
    """

    node_class: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True, slots=True)
class Expansion:
    """A graph to run in place of its node.

    Attributes:
        nodes: By keys of their own; those that show or save something always run.
        outputs: For each output of the node, a link or a value.
        then: Makes the node's result from the values that `outputs` brought;
            None hands them on, output by output.
    """

    nodes: Mapping[str, Child]
    outputs: Sequence[object]
    then: Callable[[Brought], object] | None = None


@dataclass(frozen=True, slots=True)
class Several:
    """The results of several calls of one node, in order."""

    results: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Slots:
    """The values of each output, as lists: what an expansion hands on."""

    values: tuple[tuple[object, ...], ...]


# Results of these classes are no value of the node's promised class.
SIGNALS = frozenset({Showing, Blocked, Expansion, Several, Slots})


def values_at(result: object, slots: Sequence[str], slot: int, many: bool) -> tuple[object, ...]:
    """Return the values that a result gives at one output.

    Args:
        result: As `run` returned it, or `Several` of them.
        slots: The attributes that hold the outputs; empty when the result is the only one.
        slot: Which output.
        many: Whether that output is itself a list.
    """
    match result:
        case Several(results):
            lists = (values_at(each, slots, slot, many) for each in results)
            return tuple(value for values in lists for value in values)
        case Slots(values):
            return values[slot]
        case Blocked():
            return (result,)
        case Showing(inner, _):
            return values_at(inner, slots, slot, many)
        case _:
            value: object = getattr(result, slots[slot]) if slots else result
    if isinstance(value, tuple | list) and many:
        return tuple(value)
    return (value,)


def shown_by(result: object) -> Shown | None:
    """Return what a result tells the user; lists of several calls are joined, kind by kind."""
    match result:
        case Shown():
            return result
        case Showing(_, shown):
            return shown
        case Several(results):
            told = [found for each in results if (found := shown_by(each)) is not None]
            kinds = dict.fromkeys(kind for shown in told for kind in shown.ui)
            joined = {k: [r for shown in told for r in shown.ui.get(k, ())] for k in kinds}
            return Shown(joined) if told else None
        case _:
            return None


def links_of(expansion: Expansion) -> list[Link]:
    """Return the links among an expansion's outputs."""
    return [output for output in expansion.outputs if isinstance(output, Link)]
