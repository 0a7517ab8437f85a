"""Calling a node: once, or for each row of its inputs; here, or in a coroutine."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from safelight.graph.context import RunContext
from safelight.graph.events import Event, Interrupted, NodeFailed, Warned
from safelight.graph.fetching import Inputs
from safelight.graph.kinds import Kind
from safelight.graph.node import Context, Node
from safelight.graph.returns import Blocked, Expansion, Several

# A result of these classes need not be of the class that the node promises.
_PARTING = (Blocked, Expansion)


@dataclass(frozen=True, slots=True)
class Calling:
    """One node that is being run.

    Attributes:
        key: Its id.
        kind: What is known of its class.
        told: What the executor tells it, by name of input.
        context: What it is given to talk to.
        invoke: Runs it.
        observe: Told why a call was left out.
        failed: Makes the error of a failed call, from the id, the cause and the inputs.
    """

    key: str
    kind: Kind
    told: Inputs
    context: RunContext
    invoke: Callable[[Node, Context], Any]
    observe: Callable[[Event], object]
    failed: Callable[[str, Exception, Mapping[str, object]], NodeFailed]

    def once(self, inputs: Inputs) -> object:
        """Call the node and return what it returns.

        Raises:
            NodeFailed: When it raised, or returned something else than it promises.
            Interrupted: When it was stopped.
        """
        try:
            result = self.invoke(self.kind.node(inputs), self.context)
            return result if self.kind.asynchronous else self._kept(result)
        except (Interrupted, NodeFailed):
            raise
        except Exception as cause:  # whatever it is, it is told with the node's name
            raise self.failed(self.key, cause, inputs) from cause

    def all(self, rows: Iterable[Inputs]) -> list[object]:
        """Call the node for each row, in order; raises as `once`."""
        return [row if isinstance(row, Blocked) else self.once(row) for row in self._checked(rows)]

    async def all_together(self, rows: Iterable[Inputs]) -> list[object]:
        """Call a node whose `run` is a coroutine for all rows at once; raises as `once`."""
        return list(await asyncio.gather(*(self._one(row) for row in self._checked(rows))))

    async def _one(self, row: "Inputs | Blocked") -> object:
        if isinstance(row, Blocked):
            return row
        try:
            return self._kept(await self.once(row))  # type: ignore[misc]  # it is a coroutine
        except (Interrupted, NodeFailed):
            raise
        except Exception as cause:  # whatever it is, it is told with the node's name
            raise self.failed(self.key, cause, row) from cause

    def _checked(self, rows: Iterable[Inputs]) -> "Iterator[Inputs | Blocked]":
        """Yield the rows, and a block in place of each that holds one."""
        for row in rows:
            self.context.check()
            reasons = [value.reason for value in row.values() if isinstance(value, Blocked)]
            for reason in reasons:
                if reason is not None:
                    self.observe(Warned(self.key, reason))
            yield Blocked() if reasons else row | self.told

    def _kept(self, result: object) -> object:
        """Hold a node to its promise."""
        promise = self.kind.promise
        if promise is None or isinstance(result, (promise, *_PARTING)):
            return result
        raise TypeError(f"run promises {promise.__name__}, but returned {type(result).__name__}")


def joined(results: list[object]) -> object:
    """Return the results of all calls of a node as one."""
    if len(results) == 1:
        return results[0]
    if all(isinstance(result, Blocked) for result in results) and results:
        return Blocked()
    return Several(tuple(results))
