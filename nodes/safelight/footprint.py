"""How much memory there is, and how much of it a result takes."""

import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_UNKNOWN = 8 * 2**30  # taken for the machine's memory where the system does not tell it
# Where Linux tells how much of the machine's memory a container may have, in bytes.
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# How much of a device's memory weights may fill; the rest is for what is computed with them.
_WEIGHTS_SHARE = {"cpu": 0.6, "cuda": 0.75}


def size_of(result: object) -> int:
    """Return the bytes of the tensors, arrays, texts and pictures that a result holds.

    Weights mapped from a file count like any others: they are what the bound is there for.  A
    thing that is reached twice is counted once.
    """
    total = 0
    seen: set[int] = set()
    waiting: list[object] = [result]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        size = _own_size(value)
        if size is None:
            waiting.extend(_parts(value))
        else:
            total += size
    return total


def installed_memory(limits: Sequence[Path] = _LIMITS) -> int:
    """Return the machine's memory in bytes, or as much of it as this process may have."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return _UNKNOWN
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    told = (path.read_text().strip() for path in limits if path.is_file())
    return min([installed, *(int(text) for text in told if text.isdigit())])


def room_for_weights(device: str) -> int:
    """Return how many bytes of weights to keep on a device if the user does not say."""
    (found,) = device_memory(device)
    return int(_WEIGHTS_SHARE[device] * found["vram_total"])


def device_memory(device: str) -> list[dict[str, Any]]:
    """Return the device in the shape of ComfyUI's /system_stats; sizes in bytes."""
    torch = sys.modules.get("torch")
    if device != "cuda" or torch is None:
        total = installed_memory()
        return [_device("cpu", "cpu", None, total, total, total, total)]
    free, total = torch.cuda.mem_get_info()
    reserved = torch.cuda.memory_reserved()
    unused = reserved - torch.cuda.memory_allocated()
    name = torch.cuda.get_device_name()
    return [_device(name, "cuda", 0, total, free + unused, reserved, unused)]


def _device(
    name: str, kind: str, index: int | None, total: int, free: int, ours: int, unused: int
) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "index": index,
        "vram_total": total,
        "vram_free": free,
        "torch_vram_total": ours,
        "torch_vram_free": unused,
    }


def _own_size(value: object) -> int | None:
    """Return the size of a value without parts, or `None` for one that has some."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if value is None or isinstance(value, bool | int | float | type):
        return 16
    size = getattr(value, "nbytes", None)
    return size if isinstance(size, int) else None


def _parts(value: object) -> Iterator[object]:
    """Yield what a value holds, as far as it can be seen without asking it for anything."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield getattr(value, field.name, None)
    elif hasattr(value, "_parameters"):  # a network: its tensors, and the networks inside
        yield from vars(value).values()
