from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from safelight.graph.cache import MemoryCache


def cache(limit_bytes: int) -> MemoryCache:
    """A cache of texts, each as large as it is long."""
    return MemoryCache(limit_bytes, size_of=lambda value: len(str(value)))


def test_the_least_recently_used_goes_first() -> None:
    """Reading is using."""
    kept = cache(6)
    kept["a"] = "aa"
    kept["b"] = "bb"
    kept["c"] = "cc"
    assert kept["a"] == "aa"
    kept["d"] = "dd"
    assert list(kept) == ["c", "a", "d"]


def test_asking_whether_it_is_there_is_not_using() -> None:
    """Planning a run does not change what is kept."""
    kept = cache(4)
    kept["a"] = "aa"
    kept["b"] = "bb"
    assert "a" in kept
    kept["c"] = "cc"
    assert list(kept) == ["b", "c"]


def test_what_is_larger_than_the_bound_is_not_kept() -> None:
    """And nothing is thrown away for it; an older value of that name is."""
    kept = cache(4)
    kept["a"] = "aa"
    kept["b"] = "bbbbb"
    assert dict(kept) == {"a": "aa"}
    kept["a"] = "aaaaa"
    assert dict(kept) == {}
    assert kept.used_bytes == 0


def test_replacing_counts_once() -> None:
    """The bytes of the old value are given back."""
    kept = cache(10)
    kept["a"] = "aaaa"
    kept["a"] = "aa"
    assert (kept.used_bytes, len(kept)) == (2, 1)
    del kept["a"]
    assert kept.used_bytes == 0


def test_clearing_gives_everything_back() -> None:
    """As when the user frees memory."""
    kept = cache(10)
    kept.update(a="aa", b="bb")
    kept.clear()
    assert (kept.used_bytes, len(kept)) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 8)), max_size=50))
def test_the_bound_always_holds(stores: list[tuple[str, int]]) -> None:
    """And the bytes counted are those of what is there."""
    kept = cache(10)
    for name, size in stores:
        kept[name] = "x" * size
        assert kept.used_bytes == sum(len(str(value)) for value in kept.values()) <= 10


def test_several_threads_may_use_it() -> None:
    """The count stays right."""
    kept = cache(100)

    def work(letter: str) -> None:
        for number in range(2_000):
            kept[f"{letter}{number % 30}"] = "x" * (number % 7)

    threads = [Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept.used_bytes == sum(len(str(value)) for value in kept.values()) <= 100
