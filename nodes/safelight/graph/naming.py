"""Naming results by all that they depend on.

Two nodes have one name exactly when they must give the same result: same
class and version, same values, same files, same sources.  Node ids, titles and
positions are not part of it, unless the node asks for them.  The name is the
key under which a result is remembered.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping

from safelight.graph.events import NodeFailed
from safelight.graph.folders import FolderError, Folders
from safelight.graph.kinds import Kind
from safelight.graph.wiring import Call, Held, Link


class Names(dict[str, str]):
    """The names of results by node id.

    Each is made from the names of its sources, so the cost is linear.

    Args:
        kinds: What is known of the classes of nodes.
        folders: Where files lie that inputs name.
        salt: What else changes all results, as the device.
        graph: Names the whole graph, for nodes that look at it.
        silent: Whether files shall not tell how they were made, so that those that do are others.
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        folders: Folders,
        salt: str = "",
        graph: Callable[[], str] = str,
        *,
        silent: bool = False,
    ) -> None:
        super().__init__()
        self._kinds = kinds
        self._folders = folders
        self._salt = salt
        self._graph = graph
        self._silent = silent

    def add(self, key: str, call: Call) -> str:
        """Name the result of a node, whose sources have names.

        Raises:
            NodeFailed: When a file is no longer there.
        """
        kind = self._kinds[call.node_class]
        parts = [f"{self._salt};{call.node_class}/{call.version}"]
        for name, value in sorted(call.inputs.items()):
            if type(value) is Link:
                parts.append(f"{name}<{self[value.source]}.{value.slot}")
            elif type(value) is Held:
                parts.append(f"{name}~{value.name}")
            else:  # repr tells 1, 1.0, True and "1" apart, and closes its quotes
                parts.append(f"{name}={value!r}")
        if kind.effect and self._silent:
            parts.append("silent")
        if kind.folders:
            parts.extend(self._stamps(key, call, kind))
        if kind.stamp is not None:
            parts.append(f"@{self._stamp(kind.stamp, call)}")
        if kind.hidden:
            parts.extend(self._told(key, kind))
        text = ";".join(parts).encode("utf-8", "surrogatepass")
        name = self[key] = hashlib.blake2b(text, digest_size=16).hexdigest()
        return name

    def _stamps(self, key: str, call: Call, kind: Kind) -> list[str]:
        """Return the states of the files that a call names."""
        stamps: list[str] = []
        for name, folder in sorted(kind.folders.items()):
            value = call.inputs.get(name)
            if isinstance(value, str):
                try:
                    stamps.append(f"{name}@{self._folders.stamp(folder, value)}")
                except FolderError as error:
                    raise NodeFailed(key, call.node_class, error, {name: value}) from error
        return stamps

    def _stamp(self, stamp: Callable[..., str | None], call: Call) -> str:
        plain = {k: v for k, v in call.inputs.items() if type(v) not in (Link, Held)}
        try:
            found = stamp(plain, self._folders)
        except Exception:  # whoever cannot tell is asked to run, and fails there if it must
            found = None
        return secrets.token_hex(16) if found is None else found

    def _told(self, key: str, kind: Kind) -> list[str]:
        told = [f"#{key}"] if kind.told("UNIQUE_ID") else []
        return [*told, f"##{self._graph()}"] if kind.told("DYNPROMPT") else told
