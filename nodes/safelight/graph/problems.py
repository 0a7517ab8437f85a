"""What is wrong with a workflow: every mistake, with node, input and wish.

The kinds and the JSON shape are those that ComfyUI's clients read; the words
are our own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from safelight.graph.values import shown

ENOUGH = 1_000  # problems after which nobody reads on
_LINES = 20  # problems that the text of an exception lists
_LONGEST_ECHO = 200  # characters of a received text that are sent back


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    Attributes:
        node: The id of the node, or None when the whole document is meant.
        input: The name of the input, if one is meant.
        kind: The type of the error in the protocol, as `value_not_in_list`.
        message: What is wrong; names the input, not the node.
        details: What would be right.
        extra: Values for programs: `input_name`, `received_value` ...
        class_type: The class of the node, as the document writes it.
        outputs: The effect nodes that cannot run because of it (some of them,
            when there are very many).
    """

    node: str | None
    input: str | None
    kind: str
    message: str
    details: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    class_type: str = ""
    outputs: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.node is None:
            return self.message
        name = f" ({self.class_type})" if self.class_type else ""
        return f"node {self.node}{name}: {self.message}"


class Invalid(ValueError):
    """A workflow that cannot run, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:_LINES]]
        if len(self.problems) > _LINES:
            lines.append(f"and {len(self.problems) - _LINES} more problems")
        super().__init__("\n".join(lines))

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer 400 to `POST /prompt`."""
        general = [entry for entry in self.problems if _is_general(entry)]
        if general:
            first = general[0]
            error = {
                "type": first.kind,
                "message": str(first),
                "details": "\n".join(filter(None, [first.details, *map(str, general[1:])])),
                "extra_info": dict(first.extra),
            }
        else:
            error = {
                "type": "prompt_outputs_failed_validation",
                "message": "the workflow has mistakes",
                "details": str(self),
                "extra_info": {},
            }
        return {"error": error, "node_errors": node_errors(self.problems)}


def invalid(kind: str, message: str, details: str = "") -> Invalid:
    """Return the refusal of a whole document."""
    return Invalid([Problem(None, None, kind, message, details)])


def node_errors(problems: Sequence[Problem]) -> dict[str, Any]:
    """Return the problems of nodes by id, in the shape that ComfyUI's clients read.

    Nodes of unknown class are not among them: they make the whole prompt
    invalid there, and are told by the error itself.
    """
    found: dict[str, Any] = {}
    for problem in problems:
        if problem.node is None or _is_general(problem):
            continue
        entry = found.setdefault(
            problem.node,
            {
                "errors": [],
                "dependent_outputs": list(problem.outputs),
                "class_type": problem.class_type,
            },
        )
        entry["errors"].append(
            {
                "type": problem.kind,
                "message": problem.message,
                "details": problem.details,
                "extra_info": dict(problem.extra),
            }
        )
    return found


def echo(value: object) -> object:
    """Return a received value as an answer may repeat it: small, and valid JSON."""
    if isinstance(value, str) and len(value) <= _LONGEST_ECHO:
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() <= 64:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return shown(value)


def _is_general(problem: Problem) -> bool:
    return problem.node is None or problem.kind == "invalid_prompt"
