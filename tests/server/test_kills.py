"""Fifty kill -9; five hundred are `python -m tests.benchmarks.reliability --kills 500`."""

from pathlib import Path

import pytest
from tests.benchmarks.reliability import Story, words_of

KILLS = 50
SEED = 6


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_kills_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    """Every accepted job ends once, and every picture opens and shows what its job draws."""
    story = Story(tmp_path / "home", SEED, KILLS)
    try:
        after = await story.run()
    finally:  # shown when the test fails
        print(f"seed {SEED}", *story.client.log, words_of(story.home).read_text(), sep="\n")
    assert after.wrong == ()
    assert story.struck["server"] + story.struck["worker"] == KILLS
    assert min(story.struck.values()) > KILLS // 4
    assert 2 * after.failed <= story.struck["worker"]
    assert after.done + after.failed == after.jobs >= 5, "nothing to speak of was asked for"
