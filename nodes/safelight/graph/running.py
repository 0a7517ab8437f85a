"""One run of a graph, from what is wanted to its results.

Needed is what the wanted nodes need, walking back along the wires to what is
remembered (`_need`).  Then whatever is ready runs (`_step`): in this thread,
or beside it, when it writes files or is a coroutine.  A node may turn out to
need more: a lazy input, or the nodes of an expansion; it then waits for them
and is ready again.
"""

import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import RLock

from safelight.graph.agenda import Agenda
from safelight.graph.background import Background
from safelight.graph.book import Book
from safelight.graph.calling import Calling, joined
from safelight.graph.context import RunContext, Surroundings
from safelight.graph.events import (
    Cached,
    Event,
    Expanded,
    Finished,
    Interrupted,
    NodeFailed,
    Started,
)
from safelight.graph.fetching import Inputs, Wires, newly_needed
from safelight.graph.kinds import Kind, Kinds
from safelight.graph.node import Context, Node
from safelight.graph.returns import Blocked, Expansion, shown_by
from safelight.graph.unfolding import Unfolder, resolved
from safelight.graph.wiring import Call, Graph, Link, sources

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Plugs:
    """Where a run touches the world; see `execute` in `executor`."""

    cache: MutableMapping[str, object]
    observe: Callable[[Event], object]
    stop: Callable[[], bool]
    invoke: Callable[[Node, Context], object]


@dataclass(frozen=True, slots=True)
class _Work:
    """A node under way: what its calls have given, and how many expansions it has made."""

    calling: Calling
    began: float
    results: list[object]
    expansions: int = 0


