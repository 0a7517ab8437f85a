"""Memory that runs out, for real or by mistake: a slower run instead of a failed one."""

from math import inf
from pathlib import Path

import pytest
import torch
from tests.diffusion.budgets import FULL, layers, streamed, use
from torch import Tensor

from safelight.diffusion import headroom, memory, tiling
from safelight.diffusion.headroom import left
from safelight.diffusion.memory import Placement, converted, relieve, resident
from safelight.diffusion.shelf import Shelf


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf without limit, in the place of the process's own."""
    fresh = Shelf()
    monkeypatch.setattr(memory, "SHELF", fresh)
    return fresh


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, after: int, until: int) -> None:
    """Let conversions fail, counting from the first one."""
    count, work = 0, memory._at

    def convert(tensor: Tensor, place: Placement) -> Tensor:
        nonlocal count
        count += 1
        if after < count <= until:
            raise error
        return work(tensor, place)

    monkeypatch.setattr(memory, "_at", convert)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_where_memory_runs_out_the_others_go_and_the_network_is_streamed(
    error: Exception, monkeypatch: pytest.MonkeyPatch, shelf: Shelf
) -> None:
    """Instead of a failed run."""
    one, two = layers(), layers()
    x = converted(torch.rand(2, 8), FULL)
    expected = use(two)(x)
    relieve()
    use(one)
    failing(monkeypatch, error, 1, 2)
    with resident(two, FULL) as placed:
        assert torch.equal(placed(x), expected)
        assert streamed(placed) == 3
    assert shelf.held == 0


def test_other_mistakes_are_raised_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network is not streamed because something else is wrong."""
    failing(monkeypatch, RuntimeError("shapes differ"), 0, 1)
    with pytest.raises(RuntimeError, match=r"^shapes differ$"):
        use(layers())
    assert streamed(use(layers())) == 0


def test_what_is_left_is_read_from_the_system_s_report(tmp_path: Path) -> None:
    """In bytes; where there is no report, or no such line in it, nothing holds work back."""
    report = tmp_path / "meminfo"
    report.write_text("MemTotal: 24 kB\nMemFree: 8 kB\nMemAvailable:   16 kB\nCached: 3 kB\n")
    assert left(report) == 16 * 1024
    report.write_text("MemTotal: 24 kB\n")
    assert left(report) == left(tmp_path / "none") == inf


def test_what_is_idle_goes_before_the_whole_is_given_up(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf
) -> None:
    """The first way is left out only if there is too little even then."""
    network = layers()
    for after, expected in ((9, "whole"), (4, "parts")):
        use(network)
        monkeypatch.setattr(headroom, "left", lambda after=after: 4 if shelf.held else after)
        assert tiling.sparing(lambda: "whole", lambda: "parts", least=8) == expected
        assert shelf.held == 0
