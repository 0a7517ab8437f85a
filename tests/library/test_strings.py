"""Nodes on texts do what their names say."""

import pytest

from safelight.graph.node import NullContext
from safelight.library.patterns import PatternError, RegexExtract, RegexMatch, RegexReplace
from safelight.library.primitive import (
    PreviewAny,
    PrimitiveBoolean,
    PrimitiveFloat,
    PrimitiveInt,
    PrimitiveStringMultiline,
)
from safelight.library.strings import (
    CaseConverter,
    StringCompare,
    StringConcatenate,
    StringContains,
    StringLength,
    StringReplace,
    StringSubstring,
    StringTrim,
)
from safelight.library.values import empty_latent

CTX = NullContext()


def test_texts_are_joined_cut_and_changed() -> None:
    """The plain operations."""
    assert StringConcatenate(string_a="a", string_b="b", delimiter=", ").run(CTX) == "a, b"
    assert StringSubstring(string="darkroom", start=4, end=8).run(CTX) == "room"
    assert StringLength(string="süß").run(CTX) == 3
    cases = ("UPPERCASE", "lowercase", "Capitalize", "Title Case")
    written = [CaseConverter(string="a bIG dog", mode=mode).run(CTX) for mode in cases]
    assert written == ["A BIG DOG", "a big dog", "A big dog", "A Big Dog"]
    trims = [StringTrim(string=" a ", mode=mode).run(CTX) for mode in ("Both", "Left", "Right")]
    assert trims == ["a", "a ", " a"]
    assert (
        StringReplace(string="a cat, a cat", find="cat", replace="dog").run(CTX) == "a dog, a dog"
    )


def test_texts_are_compared_with_and_without_regard_to_capitals() -> None:
    """Both ways."""
    assert not StringContains(string="A Cat", substring="cat").run(CTX)
    assert StringContains(string="A Cat", substring="cat", case_sensitive=False).run(CTX)
    for mode, part in (("Starts With", "a"), ("Ends With", "cat"), ("Equal", "a cat")):
        assert StringCompare(string_a="A Cat", string_b=part, mode=mode, case_sensitive=False).run(
            CTX
        )
        assert not StringCompare(string_a="A Cat", string_b=part, mode=mode).run(CTX)


def test_patterns_are_found_taken_out_and_replaced() -> None:
    """Groups count from 1; nothing found is an empty text."""
    text = "seed 12, steps 8"
    assert RegexMatch(string=text, regex_pattern="STEPS").run(CTX)
    assert not RegexMatch(string=text, regex_pattern="STEPS", case_insensitive=False).run(CTX)
    pattern = r"(\w+) (\d+)"
    found = [
        RegexExtract(string=text, regex_pattern=pattern, mode=mode, group_index=2).run(CTX)
        for mode in ("First Match", "All Matches", "First Group", "All Groups")
    ]
    assert found == ["seed 12", "seed 12\nsteps 8", "12", "12\n8"]
    assert RegexExtract(string=text, regex_pattern="x", mode="First Match").run(CTX) == ""
    assert RegexReplace(string=text, regex_pattern=pattern, replace=r"\2 \1", count=1).run(CTX) == (
        "12 seed, steps 8"
    )


def test_a_pattern_written_wrongly_is_refused() -> None:
    """The message shows it and says where."""
    with pytest.raises(PatternError, match=r"^the pattern '\(' cannot be read: .*position 0$"):
        RegexMatch(string="", regex_pattern="(").run(CTX)
    with pytest.raises(PatternError, match=r"^cannot replace by '\\\\3': invalid group reference"):
        RegexReplace(string="a", regex_pattern="a", replace=r"\3").run(CTX)


def test_plain_values_are_handed_on_and_shown() -> None:
    """Anything can be looked at."""
    assert PrimitiveInt(value=3).run(CTX) == 3
    assert PrimitiveFloat(value=0.5).run(CTX) == 0.5
    assert PrimitiveBoolean(value=True).run(CTX) is True
    assert PrimitiveStringMultiline(value="a\nb").run(CTX) == "a\nb"
    shown = [PreviewAny(source=value).run(CTX).ui for value in ("hi", 3, empty_latent(1, 2, 3))]
    texts = [record["text"] for ui in shown for record in ui["text"]]
    assert texts == ["hi", "3", "Latent, samples 1x4x2x3"]
