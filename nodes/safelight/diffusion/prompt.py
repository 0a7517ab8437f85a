r"""The little language of prompts: which words weigh more.

    a (red:1.2) cat      "red" weighs 1.2
    a ((red)) cat        each bare pair multiplies the weight by 1.1
    (a (b:1.5) c)        an explicit weight replaces the outer one, it does not multiply
    \( and \)            are parentheses that mean nothing

Whatever is not balanced, or not a number, is plain text.  `[x]` and `BREAK` mean nothing.

The result is a list of segments, each with its weight, in the order of the text.  Inside a
segment, at its start or after a space, `embedding:name` stands for a word that was learnt
later (see `textual_inversion`).
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

EMPHASIS = 1.1  # the weight of one bare pair of parentheses
_MARK = re.compile(r"\\[()]|[()]")
_ESCAPED = re.compile(r"\\([()])")
_MENTION = re.compile(r"(?:^|(?<=[ \n]))embedding:(\S+)")
SUFFIXES = (".safetensors", ".sft", ".pt", ".bin")  # which a mention may also spell out


class Segment(NamedTuple):
    """A stretch of text that weighs the same throughout."""

    text: str
    weight: float


class Mention(NamedTuple):
    """A learnt word, by the name of its file; `comma` is what stood behind it without a space."""

    name: str
    comma: str


def segments(prompt: str) -> list[Segment]:
    """Cut a prompt where its weight changes; the text comes without the markup."""
    found: list[Segment] = []
    pending = [Segment(prompt, 1.0)]  # a stack, for text nests as deep as it likes
    while pending:
        text, weight = pending.pop()
        pieces = _pieces(text)
        if len(pieces) == 1 and not _is_group(pieces[0]):
            found.append(Segment(_ESCAPED.sub(r"\1", text), weight))
            continue
        inner = [
            _opened(piece, weight) if _is_group(piece) else Segment(piece, weight)
            for piece in pieces
        ]
        pending.extend(reversed(inner))
    return found


def parts(text: str) -> Iterator[str | Mention]:
    """Part the text of a segment into plain text and the learnt words it mentions."""
    begin = 0
    for match in _MENTION.finditer(text):
        yield text[begin : match.start()]
        name = match.group(1).rstrip(",")
        yield Mention(name, "," if match.group(1).endswith(",") else "")
        begin = match.end()
    yield text[begin:]


def mentions(prompt: str) -> tuple[str, ...]:
    """Return the names of all learnt words in a prompt, each once, as they are spelt."""
    found = (part for segment in segments(prompt) for part in parts(segment.text))
    return tuple(dict.fromkeys(part.name for part in found if isinstance(part, Mention)))


def stem(name: str) -> str:
    """Return the name of a file of words without its suffix."""
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix)


def _pieces(text: str) -> list[str]:
    """Cut a text into its outermost groups and what stands between them."""
    pieces: list[str] = []
    depth = begin = 0
    for mark in _MARK.finditer(text):
        if mark.group() == "(":
            if depth == 0 and mark.start() > begin:
                pieces.append(text[begin : mark.start()])
                begin = mark.start()
            depth += 1
        elif mark.group() == ")":
            depth -= 1
            if depth == 0:
                pieces.append(text[begin : mark.end()])
                begin = mark.end()
    if begin < len(text):
        pieces.append(text[begin:])
    return pieces


def _is_group(piece: str) -> bool:
    """Tell whether a piece is wrapped in parentheses of its own."""
    return len(piece) > 1 and piece[0] == "(" and piece[-1] == ")" and piece[-2] != "\\"


def _opened(group: str, weight: float) -> Segment:
    """Take the parentheses off a group and work out what it weighs."""
    text = group[1:-1]
    before, colon, after = text.rpartition(":")
    explicit = _number(after) if colon and before else None
    if explicit is None:
        return Segment(text, weight * EMPHASIS)
    return Segment(before, explicit)


def _number(text: str) -> float | None:
    """Read a finite number, or nothing."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
