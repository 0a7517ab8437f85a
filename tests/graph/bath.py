"""Nodes that take their time, and how the tests run them."""

from typing import Annotated, Any, ClassVar

from tests.graph.darkroom import (
    CATALOG,
    NOWHERE,
    SCHEMA,
    node,
)

from safelight.graph.catalog import Catalog
from safelight.graph.executor import (
    Surroundings,
    execute,
)
from safelight.graph.node import Context, Node, Output, Range, Shown
from safelight.graph.schema import describe
from safelight.graph.workflow import parse


class Sheet:
    """A value that can be watched being let go."""

    wire: ClassVar[str] = "SHEET"


class NewSheet(Node):
    """Give a new sheet."""

    number: int = 0

    def run(self, ctx: Context) -> Annotated[Sheet, Output("SHEET")]:
        return Sheet()


class Wash(Node):
    """Wash a sheet in several baths, showing each."""

    effect: ClassVar[bool] = True
    sheet: Sheet
    baths: Annotated[int, Range(1, 9)] = 3

    def run(self, ctx: Context) -> Shown:
        for bath in ctx.track(range(self.baths), total=self.baths):
            ctx.preview(lambda bath=bath: b"jpeg%d" % bath)  # type: ignore[misc]  # default holds it
        return Shown({"baths": [{"metadata": dict(ctx.metadata), "device": ctx.device}]})


class Tear(Node):
    """Fail."""

    sheet: Sheet
    number: int = 0

    def run(self, ctx: Context) -> Annotated[Sheet, Output("SHEET")]:
        raise ValueError("torn")


class Lie(Node):
    """Return something else than it promises."""

    def run(self, ctx: Context) -> Annotated[Sheet, Output("SHEET")]:
        return "no sheet"  # type: ignore[return-value]  # what the test is about


class Count(Node):
    """Give a number."""

    value: int

    def run(self, ctx: Context) -> Annotated[int, Output("INT")]:
        return self.value


BATHS = Catalog.of(NewSheet, Wash, Tear, Lie, Count)


def run(document: object, catalog: Catalog = CATALOG, **plugs: Any) -> dict[str, object]:
    """Parse and execute."""
    surroundings = plugs.pop("surroundings", Surroundings(NOWHERE))
    schema = SCHEMA if catalog is CATALOG else describe(catalog)
    return execute(parse(document, schema, surroundings.folders), catalog, surroundings, **plugs)


def washing(**inputs: object) -> dict[str, Any]:
    """A workflow that washes a new sheet."""
    return {"1": node("NewSheet"), "2": node("Wash", sheet=["1", 0], **inputs)}
