"""Turning what a run reports into frames for the server."""

from collections.abc import Callable, Mapping
from typing import Any

from safelight.graph import executor
from safelight.outbox import Outbox
from safelight_server import frames


def reporter(outbox: Outbox, frame: frames.Assignment) -> Callable[[executor.Event], None]:
    """Return what turns a run's events into frames for the server."""
    job, attempt = frame.job, frame.attempt

    def report(event: executor.Event) -> None:
        match event:
            case executor.Cached(nodes):
                outbox.put(frames.Cached(job, attempt, nodes))
            case executor.Started(node):
                outbox.put(frames.Started(job, attempt, node))
            case executor.Progress(node, value, total):
                outbox.put(frames.Progress(job, attempt, node, value, total))
            case executor.Previewed(node, jpeg):
                outbox.put(frames.Preview(job, attempt, node, jpeg))
            case executor.Finished(node, cached, shown, seconds):
                told: Mapping[str, Any] | None = None if shown is None else dict(shown.ui)
                outbox.put(frames.Finished(job, attempt, node, cached, told, seconds))
            case executor.Expanded(node, children):
                outbox.put(frames.Expanded(job, attempt, node, children))
            case executor.Warned(node, reason):
                outbox.put(frames.Warned(job, attempt, node, reason))

    return report
