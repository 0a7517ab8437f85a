"""Remembering results on disk, over restarts, within a bound of bytes.

Each result is a file of its own, named by what it depends on.  A file begins
with a digest of the rest, so that one which was cut short when the power went
is recognised, thrown away, and counts as never written.  The least recently
used files go first.  What another process removes is simply not there.
"""

import contextlib
import hashlib
import os
import queue
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Protocol

from safelight.graph.cache import MemoryCache

_DIGEST = 32  # bytes at the head of each file
_SPARE = 0.9  # when the bound is passed, files go until this part of it is used


class Codec(Protocol):
    """Turns results into bytes and back."""

    def encode(self, value: object) -> bytes | None:
        """Return the bytes of a value, or None when it is not to be kept."""
        ...

    def decode(self, content: bytes) -> object:
        """Return the value of bytes that `encode` gave.

        Raises:
            ValueError: When they are none, as of another version.
        """
        ...


class DiskCache:
    """Results in files of a folder.

    Args:
        folder: Made when it is not there.
        limit_bytes: What all files together may take.
        codec: Which results are kept, and how.
        salt: What else all results depend on, as the version of the code.
    """

    def __init__(self, folder: Path, limit_bytes: int, codec: Codec, salt: str = "") -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._codec = codec
        self._salt = salt
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob("*.part"):
            torn.unlink(missing_ok=True)
        self._sizes = {file.name: file.stat().st_size for file in _by_age(folder)}
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """What all files take together."""
        with self._lock:
            return sum(self._sizes.values())

    def __contains__(self, name: object) -> bool:
        return self._file(str(name)) in self._sizes

    def get(self, name: str) -> object | None:
        """Return a result, or None when it is not there or damaged."""
        file = self._file(name)
        if file not in self._sizes:
            return None
        path = self._folder / file
        try:
            content = path.read_bytes()
            if (
                hashlib.blake2b(content[_DIGEST:], digest_size=_DIGEST).digest()
                != content[:_DIGEST]
            ):
                raise ValueError("torn")
            value = self._codec.decode(content[_DIGEST:])
            os.utime(path)
        except (OSError, ValueError):
            self._drop(file)
            return None
        with self._lock:  # the most recently used stands last
            self._sizes[file] = self._sizes.pop(file, len(content))
        return value

    def put(self, name: str, value: object) -> None:
        """Keep a result, if it is one to be kept; a full disk keeps nothing."""
        content = self._codec.encode(value)
        if content is None or len(content) + _DIGEST > self._limit:
            return
        file = self._file(name)
        part = self._folder / f"{file}.part"
        try:
            digest = hashlib.blake2b(content, digest_size=_DIGEST).digest()
            part.write_bytes(digest + content)
            part.replace(self._folder / file)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            return
        with self._lock:
            self._sizes[file] = len(content) + _DIGEST
        self._tidy()

    def clear(self) -> None:
        """Throw everything away."""
        for file in list(self._sizes):
            self._drop(file)

    def _tidy(self) -> None:
        with self._lock:
            used, old = sum(self._sizes.values()), list(self._sizes.items())
        if used <= self._limit:
            return
        for file, size in old:
            if used <= _SPARE * self._limit:
                return
            self._drop(file)
            used -= size

    def _drop(self, file: str) -> None:
        with self._lock:
            self._sizes.pop(file, None)
        with contextlib.suppress(OSError):
            (self._folder / file).unlink(missing_ok=True)

    def _file(self, name: str) -> str:
        return hashlib.blake2b(f"{self._salt};{name}".encode(), digest_size=16).hexdigest()


class TwoTiers(MutableMapping[str, object]):
    """A memory cache in front of one on disk, which is written in a thread of its own."""

    def __init__(self, memory: MemoryCache, disk: DiskCache) -> None:
        self._memory = memory
        self._disk = disk
        self._waiting: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._write, name="safelight-cache", daemon=True).start()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written; returns whether it is."""
        return self._idle.wait(timeout_s)

    def __getitem__(self, name: str) -> object:
        if name in self._memory:
            return self._memory[name]
        value = self._disk.get(name)
        if value is None:
            raise KeyError(name)
        self._memory[name] = value
        return value

    def __setitem__(self, name: str, value: object) -> None:
        self._memory[name] = value
        self._idle.clear()
        self._waiting.put((name, value))

    def __delitem__(self, name: str) -> None:
        del self._memory[name]

    def __contains__(self, name: object) -> bool:
        return name in self._memory or name in self._disk

    def __iter__(self) -> Iterator[str]:
        return iter(self._memory)

    def __len__(self) -> int:
        return len(self._memory)

    def _write(self) -> None:
        while True:
            name, value = self._waiting.get()
            if name not in self._disk:
                self._disk.put(name, value)
            del value  # it may be large, and the next may be long in coming
            if self._waiting.empty():
                self._idle.set()


def _by_age(folder: Path) -> list[Path]:
    """Return the files of a folder, the least recently used first."""
    return sorted((file for file in folder.iterdir() if file.is_file()), key=_used_at)


def _used_at(file: Path) -> float:
    return file.stat().st_mtime
