"""What a server is started with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safelight_server.retention import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve, and from where.

    Args:
        home: The folder that holds everything the user owns; made when missing.
        host: The address to listen on; beyond this machine, a token is always asked for.
        port: The port to listen on; 0 takes any free one.
        models: Further models folders.
        builtin: Files that come with Safelight, by kind and name.
        device: Where to compute: "auto", "cpu" or "cuda".
        precision: What to compute in: "auto", "float32", "bfloat16" or "float16".
        memory_bytes: How many bytes of weights to keep in memory; `None` lets the worker choose.
        token: What clients must show; made up when needed and not given.
        allowed_hosts: Further names that the server answers to.
        catalog: The module or package of the worker's nodes, instead of all installed ones.
        cache_bytes: How much the worker may remember between jobs; `None` lets it choose.
        disk_cache_bytes: How much of that it may keep on disk over restarts; 0 keeps nothing.
        webhook_hosts: Hosts that webhooks may call though they are not on the open internet.
        retention: How long finished jobs and temporary pictures are kept.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 8188
    models: tuple[Path, ...] = ()
    builtin: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    device: str = "auto"
    precision: str = "auto"
    memory_bytes: int | None = None
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    catalog: str | None = None
    cache_bytes: int | None = None
    disk_cache_bytes: int | None = None
    webhook_hosts: tuple[str, ...] = ()
    retention: Retention = field(default_factory=Retention)

    def worker_arguments(self) -> list[str]:
        """Return the worker's command line, apart from the server's address."""
        builtin = {
            kind: {name: str(path) for name, path in files.items()}
            for kind, files in self.builtin.items()
        }
        arguments = ["--home", str(self.home), "--builtin", json.dumps(builtin)]
        arguments += ["--device", self.device, "--precision", self.precision]
        for folder in self.models:
            arguments += ["--models", str(folder)]
        if self.catalog is not None:
            arguments += ["--catalog", self.catalog]
        if self.memory_bytes is not None:
            arguments += ["--memory-bytes", str(self.memory_bytes)]
        if self.cache_bytes is not None:
            arguments += ["--cache-bytes", str(self.cache_bytes)]
        if self.disk_cache_bytes is not None:
            arguments += ["--disk-cache-bytes", str(self.disk_cache_bytes)]
        return arguments
