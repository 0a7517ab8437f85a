import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from websockets.exceptions import ConnectionClosedOK

from safelight.footprint import device_memory, size_of
from safelight.outbox import Outbox
from safelight_server import frames
from safelight_server.frames import FrameError, Preview, Progress, Started, Succeeded

RUN = ("job", 1)


class Clock:
    """Time that goes as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at zero."""
    return Clock()


@pytest.fixture
def sent() -> list[str | bytes]:
    """What an outbox sent."""
    return []


@pytest.fixture
def outbox(sent: list[str | bytes], clock: Clock) -> Outbox:
    """An outbox whose frames are only delivered on demand."""
    return Outbox(sent.append, clock)


def steps(sent: list[str | bytes]) -> Iterator[int]:
    """The progress among what was sent."""
    for each in sent:
        frame = frames.decode(each) if isinstance(each, str) else None
        if isinstance(frame, Progress):
            yield frame.value


def test_progress_goes_out_twenty_times_a_second_and_at_the_end(
    outbox: Outbox, sent: list[str | bytes], clock: Clock
) -> None:
    """A thousand steps of a millisecond: every fiftieth, and the last."""
    for value in range(1, 1001):
        clock.now = value / 1000
        outbox.put(Progress(*RUN, "n", value, 1000))
    outbox.deliver()
    told = list(steps(sent))
    assert told[-1] == 1000
    assert 19 <= len(told) <= 22


def test_a_preview_takes_its_step_along(outbox: Outbox, sent: list[str | bytes]) -> None:
    """The progress after a preview is never left out, since the preview goes out with it."""
    outbox.put(Progress(*RUN, "n", 1, 9))
    outbox.put(Progress(*RUN, "n", 2, 9))
    outbox.put(Preview(*RUN, "n", b"jpeg"))
    outbox.put(Progress(*RUN, "n", 3, 9))
    outbox.deliver()
    assert list(steps(sent)) == [1, 3]
    assert [type(each) for each in sent] == [str, bytes, str]


def test_only_the_newest_preview_waits(outbox: Outbox, sent: list[str | bytes]) -> None:
    """When the server is slow, older ones are dropped."""
    for number in range(5):
        outbox.put(Preview(*RUN, "n", bytes([number])))
    outbox.deliver()
    assert [Preview.decode(each).jpeg for each in sent if isinstance(each, bytes)] == [b"\x04"]


def test_a_node_is_announced_before_it_runs(outbox: Outbox, sent: list[str | bytes]) -> None:
    """All that was queued goes before it, in order."""
    outbox.put(Succeeded(*RUN))
    assert sent == []
    outbox.put(Started(*RUN, "n"))
    assert [frames.decode(str(each)) for each in sent] == [Succeeded(*RUN), Started(*RUN, "n")]


def test_silence_is_broken_by_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the thread ends when the server has gone."""
    monkeypatch.setattr(frames, "HEARTBEAT_SECONDS", 0.01)
    sent: list[str | bytes] = []
    left = threading.Event()

    def send(frame: str | bytes) -> None:
        sent.append(frame)
        if len(sent) == 3:
            raise ConnectionClosedOK(None, None)

    Outbox(send).keep_delivering(left.set)
    assert sent == ['{"type":"heartbeat"}'] * 3
    assert left.is_set()


@pytest.mark.parametrize(
    "frame",
    [
        frames.Hello({"nodes": []}, "cpu", "float32", None, [{"name": "cpu"}]),
        frames.Heartbeat(),
        frames.Finished(*RUN, "n", False, {"images": []}, 0.5),
        frames.Failed(*RUN, "n", "Fail", "ValueError", "boom", ["line"], {"x": [1]}),
        frames.Assignment(*RUN, {"1": {}}, ["1"], {}, True),
    ],
)
def test_a_frame_is_read_as_it_was_written(frame: frames.Frame) -> None:
    """Text frames, there and back."""
    assert frames.decode(frame.encode()) == frame


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"type": "nonsense"}', '{"type": "started", "job": "j"}', "null"]
)
def test_what_is_no_frame_is_refused(text: str) -> None:
    """Whatever it is instead."""
    with pytest.raises(FrameError, match=r"^not a frame: "):
        frames.decode(text)
    with pytest.raises(FrameError, match=r"^not a preview: "):
        Preview.decode(b"\x00\x00")


@dataclass(frozen=True)
class Held:
    """A value as travels on wires."""

    network: torch.nn.Module
    more: Any = None


def test_a_result_is_as_large_as_its_tensors() -> None:
    """Parameters, buffers and tensors in containers, each counted once."""
    layer = torch.nn.Linear(1000, 1000, bias=False)
    network = torch.nn.Sequential(layer, torch.nn.BatchNorm1d(1000), layer)
    tensor = torch.zeros(500, dtype=torch.float16)
    result = Held(network, {"a": [tensor, (tensor,)], "text": "x" * 100})
    weights = 4_000_000 + 4 * 4000 + 8
    assert weights + 1000 <= size_of(result) <= weights + 1000 + 5000


@pytest.mark.gpu
def test_a_gpu_is_described() -> None:
    """By name, with its memory in bytes."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    (device,) = device_memory("cuda")
    assert (device["type"], device["index"]) == ("cuda", 0)
    assert device["vram_total"] >= device["vram_free"] > 2**30


def test_a_result_that_holds_itself_has_a_size() -> None:
    """Circles end."""
    loop: list[object] = ["x" * 1000]
    loop.append(loop)
    assert 1000 <= size_of(loop) < 2000
