import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.graph.records import InputSpec
from safelight.graph.values import Refused, coerced, nearest, shown


def entry(kind: str, **more: object) -> InputSpec:
    """An input of that type."""
    return InputSpec(name="x", title="X", type=kind, **more)  # type: ignore[arg-type]  # of tests


@pytest.mark.parametrize(
    ("kind", "given_value", "exact"),
    [
        ("INT", 7, 7),
        ("INT", "7", 7),
        ("INT", " -7 ", -7),
        ("INT", "18446744073709551615", 2**64 - 1),
        ("INT", 7.0, 7),
        ("FLOAT", 7, 7.0),
        ("FLOAT", "7.5", 7.5),
        ("FLOAT", "1e-3", 0.001),
        ("STRING", "a", "a"),
        ("STRING", 7, "7"),
        ("STRING", 7.5, "7.5"),
        ("BOOLEAN", True, True),
    ],
)
def test_what_loses_nothing_is_converted(kind: str, given_value: object, exact: object) -> None:
    """The result has exactly the type of the input."""
    result = coerced(entry(kind), given_value)
    assert result == exact
    assert type(result) is type(exact)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("INT", True, "want a whole number, got true"),
        ("INT", 1.7, "want a whole number, got 1.7"),
        ("INT", "1.7", "want a whole number, got '1.7'"),
        ("INT", "", "want a whole number, got ''"),
        ("INT", "٧", "want a whole number, got '٧'"),
        ("INT", None, "want a whole number, got nothing"),
        ("INT", math.nan, "want a whole number, got nan"),
        ("INT", math.inf, "want a whole number, got inf"),
        ("INT", [], "want a whole number, got a list"),
        ("INT", "9" * 5000, f"want a whole number, got '{'9' * 58}…"),
        ("FLOAT", False, "want a number, got false"),
        ("FLOAT", math.nan, "want a number, got nan"),
        ("FLOAT", "inf", "want a number, got 'inf'"),
        ("FLOAT", 10**400, "want a number, got a number of more than 70 digits"),
        ("FLOAT", {"a": 1}, "want a number, got an object"),
        ("STRING", True, "want text, got true"),
        ("STRING", None, "want text, got nothing"),
        ("STRING", math.inf, "want text, got inf"),
        ("STRING", 10**400, "want text, got a number of more than 70 digits"),
        ("STRING", "\ud800", "want text, got half a character (an unpaired surrogate)"),
        ("BOOLEAN", "false", "want true or false, got 'false'"),
        ("BOOLEAN", 0, "want true or false, got 0"),
        ("COMBO", 5, "want one of the choices, got 5"),
    ],
)
def test_what_would_lose_something_is_refused(kind: str, value: object, message: str) -> None:
    """The message says what is wanted and what came."""
    with pytest.raises(Refused) as refused:
        coerced(entry(kind), value)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (0, "value_smaller_than_min", "0 is below 1"),
        (11, "value_bigger_than_max", "11 is above 10"),
    ],
)
def test_bounds_belong_to_the_range(value: int, kind: str, message: str) -> None:
    """One beyond either bound is refused; the bounds themselves are not."""
    bounded = entry("INT", min=1, max=10)
    assert (coerced(bounded, 1), coerced(bounded, 10)) == (1, 10)
    with pytest.raises(Refused) as refused:
        coerced(bounded, value)
    assert (refused.value.kind, str(refused.value)) == (kind, message)
    assert refused.value.details == "from 1 to 10"


def test_a_range_may_be_open_at_one_side() -> None:
    """None is no bound."""
    with pytest.raises(Refused) as refused:
        coerced(entry("FLOAT", min=0.0), -1)
    assert (str(refused.value), refused.value.details) == ("-1.0 is below 0.0", "at least 0.0")


def test_a_wrong_choice_is_told_the_nearest() -> None:
    """And the number of choices, and all of them when they are few."""
    with pytest.raises(Refused) as refused:
        coerced(entry("COMBO", choices=("euler", "heun", "lcm")), "eular")
    assert str(refused.value) == "'eular' is not one of 3 choices; nearest: 'euler'"
    assert refused.value.details == "one of 'euler', 'heun', 'lcm'"


def test_many_choices_are_counted_instead_of_listed() -> None:
    """A message stays readable."""
    many = tuple(f"{number:03}" for number in range(100))
    with pytest.raises(Refused) as refused:
        coerced(entry("COMBO", choices=many), "zzz")
    assert str(refused.value) == "'zzz' is not one of 100 choices"
    assert refused.value.details.endswith("'018', '019' and 80 more")


@given(st.integers())
def test_whole_numbers_survive_decimal_text(number: int) -> None:
    """What the browser sends as text because it is beyond 2^53 arrives exactly."""
    assert coerced(entry("INT"), str(number)) == number


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_whatever_comes_is_converted_or_refused(value: object) -> None:
    """No other exception leaves the check, and a number is always finite."""
    for kind in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"):
        try:
            result = coerced(entry(kind), value)
        except Refused:
            continue
        assert not isinstance(result, float) or math.isfinite(result)


def test_messages_repeat_values_briefly() -> None:
    """Sixty characters at most."""
    assert len(shown("x" * 1000)) == 60
    assert shown("\ud800") == r"'\ud800'"


def test_nothing_near_is_nothing_said() -> None:
    """No suggestion is better than a wild one."""
    assert nearest("completely different", ["Hang"]) == ""
