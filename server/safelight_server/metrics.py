"""Figures for monitors, in the text format of Prometheus (version 0.0.4).

Counters begin at 0 with the process.  Label values come from a bounded set: states, methods,
classes of nodes that there are.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Labels = Mapping[str, str]
Gauge = tuple[str, str, Sequence[tuple[Labels, float]]]  # name, help, values


@dataclass(frozen=True, slots=True)
class Counter:
    """What only grows, by the values of one label (or of none, named "")."""

    name: str
    help: str
    label: str = ""
    values: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, label: str = "", amount: float = 1.0) -> None:
        """Count something."""
        self.values[label] += amount

    def lines(self) -> Iterator[str]:
        """Yield the counter as text."""
        shown = self.values if self.label or self.values else {"": 0.0}
        yield from _family(
            self.name,
            "counter",
            self.help,
            (({self.label: value} if self.label else {}, n) for value, n in shown.items()),
        )


@dataclass(slots=True)
class Histogram:
    """How long things took, in seconds."""

    name: str
    help: str
    total: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(_SECONDS) + 1))

    def observe(self, seconds: float) -> None:
        """Count something that took so long."""
        self.total += seconds
        self.counts[bisect_left(_SECONDS, seconds)] += 1

    def lines(self) -> Iterator[str]:
        """Yield the histogram as text: each bucket holds those below it too."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} histogram"
        below = 0
        for bound, count in zip([*map(str, _SECONDS), "+Inf"], self.counts, strict=True):
            below += count
            yield _sample(f"{self.name}_bucket", {"le": bound}, below)
        yield _sample(f"{self.name}_sum", {}, self.total)
        yield _sample(f"{self.name}_count", {}, below)


class Metrics:
    """What is counted while the server runs."""

    def __init__(self) -> None:
        self._ended = Counter("safelight_jobs_ended_total", "Jobs that have ended.", "state")
        self._seconds = Histogram("safelight_job_seconds", "From the start of a job to its end.")
        self._runs = Counter("safelight_node_runs_total", "Nodes that were computed.", "class")
        self._spent = Counter("safelight_node_seconds_total", "Time spent in nodes.", "class")
        self._cached = Counter("safelight_nodes_cached_total", "Nodes found in the cache.")
        self._lost = Counter("safelight_runs_lost_total", "Runs whose worker died.")
        self._answers = Counter("safelight_http_answers_total", "Answers by status.", "status")
        self._asked = Counter("safelight_http_requests_total", "Requests by method.", "method")

    def job_ended(self, state: str, seconds: float) -> None:
        """Count a job that has ended, and how long it ran."""
        self._ended.add(state)
        self._seconds.observe(seconds)

    def run_lost(self) -> None:
        """Count a run whose worker died."""
        self._lost.add()

    def node_ended(self, node_class: str, seconds: float) -> None:
        """Count a node that was computed."""
        self._runs.add(node_class)
        self._spent.add(node_class, seconds)

    def found(self, nodes: int) -> None:
        """Count nodes that need not be computed."""
        self._cached.add(amount=nodes)

    def answered(self, method: str, status: int) -> None:
        """Count an answer."""
        self._asked.add(method if method in _METHODS else "other")
        self._answers.add(str(status))

    def text(self, gauges: Iterable[Gauge]) -> str:
        """Return everything, with what stands at this moment: name, help, labelled values."""
        now = (_family(name, "gauge", told, values) for name, told, values in gauges)
        counters = (self._ended, self._runs, self._spent, self._cached, self._lost)
        http = (self._asked, self._answers)
        counted = (line for each in (*counters, *http) for line in each.lines())
        return "\n".join([*chain.from_iterable(now), *counted, *self._seconds.lines()]) + "\n"


def _family(
    name: str, kind: str, told: str, values: Iterable[tuple[Labels, float]]
) -> Iterator[str]:
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        yield _sample(name, labels, value)


def _sample(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:.10g}" if inside else f"{name} {value:.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
