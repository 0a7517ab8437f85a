"""A small catalog for the tests of the graph: numbers on wires instead of pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from safelight.graph.catalog import Catalog
from safelight.graph.folders import Folders
from safelight.graph.node import (
    Choice,
    Context,
    Folder,
    Help,
    Node,
    Output,
    Range,
    Seed,
    Shown,
    Text,
)
from safelight.graph.schema import describe

METHODS = ("euler", "euler_ancestral", "heun")
NOWHERE = Folders(Path("nowhere"))


@dataclass(frozen=True)
class Paper:
    """What light falls on.

    The rest of its description stays out of the schema.
    """

    wire: ClassVar[str] = "PAPER"
    grey: int


class GlossyPaper(Paper):
    """Paper that shines."""

    wire: ClassVar[str] = "GLOSSY_PAPER"


class Mask:
    """Where no light falls."""

    wire: ClassVar[str] = "MASK"


class Split(NamedTuple):
    """Two strips of one sheet."""

    left: Paper
    right: Annotated[int, Output("GREY", "How dark.")]


class TakePaper(Node):
    """Take a sheet out of the box."""

    category: ClassVar[str] = "paper"
    grey: Annotated[int, Range(0, 255)] = 0

    def run(self, ctx: Context) -> Annotated[Paper, Output("PAPER")]:
        return Paper(self.grey)


class TakeGlossy(Node):
    """Take a glossy sheet."""

    def run(self, ctx: Context) -> GlossyPaper:
        return GlossyPaper(0)


class Expose(Node):
    """Let light fall on paper.

    The longer, the darker.
    """

    category: ClassVar[str] = "paper"
    title: ClassVar[str] = "Expose paper"
    version: ClassVar[int] = 2
    paper: Paper
    seed: Annotated[int, Range(0, 2**64 - 1), Seed()] = 0
    steps: Annotated[int, Range(1, 10_000), Help("How many flashes.")] = 20
    strength: Annotated[float, Range(0.0, 100.0, step=0.1, round=0.01)] = 8.0
    method: Annotated[str, Choice(METHODS)]
    order: Literal["up", "down"] = "down"
    text: Annotated[str, Text(multiline=True)]
    twice: bool = False
    mask: Mask | None = None

    def run(self, ctx: Context) -> Annotated[Paper, Output("PAPER")]:
        return Paper(self.paper.grey + self.steps)


class Darken(Node):
    """Darken a sheet."""

    paper: Paper
    by: int = 1

    def run(self, ctx: Context) -> Annotated[Paper, Output("PAPER")]:
        return Paper(self.paper.grey + self.by)


class Join(Node):
    """Lay two sheets on each other."""

    a: Paper
    b: Paper

    def run(self, ctx: Context) -> Annotated[Paper, Output("PAPER")]:
        return Paper(self.a.grey + self.b.grey)


class Cut(Node):
    """Cut a sheet in two."""

    paper: Paper

    def run(self, ctx: Context) -> Split:
        return Split(self.paper, self.paper.grey)


class Word(Node):
    """A word."""

    value: str

    def run(self, ctx: Context) -> Annotated[str, Output("STRING")]:
        return self.value


class OpenNegative(Node):
    """Open a negative from the input folder."""

    image: Annotated[str, Folder("input", upload=True)]

    def run(self, ctx: Context) -> Annotated[Paper, Output("PAPER")]:
        return Paper(ctx.folders.resolve("input", self.image).stat().st_size)


class Look(Node):
    """Look at anything."""

    effect: ClassVar[bool] = True
    thing: object

    def run(self, ctx: Context) -> Shown:
        return Shown({"things": [{"seen": repr(self.thing)}]})


class Hang(Node):
    """Hang up a sheet to dry."""

    effect: ClassVar[bool] = True
    paper: Paper
    name: str = "sheet"

    def run(self, ctx: Context) -> Shown:
        return Shown({"sheets": [{"name": self.name, "grey": self.paper.grey}]})


CATALOG = Catalog.of(
    TakePaper, TakeGlossy, Expose, Darken, Join, Cut, Word, OpenNegative, Look, Hang
)
SCHEMA = describe(CATALOG)


def node(class_type: str, **inputs: object) -> dict[str, Any]:
    """One node as a workflow writes it."""
    return {"class_type": class_type, "inputs": inputs}


def exposure(**inputs: object) -> dict[str, Any]:
    """A workflow that takes paper (1), exposes it (2) and hangs it up (3)."""
    given: dict[str, object] = {"paper": ["1", 0], "method": "euler", "text": "", **inputs}
    return {
        "1": node("TakePaper", grey=3),
        "2": node("Expose", **given),
        "3": node("Hang", paper=["2", 0]),
    }


def chain(count: int) -> dict[str, Any]:
    """A workflow of `count` nodes, each fed by the one before."""
    middle = {str(i): node("Darken", paper=[str(i - 1), 0]) for i in range(1, count - 1)}
    last = node("Hang", paper=[str(count - 2), 0])
    return {"0": node("TakePaper"), **middle, "last": last}


def own(nodes: Mapping[str, Any], **more: object) -> dict[str, Any]:
    """The same nodes as a Safelight document."""
    return {"safelight": 1, "nodes": dict(nodes), **more}
