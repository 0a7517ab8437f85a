import json
import os
from pathlib import Path

import pytest

from safelight.graph.cache import MemoryCache
from safelight.graph.diskcache import DiskCache, TwoTiers


class Numbers:
    """Keeps whole numbers, and nothing else."""

    def encode(self, value: object) -> bytes | None:
        return json.dumps([value] * 8).encode() if isinstance(value, int) else None

    def decode(self, content: bytes) -> object:
        return json.loads(content)[0]


def cache(folder: Path, limit: int = 10_000, salt: str = "") -> DiskCache:
    """A cache of numbers."""
    return DiskCache(folder, limit, Numbers(), salt)


def test_a_result_outlives_the_process(tmp_path: Path) -> None:
    """Another cache on the same folder finds it; what is not to be kept is not there."""
    cache(tmp_path).put("a", 7)
    cache(tmp_path).put("b", "text")
    assert (cache(tmp_path).get("a"), cache(tmp_path).get("b")) == (7, None)
    assert ("a" in cache(tmp_path), "b" in cache(tmp_path)) == (True, False)


def test_results_of_other_code_are_not_taken(tmp_path: Path) -> None:
    """The salt is part of the name."""
    cache(tmp_path, salt="old").put("a", 7)
    assert cache(tmp_path, salt="new").get("a") is None


@pytest.mark.parametrize("length", [0, 5, 31, 32, 40])
def test_a_torn_file_counts_as_never_written(tmp_path: Path, length: int) -> None:
    """Wherever it was cut off; it is thrown away."""
    cache(tmp_path).put("a", 7)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:length])
    found = cache(tmp_path)
    assert found.get("a") is None
    assert list(tmp_path.iterdir()) == []
    found.put("a", 8)
    assert cache(tmp_path).get("a") == 8


def test_what_was_being_written_when_the_power_went_is_cleared(tmp_path: Path) -> None:
    """It never had its name."""
    (tmp_path / "x.part").write_bytes(b"half")
    cache(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    """The bound holds after each result, also over a restart."""
    size = 32 + len(json.dumps([100] * 8))
    kept = cache(tmp_path, 3 * size)
    for number in (100, 101, 102):
        kept.put(str(number), number)
    assert kept.get("100") == 100
    kept.put("103", 103)
    assert kept.used_bytes <= 3 * size
    assert ("100" in kept, "101" in kept, "103" in kept) == (True, False, True)
    for file in tmp_path.iterdir():  # as if 100 had been used before all others
        os.utime(file, (9, 9) if file.name == kept._file("100") else (10, 10))
    again = cache(tmp_path, 2 * size)
    again.put("104", 104)
    assert ("100" in again, "104" in again) == (False, True)


def test_a_file_that_somebody_removed_is_not_there(tmp_path: Path) -> None:
    """And can be written again."""
    kept = cache(tmp_path)
    kept.put("a", 7)
    next(tmp_path.iterdir()).unlink()
    assert kept.get("a") is None
    kept.put("a", 8)
    assert kept.get("a") == 8


def test_memory_stands_before_the_disk(tmp_path: Path) -> None:
    """What memory has forgotten comes back from the disk."""
    tiers = TwoTiers(MemoryCache(1, lambda value: 1), cache(tmp_path))
    tiers["a"] = 7
    tiers["b"] = 8
    assert tiers.flush(20)
    assert list(tiers) == ["b"]
    assert (tiers["a"], "b" in tiers, "c" in tiers) == (7, True, False)
    with pytest.raises(KeyError):
        tiers["c"]
