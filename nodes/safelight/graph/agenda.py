"""What is to be done, what can be done now, and which results nobody needs any more.

A node is added with the nodes it waits for.  Once they are done it is ready;
among ready nodes those that run beside the others come first, then those that
stand first in the graph.  A result is released when all nodes that read it are
done.  Everything takes constant time, but for the queue's logarithm.
"""

from collections.abc import Collection, Iterable
from heapq import heappop, heappush
from typing import TypeAlias

# Where a node stands: its index in the graph; for those of expansions, after their parent.
Place: TypeAlias = tuple[int, ...]


class Agenda:
    """The nodes of a run that are needed, done ones included until they are released."""

    def __init__(self, kept: Collection[str]) -> None:
        self._kept = kept  # never released
        self._entries: dict[str, tuple[bool, Place, str]] = {}
        self._unmet: dict[str, int] = {}  # what each unfinished node still waits for
        self._waiting: dict[str, list[str]] = {}  # who waits for a node
        self._reads: dict[str, list[str]] = {}  # what an unfinished node reads
        self._readers: dict[str, int] = {}  # unfinished nodes that read a result
        self._ready: list[tuple[bool, Place, str]] = []
        self._done: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._unmet or key in self._done

    @property
    def unfinished(self) -> Collection[str]:
        """The nodes that are not done."""
        return self._unmet.keys()

    def add(
        self, key: str, place: Place, aside: bool, waits: Iterable[str], reads: Iterable[str]
    ) -> None:
        """Take on a node that waits for some nodes and reads the results of some."""
        self._entries[key] = (not aside, place, key)
        self._unmet[key] = 0
        self._reads[key] = []
        self.read(key, reads)
        self.wait(key, waits)

    def read(self, key: str, sources: Iterable[str]) -> None:
        """Keep these results until the node is done."""
        for source in sources:
            self._reads[key].append(source)
            self._readers[source] = self._readers.get(source, 0) + 1

    def wait(self, key: str, sources: Iterable[str]) -> None:
        """Let the node wait for these, and make it ready after them."""
        for source in sources:
            if source not in self._done:
                self._unmet[key] += 1
                self._waiting.setdefault(source, []).append(key)
        if not self._unmet[key]:
            heappush(self._ready, self._entries[key])

    def next(self) -> str | None:
        """Return a node that can be done now, if there is one."""
        return heappop(self._ready)[2] if self._ready else None

    def finish(self, key: str) -> list[str]:
        """Mark a node as done; return the nodes whose results nobody needs any more."""
        del self._unmet[key]
        self._done.add(key)
        for user in self._waiting.pop(key, ()):
            self._unmet[user] -= 1
            if not self._unmet[user]:
                heappush(self._ready, self._entries[user])
        released: list[str] = []
        for source in self._reads.pop(key):
            self._readers[source] -= 1
            if not self._readers[source] and source not in self._kept:
                self._done.discard(source)
                released.append(source)
        return released
