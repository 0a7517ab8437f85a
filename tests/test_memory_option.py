"""`--memory`: how many weights may be kept, from the command line down to what is drawn."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from safelight.__main__ import main
from safelight.diffusion import memory
from safelight.diffusion.shelf import Shelf
from safelight.footprint import installed_memory, room_for_weights
from safelight_server.options import ServeOptions

WORKFLOW = Path(__file__).resolve().parents[1] / "workflows" / "text-to-image.json"


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf in the place of the process's own, which keeps its limit."""
    fresh = Shelf()
    monkeypatch.setattr(memory, "SHELF", fresh)
    return fresh


def test_with_next_to_no_memory_the_same_picture_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shelf: Shelf
) -> None:
    """Every weight passes through, and every pixel is the same."""
    pictures: list[np.ndarray] = []
    for name, room in (("all", ["--memory", "64"]), ("none", ["--memory", "0"])):
        asked = ["--precision", "bfloat16", "--home", str(tmp_path / "home"), *room]
        asked += ["--output", str(tmp_path / name)]
        for setting in ("steps=2", "4.width=64", "4.height=64"):
            asked += ["--set", setting]
        assert main(["run", str(WORKFLOW), *asked]) == 0
        with Image.open(capsys.readouterr().out.strip()) as picture:
            pictures.append(np.array(picture))
    assert np.array_equal(pictures[0], pictures[1])
    assert shelf.budget == shelf.held == 0


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "much"])
def test_a_memory_that_is_no_number_of_bytes_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what was wanted."""
    with pytest.raises(SystemExit):
        main(["run", str(WORKFLOW), f"--memory={text}"])
    message = f"argument --memory: want a number of GiB, 0 or more, got {text!r}"
    assert re.search(re.escape(message), capsys.readouterr().err)


def test_the_worker_is_told(tmp_path: Path) -> None:
    """In bytes; if nothing is said it chooses itself."""
    told = ServeOptions(home=tmp_path, memory_bytes=2**30).worker_arguments()
    assert told[told.index("--memory-bytes") + 1] == str(2**30)
    assert "--memory-bytes" not in ServeOptions(home=tmp_path).worker_arguments()


def test_by_itself_most_of_the_memory_is_taken_for_weights() -> None:
    """The rest is for what is computed with them."""
    assert 0.5 * installed_memory() < room_for_weights("cpu") < 0.8 * installed_memory()


@pytest.mark.parametrize(("text", "expected"), [("1048576\n", 2**20), ("max\n", None)])
def test_a_container_may_have_less_than_the_machine(
    text: str, expected: int | None, tmp_path: Path
) -> None:
    """As Linux tells it; what is not told is not a limit."""
    limit = tmp_path / "memory.max"
    limit.write_text(text)
    absent = tmp_path / "absent"
    whole = installed_memory([absent])
    assert installed_memory([limit, absent]) == (expected or whole)
