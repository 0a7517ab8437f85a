"""From JSON to a checked graph, finding every mistake at once.

A workflow is nodes by id; each input is a value or a link `[id, slot]`.  Only
what the effect nodes need is looked at, walking from them back along the
links, without recursion.  What comes out can be run without further checks.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from safelight.graph.checking import EXPLAINED, Checker, unknown_class
from safelight.graph.comfy import NodeText, nodes_of
from safelight.graph.convert import opened
from safelight.graph.flattening import flat
from safelight.graph.folders import Folders
from safelight.graph.modes import OFF
from safelight.graph.problems import ENOUGH, Invalid, Problem, invalid
from safelight.graph.schema import Schema
from safelight.graph.settings import apply_settings
from safelight.graph.wiring import Call, Graph, Link, sources

__all__ = ["Call", "Graph", "Invalid", "Link", "Problem", "apply_settings", "parse"]

_NAMED = 12  # nodes of a circle that a message names
_REPORTED_OUTPUTS = 64  # effect nodes that a problem may name
_MORE = Problem(
    None,
    None,
    "prompt_outputs_failed_validation",
    f"the workflow has more than {ENOUGH} mistakes; these are the first",
)


def parse(
    document: object,
    schema: Schema,
    folders: Folders,
    targets: Collection[str] | None = None,
    *,
    partial: bool = False,
) -> Graph:
    """Check a workflow and return what is to run.

    Args:
        document: A Safelight document, a bare API prompt, or a file of ComfyUI's
            canvas, as JSON values.
        schema: The nodes that there are.
        folders: Where files that inputs name must lie.
        targets: Only these effect nodes, or those in these subgraphs; None means all of them.
        partial: Whether to drop effect nodes that cannot run, telling why in
            `Graph.problems`, as long as one can.

    Raises:
        Invalid: With every mistake, in the order of the document.
    """
    nodes = nodes_of(flat(opened(document, schema).document, schema))
    wanted = _wanted(nodes, schema, targets)
    checker = Checker(nodes, schema, folders)
    calls = _walk(wanted, checker)
    if not checker.problems:
        return Graph(calls, wanted)
    found = _problems(nodes, wanted, calls, checker.problems)
    if checker.full:
        raise Invalid([*found, _MORE])
    good = _unharmed(wanted, calls, checker.problems) if partial else ()
    if not good:
        raise Invalid(found)
    needed = _reached(good, {key: sources(call) for key, call in calls.items()})
    kept = {key: call for key, call in calls.items() if key in needed}
    return Graph(kept, good, found)


def _wanted(
    nodes: Mapping[str, NodeText], schema: Schema, targets: Collection[str] | None
) -> tuple[str, ...]:
    """Return the effect nodes to run."""
    effects = [
        key
        for key, node in nodes.items()
        if node.mode not in OFF
        and (spec := schema.nodes.get(node.class_type)) is not None
        and spec.effect
    ]
    wanted = tuple(key for key in effects if targets is None or _is_within(key, targets))
    if wanted:
        return wanted
    if effects:
        kind = "none of the nodes asked for shows or saves a result"
        raise invalid("prompt_no_outputs", kind, f"those that do: {', '.join(effects[:20])}")
    unknown = [(key, node) for key, node in nodes.items() if node.class_type not in schema.nodes]
    strangers = [
        unknown_class(key, node, schema, index < EXPLAINED)
        for index, (key, node) in enumerate(unknown[:ENOUGH])
    ]
    wish = ", ".join(name for name, spec in schema.nodes.items() if spec.effect)
    none = Problem(
        None, None, "prompt_no_outputs", "no node shows or saves a result", f"add one of {wish}"
    )
    raise Invalid([*strangers, none])


def _is_within(key: str, targets: Collection[str]) -> bool:
    """Whether a node, or a subgraph that it lies in, is among the targets."""
    parts = key.split(":")
    return any(":".join(parts[:end]) in targets for end in range(1, len(parts) + 1))


def _walk(wanted: Iterable[str], checker: Checker) -> dict[str, Call]:
    """Check every node that is needed; return the calls, sources before users."""
    calls: dict[str, Call] = {}
    for start in wanted:
        if start in calls:
            continue
        path = {start: checker.call(start)}
        stack = [(start, iter(sources(path[start])))]
        while stack:
            if checker.full:
                return {**calls, **path}
            key, upstream = stack[-1]
            source = next(upstream, None)
            if source is None:
                stack.pop()
                calls[key] = path.pop(key)
            elif source in path:
                _report_circle(source, list(path), checker)
            elif source not in calls:
                path[source] = checker.call(source)
                stack.append((source, iter(sources(path[source]))))
    return calls


def _report_circle(start: str, path: list[str], checker: Checker) -> None:
    """Name the nodes of a circle in the order in which data would flow."""
    circle = [start, *reversed(path[path.index(start) + 1 :])]
    if not checker.problems.keys().isdisjoint(circle):
        return
    names = [*circle, start]
    if len(names) > _NAMED:
        left_out = f"… ({len(names) - _NAMED + 1} more) …"
        names = [*names[: _NAMED - 3], left_out, *names[-2:]]
    checker.add(
        Problem(
            start,
            None,
            "dependency_cycle",
            f"waits for itself: {' -> '.join(names)}",
            "remove one of these wires",
            {"cycle": circle[:100]},
        )
    )


def _problems(
    nodes: Mapping[str, NodeText],
    wanted: tuple[str, ...],
    calls: Mapping[str, Call],
    problems: Mapping[str, list[Problem]],
) -> tuple[Problem, ...]:
    """Return the mistakes in the order of the document, each with the outputs it stops."""
    upstream = {key: sources(call) for key, call in calls.items()}
    outputs: dict[str, list[str]] = {key: [] for key in problems}
    for output in wanted[:_REPORTED_OUTPUTS]:
        for key in problems.keys() & _reached([output], upstream):
            outputs[key].append(output)
    return tuple(
        replace(problem, outputs=tuple(outputs[key]), class_type=nodes[key].class_type)
        for key in nodes
        if key in problems
        for problem in problems[key]
    )


def _unharmed(
    wanted: tuple[str, ...], calls: Mapping[str, Call], problems: Collection[str]
) -> tuple[str, ...]:
    """Return the effect nodes that no mistake reaches."""
    users: dict[str, list[str]] = {}
    for key, call in calls.items():
        for source in sources(call):
            users.setdefault(source, []).append(key)
    harmed = set(problems)
    spreading = list(problems)
    while spreading:
        for user in users.get(spreading.pop(), ()):
            if user not in harmed:
                harmed.add(user)
                spreading.append(user)
    return tuple(key for key in wanted if key not in harmed)


def _reached(starts: Iterable[str], upstream: Mapping[str, list[str]]) -> set[str]:
    """Return the nodes that the results of `starts` need, themselves included."""
    seen = set(starts)
    waiting = list(seen)
    while waiting:
        for source in upstream.get(waiting.pop(), ()):
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    return seen
