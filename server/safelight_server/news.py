"""Who waits for something new about a job is woken when it is in the store."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Generator


class News:
    """One bell per listener, by job."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.closed = False  # the server stops: nobody shall wait any longer

    def __len__(self) -> int:
        return sum(len(bells) for bells in self._bells.values())

    @contextlib.contextmanager
    def about(self, job_id: str) -> Generator[asyncio.Event, None, None]:
        """Yield a bell that rings at every change of a job."""
        bell = asyncio.Event()
        self._bells[job_id].add(bell)
        try:
            yield bell
        finally:
            self._bells[job_id].discard(bell)
            if not self._bells[job_id]:
                del self._bells[job_id]

    def tell(self, job_id: str) -> None:
        """Wake those who wait for news of a job."""
        for bell in self._bells.get(job_id, ()):
            bell.set()

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closed = True
        for job_id in self._bells:
            self.tell(job_id)