class Run:
    """One execution: the plugs, and what is known so far."""

    def __init__(
        self,
        graph: Graph,
        catalog: Mapping[str, type[Node]],
        surroundings: Surroundings,
        plugs: Plugs,
    ) -> None:
        self.wanted = graph.wanted
        self.surroundings = surroundings
        self.plugs = plugs
        self.book = Book(graph, Kinds(catalog), surroundings)
        self.wires = Wires(self.book.calls, self.book.kinds)
        self.known = self.wires.known
        self.agenda = Agenda(frozenset(graph.wanted))
        self.unfolder = Unfolder(catalog, self.book, surroundings.folders)
        self.parked: dict[str, _Work] = {}  # nodes whose expansions run
        self.asked: dict[str, set[str]] = {}  # lazy inputs that nodes have asked for
        self.background = Background()
        self.lock = RLock()

    def results(self) -> dict[str, object]:
        """Run everything that is needed; files are on disk when this returns."""
        self._need(self.wanted)
        remembered = (
            key
            for key, name in self.book.names.items()
            if key in self.known or (key not in self.agenda and name in self.plugs.cache)
        )
        self._observe(Cached(tuple(remembered)))
        try:
            self._work()
        except Interrupted as stop:
            failure = self.background.failure()
            if isinstance(failure, NodeFailed):  # a node beside failed, which stopped this one
                raise failure from failure.cause
            raise Interrupted(self.book.root(stop.node)) from None
        finally:
            self.background.close()
        return {key: self.known[key] for key in self.wanted}

    def _work(self) -> None:
        """Do what is ready until nothing is left."""
        while (ready := self._next()) is not None:
            key, ended = ready
            try:
                if ended is None:
                    self._step(key)
                else:
                    self._take(key, ended.result())
            except (Interrupted, NodeFailed):
                raise
            except Exception as cause:  # whatever it is, it is told with the node's name
                raise self.book.failed(key, cause, {}) from cause

    def _next(self) -> tuple[str, "Future[_Work | None] | None"] | None:
        """Return a node that has ended beside this thread, or else one that is ready."""
        ended = self.background.ended()
        if ended is not None:
            return ended
        key = self.agenda.next()
        if key is not None:
            return key, None
        if self.background.busy:
            ended = self.background.wait(self.plugs.stop)
            if ended is None:
                raise Interrupted(self.background.busy[0])
            return ended
        if self.agenda.unfinished:
            stuck = RuntimeError("it waits for what waits for it")
            raise self.book.failed(next(iter(self.agenda.unfinished)), stuck, {})
        return None

    def _need(self, keys: Iterable[str]) -> None:
        """Put nodes on the agenda, with what they need, as far as it is not remembered."""
        waiting = list(keys)
        while waiting:
            key = waiting.pop()
            if key in self.agenda:
                continue
            call, name = self.book.calls[key], self.book.names[key]
            kind = self.book.kinds[call.node_class]
            reads = waits = sources(call)
            result = self.plugs.cache.get(name, _ABSENT)
            if result is not _ABSENT and kind.holds(result):
                self.known[key] = result
                reads = waits = []
            elif not kind.effect and self.book.firsts[name] != key:
                reads = waits = [self.book.firsts[name]]
            elif kind.raw or kind.lazy:
                waits = sources(call, kind.raw | kind.lazy)
            self.agenda.add(key, self.book.places[key], kind.aside, waits, reads)
            waiting.extend(waits)

    def _step(self, key: str) -> None:
        """Do what is ready: report what is remembered, run, or go on after an expansion."""
        call = self.book.calls[key]
        kind = self.book.kinds[call.node_class]
        if key in self.known:
            self._repeat(key, self.known[key])
        elif key in self.parked:
            self._resume(key, self.parked.pop(key))
        elif not kind.effect and (first := self.book.firsts[self.book.names[key]]) != key:
            self._repeat(key, self.known[first])
        elif kind.lazy and (more := self._asked_for(key, call, kind)):
            self._need(more)
            self.agenda.wait(key, more)
        else:
            self._run(key, call, kind)

    def _run(self, key: str, call: Call, kind: Kind) -> None:
        """Call a node, here or beside."""
        if self._stop():
            raise Interrupted(key)
        self._observe(Started(key))
        work = _Work(self._calling(key, call, kind), time.perf_counter(), [])
        row = self.wires.single(kind, call) if kind.simple else None
        if row is not None:
            work.results.append(work.calling.once(row))
            self._take(key, self._completed(work))
            return
        rows = self.wires.rows(kind, call, self.asked.get(key, ()))
        if kind.asynchronous:
            self.background.submit_coroutine(key, self._in_loop(work, rows))
        elif kind.aside:
            self.background.submit(key, lambda: self._called(work, rows))
        else:
            self._take(key, self._called(work, rows))

    def _asked_for(self, key: str, call: Call, kind: Kind) -> list[str]:
        """Return the nodes behind lazy inputs that a node needs and that are not made yet."""
        asked = self.asked.setdefault(key, set())
        while new := newly_needed(kind, call, self.wires, asked):
            asked |= new
            links = (call.inputs[name] for name in new)
            missing = {link.source for link in links if type(link) is Link}
            missing -= self.known.keys()
            if missing:
                return sorted(missing)
        return []

    def _called(self, work: _Work, rows: list[Inputs]) -> _Work | None:
        work.results.extend(work.calling.all(rows))
        return self._completed(work)

    async def _in_loop(self, work: _Work, rows: list[Inputs]) -> _Work | None:
        work.results.extend(await work.calling.all_together(rows))
        return self._completed(work)

    def _completed(self, work: _Work) -> _Work | None:
        """Keep and report a node's result; return the work if expansions are to come first."""
        for result in work.results:
            if type(result) is Expansion:
                return work
        key, result = work.calling.key, joined(work.results)
        self.known[key] = result
        if type(result) is not Blocked:  # cheap to find again, and its reason is told again
            self.plugs.cache[self.book.names[key]] = result
        self._report(key, False, time.perf_counter() - work.began)
        return None

    def _take(self, key: str, left: _Work | None) -> None:
        """Mark a node as done, or let it wait for the nodes of its expansions."""
        if left is None:
            self._finish(key)
            return
        awaited: list[str] = []
        for index, result in enumerate(left.results):
            if type(result) is Expansion:
                unfolded = self.unfolder.unfold(key, index, left.expansions, result)
                self._observe(Expanded(key, unfolded.classes))
                left.results[index] = unfolded.rest
                awaited += unfolded.awaited
        self.parked[key] = left
        self._need(awaited)
        self.agenda.read(key, awaited)
        self.agenda.wait(key, awaited)

    def _resume(self, key: str, work: _Work) -> None:
        """Make a node's result of what its expansions gave."""
        for index, result in enumerate(work.results):
            if type(result) is Expansion:
                work.results[index] = resolved(result, self.wires)
        self._take(key, self._completed(replace(work, expansions=work.expansions + 1)))

    def _calling(self, key: str, call: Call, kind: Kind) -> Calling:
        context = RunContext(
            key, self.surroundings, lambda: self.book.metadata, self._observe, self._stop
        )
        told = self.book.told(key) if kind.hidden else {}
        return Calling(key, kind, told, context, self.plugs.invoke, self._observe, self.book.failed)

    def _stop(self) -> bool:
        return self.plugs.stop() or self.background.failure() is not None

    def _repeat(self, key: str, result: object) -> None:
        """Give a node a result that was there before."""
        self.known[key] = result
        self._report(key, True, 0.0)
        self._finish(key)

    def _finish(self, key: str) -> None:
        self.asked.pop(key, None)
        for released in self.agenda.finish(key):
            self.known.pop(released, None)

    def _report(self, key: str, cached: bool, seconds: float) -> None:
        self._observe(Finished(key, cached, shown_by(self.known[key]), seconds))

    def _observe(self, event: Event) -> None:
        with self.lock:
            self.plugs.observe(event)
