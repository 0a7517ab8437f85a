"""Remembering results within a bound of bytes; the least recently used go first."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from threading import RLock


class MemoryCache(MutableMapping[str, object]):
    """A mapping from names of results to results that forgets rather than grow.

    Reading a result counts as using it; asking whether it is there does not.
    A result larger than the whole bound is not kept.  Safe to use from
    several threads.

    Args:
        limit_bytes: What all results together may take.
        size_of: The bytes that one result takes.
    """

    def __init__(self, limit_bytes: int, size_of: Callable[[object], int]) -> None:
        self.limit_bytes = limit_bytes
        self._size_of = size_of
        self._entries: OrderedDict[str, tuple[object, int]] = OrderedDict()
        self._bytes = 0
        self._lock = RLock()

    @property
    def used_bytes(self) -> int:
        """What the results kept now take together."""
        return self._bytes

    def __getitem__(self, name: str) -> object:
        with self._lock:
            value, _ = self._entries[name]
            self._entries.move_to_end(name)
            return value

    def __setitem__(self, name: str, value: object) -> None:
        size = self._size_of(value)
        with self._lock:
            self.pop(name, None)
            if size > self.limit_bytes:
                return
            self._entries[name] = (value, size)
            self._bytes += size
            while self._bytes > self.limit_bytes:
                _, (_, freed) = self._entries.popitem(last=False)
                self._bytes -= freed

    def __delitem__(self, name: str) -> None:
        with self._lock:
            _, size = self._entries.pop(name)
            self._bytes -= size

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
