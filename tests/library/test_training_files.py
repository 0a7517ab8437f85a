"""What a training writes, and what it shows on the way."""

from typing import Any

import pytest
import torch

from safelight.graph.folders import FolderError, Folders
from safelight.library.loss_curve import running_mean
from safelight.library.teaching import View
from safelight.library.training_files import free_place


@pytest.mark.parametrize("name", ["", "own/", "../outside"])
def test_a_file_without_a_place_is_refused(name: str, folders: Folders) -> None:
    """And none that is not ours is overwritten."""
    with pytest.raises(FolderError, match=r"^loras: "):
        free_place(folders, "loras", name, "this")
    (folders.directory("loras") / "a.safetensors").write_bytes(b"theirs")
    assert free_place(folders, "loras", "a", "this").name == "a-2.safetensors"


def test_nothing_is_drawn_where_nobody_looks() -> None:
    """A sample is drawn when the view is asked for, and not at every step."""

    class Untouched:
        step, losses = 1, [0.5]
        plan = type("Plan", (), {"steps": 100})

    drawn: list[int] = []

    def draw() -> torch.Tensor:
        drawn.append(1)
        return torch.zeros(3, 8, 8)

    learning: Any = Untouched()
    view = View(learning, draw)
    assert drawn == []
    view.jpeg()
    view.jpeg()
    assert drawn == [1]
    learning.step = 21
    view.jpeg()
    assert drawn == [1, 1]


def test_the_line_of_the_curve_is_a_running_mean() -> None:
    """At first the plain mean of all, later one that forgets."""
    assert running_mean([4.0, 2.0, 0.0]) == pytest.approx([4.0, 3.0, 2.0])
    late = running_mean([0.0] * 200 + [1.0])
    assert late[-1] == pytest.approx(0.05)
