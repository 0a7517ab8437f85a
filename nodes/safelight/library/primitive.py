"""Nodes that hold a plain value, to be shared by several inputs, or show any value."""

from typing import Annotated, ClassVar

from safelight.graph.node import Context, Label, Node, Output, Range, Seed, Shown, Text

MOST = 2**63 - 1


class PrimitiveString(Node):
    """A text to wire into several nodes."""

    category: ClassVar[str] = "utils/primitive"
    title: ClassVar[str] = "Text"
    value: Annotated[str, Label("Text")]

    def run(self, ctx: Context) -> Annotated[str, Output("STRING")]:
        """Hand the text on."""
        return self.value


class PrimitiveStringMultiline(Node):
    """A text of several lines to wire into several nodes."""

    category: ClassVar[str] = "utils/primitive"
    title: ClassVar[str] = "Long text"
    value: Annotated[str, Text(multiline=True), Label("Text")]

    def run(self, ctx: Context) -> Annotated[str, Output("STRING")]:
        """Hand the text on."""
        return self.value


class PrimitiveInt(Node):
    """A whole number to wire into several nodes."""

    category: ClassVar[str] = "utils/primitive"
    title: ClassVar[str] = "Whole number"
    value: Annotated[int, Range(-MOST, MOST), Seed(), Label("Number")]

    def run(self, ctx: Context) -> Annotated[int, Output("INT")]:
        """Hand the number on."""
        return self.value


class PrimitiveFloat(Node):
    """A number to wire into several nodes."""

    category: ClassVar[str] = "utils/primitive"
    title: ClassVar[str] = "Number"
    value: Annotated[float, Range(-MOST, MOST), Label("Number")]

    def run(self, ctx: Context) -> Annotated[float, Output("FLOAT")]:
        """Hand the number on."""
        return self.value


class PrimitiveBoolean(Node):
    """A yes or no to wire into several nodes."""

    category: ClassVar[str] = "utils/primitive"
    title: ClassVar[str] = "Yes or no"
    value: Annotated[bool, Label("Yes")]

    def run(self, ctx: Context) -> Annotated[bool, Output("BOOLEAN")]:
        """Hand it on."""
        return self.value


class PreviewAny(Node):
    """Look at what a wire carries: a text, a number, or the shape of something larger."""

    category: ClassVar[str] = "utils"
    title: ClassVar[str] = "Preview anything"
    effect: ClassVar[bool] = True
    source: object

    def run(self, ctx: Context) -> Shown:
        """Describe it."""
        return Shown({"text": [{"text": described(self.source)}]})


def described(value: object) -> str:
    """Return a text that tells what a value is."""
    if isinstance(value, str | int | float | bool):
        return str(value)
    shapes = [
        f"{name} {'x'.join(map(str, part.shape))}"
        for name, part in getattr(value, "__dict__", {}).items()
        if hasattr(part, "shape")
    ]
    return ", ".join([type(value).__name__, *shapes])
