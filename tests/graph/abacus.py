"""Nodes on plain numbers that use all that a node may be: lists, lazy inputs, expansions ..."""

import asyncio
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from tests.graph.bath import run
from tests.graph.darkroom import node

from safelight.graph.catalog import Catalog
from safelight.graph.executor import Event, Started
from safelight.graph.folders import Folders
from safelight.graph.node import Carries, Context, Hidden, Lazy, Node, Output, Shown
from safelight.graph.returns import Blocked, Child, Expansion, Showing, shown_by
from safelight.graph.wiring import Graph, Link

Int = Annotated[int, Output("INT")]


class Number(Node):
    """Give a number."""

    value: int = 0

    def run(self, ctx: Context) -> Int:
        return self.value


class Upto(Node):
    """Give the numbers below one, as a list."""

    below: int = 3

    def run(self, ctx: Context) -> Annotated[Sequence[int], Output("INT")]:
        return tuple(range(self.below))


class Add(Node):
    """Add two numbers."""

    a: int
    b: int = 0

    def run(self, ctx: Context) -> Int:
        return self.a + self.b


class Sum(Node):
    """Add all numbers of a list, and say how many there were."""

    numbers: Sequence[int]
    factor: int = 1

    def run(self, ctx: Context) -> "Total":
        return Total(sum(self.numbers) * self.factor, len(self.numbers))


class Total(NamedTuple):
    """A sum, and of how many."""

    total: int
    terms: int


class Choose(Node):
    """Give one of two numbers, and let only that one be made."""

    first: Annotated[int | None, Lazy()] = None
    second: Annotated[int | None, Lazy()] = None
    which: Literal["first", "second", "neither", "third"] = "first"

    @classmethod
    def needs(cls, given: Mapping[str, object]) -> Collection[str]:
        return () if given["which"] == "neither" else (str(given["which"]),)

    def run(self, ctx: Context) -> Int:
        return {"first": self.first, "second": self.second}.get(self.which) or 0


class Gate(Node):
    """Let a number through, unless it is too large."""

    number: int
    most: int = 1
    reason: str = ""

    def run(self, ctx: Context) -> Int | Blocked:
        return self.number if self.number <= self.most else Blocked(self.reason or None)


class Countdown(Node):
    """Go down to nothing, one node at a time."""

    number: int
    steps: int = 0

    def run(self, ctx: Context) -> Int | Expansion:
        if self.number == 0:
            return self.steps
        again = Child("Countdown", {"number": self.number - 1, "steps": self.steps + 1})
        return Expansion({"again": again}, (Link("again", 0),))


class Tenfold(Node):
    """Add a number to itself until there are ten, and show it on the way."""

    number: Annotated[Link, Carries(int)]

    def run(self, ctx: Context) -> Int | Expansion:
        twice = Child("Add", {"a": self.number, "b": self.number})
        five = Child("Sum", {"numbers": Link("twice", 0), "factor": 5})
        nodes = {"five": five, "twice": twice, "look": Child("Look", {"number": Link("twice", 0)})}
        return Expansion(nodes, (Link("five", 0),))


class Bad(Node):
    """Expand into something wrong."""

    nodes: Literal["class", "input", "link", "slot", "value", "circle"]

    def run(self, ctx: Context) -> Int | Expansion:
        child = {
            "class": Child("Addd", {}),
            "input": Child("Add", {"a": 1, "c": 2}),
            "link": Child("Add", {"a": Link("nowhere", 0)}),
            "slot": Child("Add", {"a": Link("x", 1)}),
            "value": Child("Add", {"a": "one"}),
            "circle": Child("Add", {"a": Link("x", 0)}),
        }[self.nodes]
        return Expansion({"x": child}, (Link("x", 0),))


class Later(Node):
    """Give a number once all that were asked for at the same time are under way."""

    number: int
    party: int = 1
    guests: ClassVar[list[int]] = []

    async def run(self, ctx: Context) -> Int:
        self.guests.append(self.number)
        while len(self.guests) < self.party:
            await asyncio.sleep(0.001)
        return self.number


class Keep(Node):
    """Keep a number in a thread of its own."""

    effect: ClassVar[bool] = True
    beside: ClassVar[bool] = True
    number: int
    begun: ClassVar[threading.Event] = threading.Event()
    allowed: ClassVar[threading.Event] = threading.Event()
    kept: ClassVar[list[int]] = []

    def run(self, ctx: Context) -> Shown:
        self.begun.set()
        if not self.allowed.wait(20):
            raise TimeoutError("nobody let it go on")
        if self.number < 0:
            raise ValueError("the disk is full")
        self.kept.append(self.number)
        return Shown({"kept": [{"number": self.number}]})


class Release(Node):
    """Let the keeping go on, once it has begun."""

    effect: ClassVar[bool] = True
    number: int
    after: str = "begun"

    def run(self, ctx: Context) -> Shown:
        began = Keep.begun.wait(20)
        Keep.allowed.set()
        return Shown({"began": [{"began": began}]})


class Look(Node):
    """Look at a number."""

    effect: ClassVar[bool] = True
    number: int

    def run(self, ctx: Context) -> Shown:
        return Shown({"numbers": [{"number": self.number}]})


class Tell(Node):
    """Show a number and hand it on."""

    effect: ClassVar[bool] = True
    number: int

    def run(self, ctx: Context) -> Showing[Int]:
        return Showing(self.number + 1, Shown({"told": [{"number": self.number}]}))


class Inquire(Node):
    """Say what the executor tells."""

    effect: ClassVar[bool] = True
    prompt: Annotated[Mapping[str, Any], Hidden("PROMPT")]
    graph: Annotated[Graph, Hidden("DYNPROMPT")]
    carried: Annotated[Mapping[str, Any] | None, Hidden("EXTRA_PNGINFO")]
    me: Annotated[str, Hidden("UNIQUE_ID")]

    def run(self, ctx: Context) -> Shown:
        told = {"me": self.me, "prompt": self.prompt, "carried": self.carried}
        return Shown({"told": [{**told, "same": self.graph.prompt() == self.prompt}]})


class Tick(Node):
    """Give another number each time."""

    times: ClassVar[list[int]] = []

    def run(self, ctx: Context) -> Int:
        self.times.append(0)
        return len(self.times)

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str | None:
        return None


ABACUS = Catalog.of(
    Number, Upto, Add, Sum, Choose, Gate, Countdown, Tenfold, Bad, Later, Keep, Release,
    Look, Tell, Inquire, Tick,
)  # fmt: skip


def shown(document: object, **plugs: Any) -> dict[str, Any]:
    """What the effects of a workflow show, by node; nothing is an empty object."""
    results = run(document, ABACUS, **plugs)
    return {key: _ui(result) for key, result in results.items()}


def _ui(result: object) -> Any:
    found = shown_by(result)
    return {} if found is None else found.ui


def seen(document: Mapping[str, Any], **plugs: Any) -> list[object]:
    """The numbers that node "look" has seen."""
    return [each["number"] for each in shown(document, **plugs)["look"].get("numbers", [])]


def look(at: str, nodes: Mapping[str, Any], slot: int = 0) -> dict[str, Any]:
    """A workflow that looks at one output."""
    return {**nodes, "look": node("Look", number=[at, slot])}


def started(events: Sequence[Event]) -> list[str]:
    """The nodes that ran, in order."""
    return [event.node for event in events if isinstance(event, Started)]
