"""One run of a job: what the worker says becomes what the client hears and the store keeps.

The order is the one that clients rely on.  A node is announced by `progress_state` and then
`executing`; each step by `progress_state`, the preview for those who want to know whose it is,
`progress`, and the preview for those who do not; the end by `executed`, when there is something
to show, and `progress_state`.
"""

import time
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from safelight_server import frames, previews, protocol
from safelight_server.metrics import Metrics
from safelight_server.protocol import JsonObject, Message
from safelight_server.records import Event, Job
from safelight_server.sockets import Client, Clients, Frame, Weight
from safelight_server.store import Store
from safelight_server.tables import State

# What is kept of a run: its states. Progress and previews are told and forgotten.
_KEPT = frozenset(
    {"execution_start", "execution_cached", "execution_warning", "executing", "executed"}
)
# Nodes in the map of progress: those that changed last. With all of them, a graph of thousands
# would be told thousands of times over.
_MOST_STATES = 64


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Run:
    """A job under one attempt, from its start to its end."""

    def __init__(self, job: Job, clients: Clients, store: Store, metrics: Metrics) -> None:
        self.job = job
        self.began = time.monotonic()
        self.stopping = False  # somebody asked for its end
        self.node: str | None = None  # at work now
        self._clients = clients
        self._store = store
        self._metrics = metrics
        self._states: dict[str, JsonObject] = {}
        self._roots: dict[str, str] = {}  # whom the nodes of expansions stand for
        self._classes: dict[str, str] = {}
        self._executed: list[str] = []
        self._preview: frames.Preview | None = None
        self._unwritten: list[Event] = []

    def owner(self) -> Client | None:
        """Return the client that asked for the job, if it listens."""
        return self._clients.of(self.job.client_id)

    def start(self) -> None:
        """Tell that the run begins."""
        self._tell(protocol.ExecutionStart(self.job.id, now_ms()))

    def hear(self, frame: frames.RunFrame) -> None:
        """Take what the worker says of a node."""
        match frame:
            case frames.Cached():
                self._metrics.found(len(frame.nodes))
                self._tell(protocol.ExecutionCached(frame.nodes, self.job.id, now_ms()))
            case frames.Started():
                self._begin(frame.node)
            case frames.Progress():
                self._advance(frame)
            case frames.Finished():
                self._complete(frame)
            case frames.Expanded():
                root = self._roots.get(frame.node, frame.node)
                self._roots.update(dict.fromkeys(frame.children, root))
                self._classes.update(frame.children)
            case frames.Warned():
                self._warn(frame)
            case _:
                pass

    def show(self, preview: frames.Preview) -> None:
        """Take an unfinished picture; it goes out with the progress that follows it."""
        self._preview = preview

    async def write(self) -> None:
        """Bring what was told since the last time into the store."""
        happened, self._unwritten = self._unwritten, []
        try:
            await self._store.append(self.job, happened)
        except SQLAlchemyError:
            self._unwritten = [*happened, *self._unwritten]
            raise

    async def end(self, state: State, message: Message) -> bool:
        """Store the end and tell it; returns False when the attempt is no longer the job's."""
        happened, self._unwritten = self._unwritten, []
        last = Event(message.type, message.data(), now_ms())
        try:
            current = await self._store.finish(self.job, state, [*happened, last])
        except SQLAlchemyError:
            self._unwritten = [*happened, *self._unwritten]
            raise
        if current:
            self._tell(message)
        return current

    def interruption(self, node: str | None = None, node_type: str | None = None) -> Message:
        """Return the message that somebody stopped the run."""
        return protocol.ExecutionInterrupted(self.job.id, node, node_type, self._executed, now_ms())

    def failure(self, frame: frames.Failed) -> Message:
        """Return the message that the run failed."""
        return protocol.ExecutionError(
            prompt_id=self.job.id,
            node_id=frame.node,
            node_type=frame.node_type,
            executed=self._executed,
            exception_message=frame.exception_message,
            exception_type=frame.exception_type,
            traceback=frame.traceback,
            current_inputs=frame.current_inputs,
            current_outputs=self._executed,
            timestamp=now_ms(),
        )

    def collapse(self, reason: str) -> Message:
        """Return the message that the worker died, at the node that it was busy with."""
        node = self._roots.get(self.node or "", self.node)
        node_type = self.job.prompt.get(node or "", {}).get("class_type")
        frame = frames.Failed(self.job.id, self.job.attempt, node, node_type, "WorkerDied", reason)
        return self.failure(frame)

    def _begin(self, node: str) -> None:
        self.node = node
        self._set_state(node, "running", 0, 1)
        self._tell(protocol.Executing(node, self._roots.get(node, node), self.job.id))

    def _advance(self, frame: frames.Progress) -> None:
        self._set_state(frame.node, "running", frame.value, frame.total)
        progress = protocol.Progress(frame.value, frame.total, self.job.id, frame.node)
        owner, preview, self._preview = self.owner(), self._preview, None
        if owner is None:
            return
        if preview is not None and owner.wants_metadata:
            root = self._roots.get(preview.node, "")
            picture = previews.preview_with_metadata(preview.jpeg, preview.node, self.job.id, root)
            owner.put(Frame(picture, Weight.PREVIEW))
        owner.say(progress)
        if preview is not None and not owner.wants_metadata:
            owner.put(Frame(previews.plain_preview(preview.jpeg), Weight.PREVIEW))

    def _complete(self, frame: frames.Finished) -> None:
        self._preview = None
        wanted = frame.node in self.job.wanted
        if not frame.cached:
            self._executed.append(frame.node)
            self._metrics.node_ended(self._class_of(frame.node), frame.seconds)
        if frame.shown is not None or (frame.cached and wanted):
            self._tell(
                protocol.Executed(
                    frame.node,
                    self._roots.get(frame.node, frame.node),
                    frame.shown,
                    self.job.id,
                    round(frame.seconds, 4),
                )
            )
        if not frame.cached or wanted:
            before = self._states.get(frame.node, {})
            total = before.get("max", 1)
            self._set_state(frame.node, "finished", total, total, round(frame.seconds, 4))

    def _warn(self, frame: frames.Warned) -> None:
        root = self._roots.get(frame.node, frame.node)
        kind = self._class_of(root)
        self._tell(protocol.ExecutionWarning(self.job.id, root, kind, frame.reason, now_ms()))

    def _class_of(self, node: str) -> str:
        known = self.job.prompt.get(node, {}).get("class_type")
        return str(self._classes.get(node, known))

    def _set_state(
        self, node: str, state: str, value: object, most: object, seconds: float | None = None
    ) -> None:
        told: JsonObject = {
            "value": value,
            "max": most,
            "state": state,
            "node_id": node,
            "prompt_id": self.job.id,
            "display_node_id": self._roots.get(node, node),
            "parent_node_id": self._roots.get(node),
            "real_node_id": self._roots.get(node, node),
        }
        self._states.pop(node, None)  # so that it stands last, as the newest
        self._states[node] = told if seconds is None else {**told, "seconds": seconds}
        if len(self._states) > _MOST_STATES:
            del self._states[next(iter(self._states))]
        self._tell(protocol.ProgressState(self.job.id, self._states))

    def _tell(self, message: Message) -> None:
        if message.type in _KEPT:
            self._unwritten.append(Event(message.type, message.data(), now_ms()))
        if (owner := self.owner()) is not None:
            owner.say(message)


def interruption_of_waiting() -> Event:
    """Return the end of a job that was cancelled before it ran (without its id)."""
    executed: Sequence[str] = ()
    message = protocol.ExecutionInterrupted("", None, None, executed, now_ms())
    return Event(message.type, message.data(), message.timestamp)
