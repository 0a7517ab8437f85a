"""What a node is given to talk to while it runs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from safelight.graph.events import Event, Interrupted, Previewed, Progress
from safelight.graph.folders import Folders

T = TypeVar("T")

PREVIEW_INTERVAL_S = 0.125


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all nodes of a run.

    Attributes:
        folders: Where the user's files lie.
        metadata: What saved pictures carry besides the prompt, as "workflow".
        device: "cpu" or "cuda".
        precision: "float32", "bfloat16" or "float16".
        looking: Whether somebody would see a preview now.
        clock: Seconds that only go forward.
        tells: Whether saved files tell how they were made.
    """

    folders: Folders
    metadata: Mapping[str, object] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "float32"
    looking: Callable[[], bool] = _always
    clock: Callable[[], float] = time.monotonic
    tells: bool = True


class RunContext:
    """The context of one node: passes on progress and previews, and takes the stop."""

    __slots__ = ("_metadata", "_node", "_observe", "_previewed", "_stop", "_surroundings")

    def __init__(
        self,
        node: str,
        surroundings: Surroundings,
        metadata: Callable[[], Mapping[str, object]],
        observe: Callable[[Event], object],
        stop: Callable[[], bool],
    ) -> None:
        self._node = node
        self._surroundings = surroundings
        self._metadata = metadata
        self._observe = observe
        self._stop = stop
        self._previewed: float | None = None

    @property
    def folders(self) -> Folders:
        """Where the user's files lie."""
        return self._surroundings.folders

    @property
    def metadata(self) -> Mapping[str, object]:
        """What a saved picture carries."""
        return self._metadata()

    @property
    def device(self) -> str:
        """Where to compute."""
        return self._surroundings.device

    @property
    def precision(self) -> str:
        """What to compute in."""
        return self._surroundings.precision

    def track(self, steps: Iterable[T], total: int) -> Iterator[T]:
        """Hand on `steps`, reporting each once its user comes back for the next.

        Raises:
            Interrupted: When the run was stopped and steps are left.
        """
        for done, step in enumerate(steps, 1):
            yield step
            self._observe(Progress(self._node, done, total))
            if done < total and self._stop():
                raise Interrupted(self._node)

    def check(self) -> None:
        """Take the stop, if there is one.

        Raises:
            Interrupted: When the run was stopped.
        """
        if self._stop():
            raise Interrupted(self._node)

    def preview(self, render: Callable[[], bytes]) -> None:
        """Show a picture, if somebody looks and the last was long enough ago."""
        now = self._surroundings.clock()
        if self._previewed is not None and now - self._previewed < PREVIEW_INTERVAL_S:
            return
        if self._surroundings.looking():
            self._previewed = now
            self._observe(Previewed(self._node, render()))
