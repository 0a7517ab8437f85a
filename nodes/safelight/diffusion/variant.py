"""Variants: a network with a few parts exchanged, sharing all others.

A technique that changes a network (a LoRA its weights, perturbed attention one layer, an
image prompt every attention) must not touch the network itself: another branch of the same
graph may use it unchanged, and its weights may be mapped from a file.  So only the modules
on the way to what changes are copied, and those hold the very tensors of the original:

    root ── a ── x        root' ── a' ── x'      new: root', a', x'
         └─ b                   └─ b             shared: b
"""

from collections.abc import Mapping
from copy import copy
from typing import TypeVar

from torch import nn

from safelight.diffusion.memory import lies_in_same_file

Network = TypeVar("Network", bound=nn.Module)


def variant(network: Network, parts: Mapping[str, nn.Module | nn.Parameter]) -> Network:
    """Return `network` with other `parts`, named by their paths ("middle.transformer").

    A part may be a module or a parameter; an outer part is put in before those inside it.

    Raises:
        KeyError: the network has no part of that name.
    """
    changed = _twin(network)
    fresh: dict[str, nn.Module] = {"": changed}
    for path in sorted(parts):
        outer, _, name = path.rpartition(".")
        _put(_opened(fresh, outer), name, path, parts[path])
    lies_in_same_file(changed, network)
    return changed


def _opened(fresh: dict[str, nn.Module], path: str) -> nn.Module:
    """Return the twin of the module at `path`, making it if it is still the original."""
    if path not in fresh:
        outer, _, name = path.rpartition(".")
        holder = _opened(fresh, outer)
        original = holder._modules.get(name)
        if original is None:
            raise KeyError(f"the network has no part {path}")
        fresh[path] = holder._modules[name] = _twin(original)
    return fresh[path]


def _put(holder: nn.Module, name: str, path: str, part: nn.Module | nn.Parameter) -> None:
    if isinstance(part, nn.Module) and holder._modules.get(name) is not None:
        holder._modules[name] = part
    elif isinstance(part, nn.Parameter) and holder._parameters.get(name) is not None:
        holder._parameters[name] = part
    else:
        raise KeyError(f"the network has no part {path}")


def _twin(module: Network) -> Network:
    """Copy a module but neither its parts nor its tensors."""
    twin = copy(module)
    for table in ("_modules", "_parameters", "_buffers"):
        twin.__dict__[table] = dict(module.__dict__[table])
    return twin
