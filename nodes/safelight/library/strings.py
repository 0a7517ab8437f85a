"""Nodes on texts: join, cut, change, compare."""

from typing import Annotated, ClassVar

from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Text

Long = Annotated[str, Text(multiline=True)]
Made = Annotated[str, Output("STRING")]
CASES = {
    "UPPERCASE": str.upper,
    "lowercase": str.lower,
    "Capitalize": str.capitalize,
    "Title Case": str.title,
}
TRIMS = {"Both": str.strip, "Left": str.lstrip, "Right": str.rstrip}


class StringConcatenate(Node):
    """Put two texts together, with something between them."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Join texts"
    string_a: Long
    string_b: Long
    delimiter: Annotated[str, Label("Between")] = ""

    def run(self, ctx: Context) -> Made:
        """Join."""
        return self.delimiter.join((self.string_a, self.string_b))


class StringSubstring(Node):
    """Cut a piece out of a text, by the numbers of its first and its last letter plus one."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Cut text"
    string: Long
    start: Annotated[int, Help("Counted from 0; below 0 from the end.")]
    end: Annotated[int, Help("The first letter that is not taken.")]

    def run(self, ctx: Context) -> Made:
        """Cut."""
        return self.string[self.start : self.end]


class StringLength(Node):
    """Count the letters of a text."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Length of text"
    string: Long

    def run(self, ctx: Context) -> Annotated[int, Output("length")]:
        """Count."""
        return len(self.string)


class CaseConverter(Node):
    """Write a text in capitals, in small letters, or with capitals where words begin."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Capitals"
    string: Long
    mode: Annotated[str, Choice(tuple(CASES))]

    def run(self, ctx: Context) -> Made:
        """Convert."""
        return CASES[self.mode](self.string)


class StringTrim(Node):
    """Remove white space around a text."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Trim text"
    string: Long
    mode: Annotated[str, Choice(tuple(TRIMS))]

    def run(self, ctx: Context) -> Made:
        """Trim."""
        return TRIMS[self.mode](self.string)


class StringReplace(Node):
    """Put one text wherever another is found."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Replace in text"
    string: Long
    find: Long
    replace: Long

    def run(self, ctx: Context) -> Made:
        """Replace."""
        return self.string.replace(self.find, self.replace)


class StringContains(Node):
    """Ask whether a text is found in another."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Find in text"
    string: Long
    substring: Long
    case_sensitive: bool = True

    def run(self, ctx: Context) -> Annotated[bool, Output("contains")]:
        """Look."""
        return folded(self.substring, self.case_sensitive) in folded(
            self.string, self.case_sensitive
        )


class StringCompare(Node):
    """Ask whether a text is another, or begins or ends with it."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Compare texts"
    string_a: Long
    string_b: Long
    mode: Annotated[str, Choice(("Starts With", "Ends With", "Equal"))]
    case_sensitive: bool = True

    def run(self, ctx: Context) -> Annotated[bool, Output("BOOLEAN")]:
        """Compare."""
        a, b = (folded(text, self.case_sensitive) for text in (self.string_a, self.string_b))
        if self.mode == "Equal":
            return a == b
        return a.startswith(b) if self.mode == "Starts With" else a.endswith(b)


def folded(text: str, case_sensitive: bool) -> str:
    """Return a text as it is compared."""
    return text if case_sensitive else text.lower()
