"""Nodes that look for patterns in texts, written as regular expressions."""

import re
from typing import Annotated, ClassVar, Literal

from safelight.graph.node import Context, Help, Label, Node, Output, Range, Text

Long = Annotated[str, Text(multiline=True)]
Pattern = Annotated[str, Text(multiline=True), Label("Pattern"), Help("A regular expression.")]
AnyCase = Annotated[bool, Label("Any case")]
Lines = Annotated[bool, Label("By lines"), Help("^ and $ also mean the ends of lines.")]
Dots = Annotated[bool, Label("Dot is all"), Help("A dot also means the end of a line.")]


class PatternError(ValueError):
    """A pattern is written wrongly."""


def compiled(pattern: str, *, any_case: bool, lines: bool, dots: bool) -> re.Pattern[str]:
    """Read a pattern.

    Raises:
        PatternError: it is written wrongly; says where.
    """
    chosen = {re.IGNORECASE: any_case, re.MULTILINE: lines, re.DOTALL: dots}
    flags = re.NOFLAG
    for flag, on in chosen.items():
        flags |= flag if on else re.NOFLAG
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise PatternError(f"the pattern {pattern!r} cannot be read: {error}") from error


class RegexMatch(Node):
    """Ask whether a pattern is found in a text."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Find pattern"
    string: Long
    regex_pattern: Pattern
    case_insensitive: AnyCase = True
    multiline: Lines = False
    dotall: Dots = False

    def run(self, ctx: Context) -> Annotated[bool, Output("matches")]:
        """Look."""
        pattern = compiled(
            self.regex_pattern,
            any_case=self.case_insensitive,
            lines=self.multiline,
            dots=self.dotall,
        )
        return pattern.search(self.string) is not None


class RegexExtract(Node):
    """Take what a pattern finds out of a text; several finds come as lines."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Take out pattern"
    string: Long
    regex_pattern: Pattern
    mode: Literal["First Match", "All Matches", "First Group", "All Groups"]
    case_insensitive: AnyCase = True
    multiline: Lines = False
    dotall: Dots = False
    group_index: Annotated[int, Range(0, 100), Label("Group"), Help("0 is the whole find.")] = 1

    def run(self, ctx: Context) -> Annotated[str, Output("STRING")]:
        """Look; nothing found is an empty text."""
        pattern = compiled(
            self.regex_pattern,
            any_case=self.case_insensitive,
            lines=self.multiline,
            dots=self.dotall,
        )
        group = self.group_index if self.mode.endswith(("Group", "Groups")) else 0
        if group > pattern.groups:
            return ""
        finds = [find[group] or "" for find in pattern.finditer(self.string)]
        return "\n".join(finds if self.mode.startswith("All") else finds[:1])


class RegexReplace(Node):
    """Put a text wherever a pattern is found; \\1 in it stands for the first group."""

    category: ClassVar[str] = "utils/string"
    title: ClassVar[str] = "Replace pattern"
    string: Long
    regex_pattern: Pattern
    replace: Long
    case_insensitive: AnyCase | None = None
    multiline: Lines | None = None
    dotall: Dots | None = None
    count: Annotated[int, Range(0, 100), Help("How many to replace; 0: all.")] | None = None

    def run(self, ctx: Context) -> Annotated[str, Output("STRING")]:
        """Replace."""
        pattern = compiled(
            self.regex_pattern,
            any_case=self.case_insensitive is not False,
            lines=bool(self.multiline),
            dots=bool(self.dotall),
        )
        try:
            return pattern.sub(self.replace, self.string, count=self.count or 0)
        except (re.error, IndexError) as error:
            raise PatternError(f"cannot replace by {self.replace!r}: {error}") from error
