"""The schema as others want to read it: ComfyUI's clients, the canvas, TypeScript, people."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from safelight.graph.folders import Folders
from safelight.graph.records import COMBO, InputSpec, NodeSpec, TypeSpec

# Prefix of the modules that are Safelight's own, which clients call "nodes".
_OWN = "safelight."


class _Choices:
    """The choices of inputs, each folder listed once."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._listed: dict[str, list[str]] = {}

    def of(self, entry: InputSpec) -> list[str] | None:
        if entry.folder is None:
            return None if entry.choices is None else list(entry.choices)
        if entry.folder not in self._listed:
            self._listed[entry.folder] = self._folders.names(entry.folder)
        return self._listed[entry.folder]


def object_info(nodes: Mapping[str, NodeSpec], folders: Folders) -> dict[str, Any]:
    """Return every node in the shape of ComfyUI's `GET /object_info`.

    An input is "optional" there when it may be None; one that a workflow may
    leave out because it has a default is still "required", as it is there.
    """
    choices = _Choices(folders)
    return {name: _info(spec, choices) for name, spec in nodes.items()}


def public(
    nodes: Mapping[str, NodeSpec], types: Mapping[str, TypeSpec], folders: Folders
) -> dict[str, Any]:
    """Return nodes and types as the canvas reads them.

    `min` and `max` are JSON numbers even beyond 2^53: a bound may be rounded,
    a value (always checked here) may not.
    """
    choices = _Choices(folders)
    return {
        "types": {
            name: {"bases": list(spec.bases), "title": spec.title, "help": spec.help}
            for name, spec in types.items()
        },
        "nodes": {name: _public_node(spec, choices) for name, spec in nodes.items()},
    }


def typescript(nodes: Mapping[str, NodeSpec]) -> str:
    """Return one interface of inputs per node, and the list of them all."""
    wire = "export type Wire<Type extends string> = readonly [string, number] & { type?: Type };"
    parts = [wire, *(_interface(spec) for spec in nodes.values())]
    index = "".join(f"  {_key(name)}: {_word(name)}Inputs;\n" for name in nodes)
    return "\n\n".join([*parts, f"export interface Nodes {{\n{index}}}"]) + "\n"


def manual(spec: NodeSpec) -> str:
    """Return the help page of one node."""
    lines = [f"{spec.name}: {spec.title} ({spec.category or 'no category'})", "", spec.help]
    if spec.inputs:
        lines += ["", "Inputs"]
        lines += [f"  {entry.name}  {_wish(entry)}{_about(entry.help)}" for entry in spec.inputs]
    if spec.outputs:
        lines += ["", "Outputs"]
        lines += [f"  {entry.name}  {entry.type}{_about(entry.help)}" for entry in spec.outputs]
    return "\n".join(lines) + "\n"


def _info(spec: NodeSpec, choices: _Choices) -> dict[str, Any]:
    groups = {
        "required": [entry for entry in spec.inputs if entry.required],
        "optional": [entry for entry in spec.inputs if not entry.required],
    }
    if not groups["optional"]:
        del groups["optional"]
    hidden = {"hidden": {entry.name: entry.kind for entry in spec.hidden}} if spec.hidden else {}
    info: dict[str, Any] = {
        "input": {
            group: {entry.name: config(entry, choices.of(entry)) for entry in entries}
            for group, entries in groups.items()
        }
        | hidden,
        "input_order": {
            **{group: [entry.name for entry in entries] for group, entries in groups.items()},
            **{group: list(names) for group, names in hidden.items()},
        },
        "output": [entry.type for entry in spec.outputs],
        "output_is_list": [entry.many for entry in spec.outputs],
        "output_name": [entry.name for entry in spec.outputs],
        "name": spec.name,
        "display_name": spec.title,
        "description": spec.help,
        "python_module": _python_module(spec.module),
        "category": spec.category,
        "output_node": spec.effect,
    }
    if any(entry.many for entry in spec.inputs):
        info["is_input_list"] = True
    if any(entry.help for entry in spec.outputs):
        info["output_tooltips"] = [entry.help for entry in spec.outputs]
    return info


