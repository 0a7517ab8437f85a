r"""The shelf: which copies of networks stay in memory when there is not room for all.

Each network that computes does so as a copy in the device's memory (see `memory`).  A copy is
worth keeping, for making it takes seconds, and it costs the bytes of its weights; weights that
two copies share count once.  A shelf has room for so many bytes, its budget:

    held = bytes of all weights in copies on the shelf  <=  budget

When another copy wants room, those go that nobody is borrowing, one by one, the one that was
borrowed longest ago first ("least recently used"): what has not been used for a while will be
missed last.  What somebody is borrowing always stays.

Source: Mattson et al. 1970, "Evaluation techniques for storage hierarchies", IBM Systems Journal
9 (2), for the rule.
"""

from collections.abc import Generator, Hashable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from threading import RLock
from weakref import WeakKeyDictionary

from torch import nn

from safelight.diffusion.streaming import Bytes

# Bytes of weights, each by its tensor's id; whoever has the table keeps these tensors alive.
Sizes = Mapping[int, int]


@dataclass(eq=False)
class Copy:
    """A copy of a network, of which a part may be streamed for lack of room."""

    network: nn.Module
    sizes: Sizes  # of the weights that are on the shelf
    vacant: Bytes = inf  # bytes there were for it, if these were too few
    borrowers: int = 0
    turn: int = 0  # when it was last borrowed


@dataclass(eq=False)
class Shelf:
    """The copies there are, by the network they are of and by where they compute."""

    budget: Bytes = inf
    lock: RLock = field(default_factory=RLock)
    # Weak, so that a network that is dropped takes its copies along.
    _copies: WeakKeyDictionary[nn.Module, dict[Hashable, Copy]] = field(
        default_factory=WeakKeyDictionary
    )
    _turn: int = 0

    def find(self, network: nn.Module, place: Hashable) -> Copy | None:
        """Return the copy of a network; none if there is more room by now than it was made for."""
        copy = self._copies.get(network, {}).get(place)
        outgrown = copy is not None and not copy.borrowers and copy.vacant < self.vacant
        return None if outgrown else copy

    def put(self, network: nn.Module, place: Hashable, copy: Copy) -> None:
        """Keep a copy, in the place of an earlier one."""
        self._copies.setdefault(network, {})[place] = copy

    @contextmanager
    def lent(self, copy: Copy) -> Generator[None, None, None]:
        """Hold on to a copy while somebody borrows it."""
        with self.lock:
            copy.borrowers += 1
            self._turn += 1
            copy.turn = self._turn
        try:
            yield
        finally:
            with self.lock:
                copy.borrowers -= 1
                self.clear()

    @property
    def held(self) -> int:
        """The bytes of all weights on the shelf."""
        return _bytes(copy.sizes for copy in self._all())

    @property
    def vacant(self) -> Bytes:
        """The bytes that there would be room for if all went that nobody is borrowing."""
        return self.budget - _bytes(copy.sizes for copy in self._all() if copy.borrowers)

    def clear(self, wanted: Bytes = 0, beside: Sizes | None = None) -> Bytes:
        """Make room for `wanted` bytes as far as may be, and return how much there is then.

        `beside` are weights that are kept alive whether or not a copy on the shelf has them.
        """
        while (room := self._room(beside or {})) < wanted and (idle := self._idle()):
            self._drop(min(idle, key=lambda copy: copy.turn))
        return room

    def empty(self) -> None:
        """Drop everything that nobody is borrowing."""
        for copy in self._idle():
            self._drop(copy)

    def _room(self, beside: Sizes) -> Bytes:
        return self.budget - _bytes([beside, *(copy.sizes for copy in self._all())])

    def _all(self) -> list[Copy]:
        return [copy for copies in self._copies.values() for copy in copies.values()]

    def _idle(self) -> list[Copy]:
        return [copy for copy in self._all() if not copy.borrowers]

    def _drop(self, gone: Copy) -> None:
        for copies in self._copies.values():
            for place in [place for place, copy in copies.items() if copy is gone]:
                del copies[place]


def _bytes(tables: Iterable[Sizes]) -> int:
    """Add up sizes; what is in several tables counts once."""
    union: dict[int, int] = {}
    for table in tables:
        union |= table
    return sum(union.values())
