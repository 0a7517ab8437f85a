import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.abacus import look, seen, shown
from tests.graph.darkroom import node

from safelight.graph.events import NodeFailed


def test_a_list_calls_its_users_once_for_each_value() -> None:
    """And a constant beside it is repeated."""
    document = look("2", {"1": node("Upto", below=3), "2": node("Add", a=["1", 0], b=10)})
    assert seen(document) == [10, 11, 12]


def test_the_shorter_list_repeats_its_last_value() -> None:
    """0 1 2 3 and 0 1: what is missing is 1."""
    document = look(
        "3",
        {
            "1": node("Upto", below=4),
            "2": node("Upto", below=2),
            "3": node("Add", a=["1", 0], b=["2", 0]),
        },
    )
    assert seen(document) == [0, 2, 3, 4]


def test_a_node_that_takes_a_list_is_called_once_with_all() -> None:
    """Also with a single value, as a list of one."""
    document = look("2", {"1": node("Upto", below=5), "2": node("Sum", numbers=["1", 0])})
    assert seen(document) == [10]
    document["look"] = node("Look", number=["2", 1])
    assert seen(document) == [5]
    document["2"] = node("Sum", numbers=7)
    assert seen(document) == [1]


def test_lists_of_lists_are_laid_end_to_end() -> None:
    """Each of 0 1 2 3 gives the numbers below it."""
    document = look("2", {"1": node("Upto", below=4), "2": node("Upto", below=["1", 0])})
    assert seen(document) == [0, 0, 1, 0, 1, 2]


def test_an_empty_list_calls_nobody() -> None:
    """And what hangs on it is empty too; a node that takes the list is called."""
    document = look("2", {"1": node("Upto", below=0), "2": node("Add", a=["1", 0])})
    assert seen(document) == []
    document = look("2", {"1": node("Upto", below=0), "2": node("Sum", numbers=["1", 0])})
    assert seen(document) == [0]


def test_a_value_of_a_list_that_does_not_fit_is_named() -> None:
    """As any that comes by wire."""
    document = look("2", {"1": node("Tell", number=1), "2": node("Choose", which=["1", 0])})
    with pytest.raises(Exception, match="which"):
        shown(document)


def test_a_failing_call_is_told_with_its_own_inputs() -> None:
    """The third of four numbers is too much for the range."""
    document = {"1": node("Upto", below=4), "keep": node("Bad", nodes="value")}
    document = look("keep", document)
    with pytest.raises(NodeFailed) as failed:
        shown(document)
    message = "node keep (Bad): keep.0.0.x: a: want a whole number, got 'one'"
    assert str(failed.value) == message


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=3), st.integers(-9, 9))
def test_mapping_and_summing_agree_with_arithmetic(lengths: list[int], more: int) -> None:
    """sum(x + more) = sum(x) + n more, whatever lengths are nested."""
    nodes = {"0": node("Upto", below=lengths[0])}
    values = list(range(lengths[0]))
    for index, length in enumerate(lengths[1:], 1):
        nodes[str(index)] = node("Upto", below=length)
        nodes[f"+{index}"] = node("Add", a=[f"+{index - 1}" if index > 1 else "0", 0],
                                  b=[str(index), 0])  # fmt: skip
        count = max(len(values), length) if values and length else 0
        values = [
            values[min(i, len(values) - 1)] + min(i, length - 1) for i in range(count)
        ]  # fmt: skip
    last = f"+{len(lengths) - 1}" if len(lengths) > 1 else "0"
    nodes["more"] = node("Add", a=[last, 0], b=more)
    nodes["sum"] = node("Sum", numbers=["more", 0])
    assert seen(look("sum", nodes)) == [sum(values) + len(values) * more]