def _python_module(module: str) -> str:
    """Return what clients tell Safelight's own nodes from those of packages by."""
    return "nodes" if module.startswith(_OWN) else f"custom_nodes.{module.partition('.')[0]}"


def config(entry: InputSpec, choices: Sequence[str] | None) -> list[Any]:
    """Return [type, options] of an input; the type of a combo is the list of its choices."""
    options: dict[str, Any] = {}
    if entry.omissible and entry.default is not None:
        options["default"] = entry.default
    for key in ("min", "max", "step", "round"):
        if (bound := getattr(entry, key)) is not None:
            options[key] = bound
    if entry.type == "STRING":
        options["multiline"] = entry.multiline
    if entry.seed:
        options["control_after_generate"] = True
    if entry.lazy:
        options["lazy"] = True
    if entry.raw:
        options["rawLink"] = True
    if entry.upload:
        options["image_upload"] = True
    if entry.help:
        options["tooltip"] = entry.help
    return [list(choices or ()) if entry.type == COMBO else entry.type, options]


def _public_node(spec: NodeSpec, choices: _Choices) -> dict[str, Any]:
    return {
        "title": spec.title,
        "category": spec.category,
        "help": spec.help,
        "version": spec.version,
        "effect": spec.effect,
        "inputs": [_public_input(entry, choices.of(entry)) for entry in spec.inputs],
        "outputs": [
            {"name": entry.name, "title": entry.title, "type": entry.type, "help": entry.help}
            for entry in spec.outputs
        ],
    }


def _public_input(entry: InputSpec, choices: Sequence[str] | None) -> dict[str, Any]:
    default = entry.default
    if default is None and choices:
        default = choices[0]
    return {
        "name": entry.name,
        "title": entry.title,
        "type": entry.type,
        "required": entry.required,
        "socket": entry.socket,
        "default": default,
        "min": entry.min,
        "max": entry.max,
        "step": entry.step,
        "round": entry.round,
        "choices": choices,
        "folder": entry.folder,
        "upload": entry.upload,
        "multiline": entry.multiline,
        "seed": entry.seed,
        "help": entry.help,
    }


def _interface(spec: NodeSpec) -> str:
    fields = "".join(
        f"  {_key(entry.name)}{'?' if entry.omissible else ''}: {_typescript_type(entry)};\n"
        for entry in spec.inputs
    )
    return f"export interface {_word(spec.name)}Inputs {{\n{fields}}}"


def _key(name: str) -> str:
    """Return a name as a key of an interface: in quotes where it is no word."""
    return name if name.isidentifier() else json.dumps(name)


def _word(name: str) -> str:
    return re.sub(r"\W", "", name)


def _typescript_type(entry: InputSpec) -> str:
    wire = f"Wire<{json.dumps(entry.type)}>"
    if entry.type == COMBO:
        return "string" if entry.choices is None else " | ".join(map(json.dumps, entry.choices))
    plain = {
        "INT": "number | string",  # a decimal string beyond 2^53
        "FLOAT": "number",
        "STRING": "string",
        "BOOLEAN": "boolean",
    }
    return f"{plain[entry.type]} | {wire}" if entry.type in plain else wire


def _wish(entry: InputSpec) -> str:
    """Return what fits an input, in one line: `INT 1..10000, 20 if left out`."""
    words = entry.type
    if entry.choices is not None:
        words = "one of " + ", ".join(entry.choices)
    elif entry.folder is not None:
        words = f"a file in {entry.folder}"
    elif entry.min is not None or entry.max is not None:
        low, high = ("" if bound is None else bound for bound in (entry.min, entry.max))
        words += f" {low}..{high}"
    if not entry.required:
        return f"{words}, may be left out"
    return f"{words}, {entry.default!r} if left out" if entry.omissible else words


def _about(text: str) -> str:
    return f"\n      {text}" if text else ""
