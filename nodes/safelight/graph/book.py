"""The calls of a run: those of the graph, and those that expansions add to it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cached_property

from safelight.graph.agenda import Place
from safelight.graph.context import Surroundings
from safelight.graph.events import NodeFailed
from safelight.graph.kinds import Kinds
from safelight.graph.naming import Names
from safelight.graph.wiring import Call, Graph


class Book:
    """What is known of each node of a run.

    Attributes:
        calls: The calls by id.
        kinds: What is known of their classes.
        names: The names of their results.
        places: Where they stand.
        firsts: By name of result: the first node that gives it.
        roots: By id of a node that an expansion added: whom it stands for.
    """

    def __init__(self, graph: Graph, kinds: Kinds, surroundings: Surroundings) -> None:
        self._graph = graph
        self._surroundings = surroundings
        self.calls: dict[str, Call] = {}
        self.kinds = kinds
        salt = f"{surroundings.device}/{surroundings.precision}"
        silent = not surroundings.tells
        self.names = Names(kinds, surroundings.folders, salt, lambda: self._digest, silent=silent)
        self.places: dict[str, Place] = {}
        self.firsts: dict[str, str] = {}
        self.roots: dict[str, str] = {}
        self.adopt(graph.calls, ())

    def adopt(self, calls: Mapping[str, Call], place: Place) -> None:
        """Take in calls, their sources before them, at a place of the graph.

        Raises:
            NodeFailed: When a file is no longer there.
        """
        for index, (key, call) in enumerate(calls.items()):
            self.calls[key] = call
            self.places[key] = (*place, index)
            try:
                self.firsts.setdefault(self.names.add(key, call), key)
            except NodeFailed as failure:
                raise self.failed(key, failure.cause, failure.inputs) from failure.cause

    def graph(self) -> Graph:
        """Return all calls so far as a graph."""
        return Graph(dict(self.calls), self._graph.wanted)

    def root(self, key: str) -> str:
        """Return the node of the graph that a node stands for: itself, as a rule."""
        while key in self.roots:
            key = self.roots[key]
        return key

    def failed(self, key: str, cause: Exception, inputs: Mapping[str, object]) -> NodeFailed:
        """Return the error of a node, told of the one that the user knows."""
        root = self.root(key)
        within = "" if root == key else f"{key} ({self.calls[key].node_class})"
        return NodeFailed(root, self.calls[root].node_class, cause, _plain(inputs), within)

    @cached_property
    def metadata(self) -> Mapping[str, object]:
        """What saved pictures carry; made only when a node asks."""
        if not self._surroundings.tells:
            return {}
        return {"prompt": self._graph.prompt(), **self._surroundings.metadata}

    def told(self, key: str) -> dict[str, object]:
        """Return the hidden inputs of a node."""
        tells = self._surroundings.tells  # packs write both of these into files
        sources: Mapping[str, Callable[[], object]] = {
            "PROMPT": lambda: self._graph.prompt() if tells else None,
            "DYNPROMPT": self.graph,
            "EXTRA_PNGINFO": lambda: (dict(self._surroundings.metadata) if tells else {}) or None,
            "UNIQUE_ID": lambda: key,
        }
        hidden = self.kinds[self.calls[key].node_class].hidden
        return {entry.name: sources[entry.kind]() for entry in hidden}

    @cached_property
    def _digest(self) -> str:
        """A name of the graph itself, with its ids."""
        text = json.dumps(self._graph.prompt(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(inputs: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value if isinstance(value, bool | int | float | str) else type(value).__name__
        for name, value in inputs.items()
    }
