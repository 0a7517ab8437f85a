"""Naming the values of a node, which ComfyUI's canvas saves by position.

The order is that of the declaration; a seed brings its control along, an input
that takes uploads a button at the very end.  Files of other ages count
differently: where the usual order does not fit the values, the others are
tried, and the one that fits best is taken and told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from safelight.graph.records import COMBO, InputSpec, NodeSpec, Value
from safelight.graph.ui.reading import UiNode
from safelight.graph.values import Refused, coerced

CONTROL, FILTER, UPLOAD = "control_after_generate", "control_filter_list", "upload"
CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
NOT_INPUTS = frozenset({CONTROL, FILTER, UPLOAD, "refresh", "videopreview"})
_SEEDS = ("seed", "noise_seed")
_EMPTY: Mapping[str, Value] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
_NATURAL: Mapping[str, tuple[type, ...]] = {
    "INT": (int,),
    "FLOAT": (int, float),
    "STRING": (str,),
    "BOOLEAN": (bool,),
    COMBO: (str,),
}


@dataclass(frozen=True, slots=True)
class Named:
    """The values of a node by name of input.

    Attributes:
        values: As they were saved.
        control: What happens to the seed after a run, or None.
        guesses: What had to be assumed, in plain words.
    """

    values: Mapping[str, object]
    control: object = None
    guesses: tuple[str, ...] = ()


# One place in the saved list: its name, and the input it is of, or None for what comes along.
Place = tuple[str, InputSpec | None]


def layout(
    spec: NodeSpec, *, controls: bool = True, without: frozenset[str] = frozenset()
) -> list[Place]:
    """Return what stands at each place of a node's saved values."""
    places: list[Place] = []
    upload = False
    for entry in spec.inputs:
        if entry.socket or entry.name in without:
            continue
        places.append((entry.name, entry))
        if controls and has_control(entry):
            places.append((CONTROL, None))
            places += [(FILTER, None)] if entry.type == COMBO else []
        upload = upload or (entry.upload and entry.required)
    return [*places, (UPLOAD, None)] if upload else places


def has_control(entry: InputSpec) -> bool:
    """Whether the canvas offers to change a value after each run."""
    return entry.seed or (entry.type == "INT" and entry.name in _SEEDS)


def named(node: UiNode, spec: NodeSpec | None) -> Named:
    """Return the values that a node was saved with."""
    by_name = node.named or (node.values if isinstance(node.values, Mapping) else None)
    if by_name:
        values = {key: value for key, value in by_name.items() if key not in NOT_INPUTS}
        if spec is not None:
            values = {key: value for key, value in values.items() if key in spec.by_name}
        return Named(values, by_name.get(CONTROL))
    given = _without_end(node.values)
    if spec is None:
        return Named({}) if not given else Named({}, None, (_unnamed(given),))
    return _placed(given, spec, node)


def default_of(entry: InputSpec) -> Value | None:
    """Return what the canvas writes where nothing was saved; None when it cannot know."""
    if entry.default is not None:
        return entry.default
    if entry.type == COMBO:
        return entry.choices[0] if entry.choices else None
    return _EMPTY.get(entry.type)


def _placed(given: Sequence[object], spec: NodeSpec, node: UiNode) -> Named:
    forced = frozenset(
        socket.name for socket in node.inputs if not socket.widget and socket.name in spec.by_name
    )
    usual = chosen = layout(spec, without=forced)
    if given and _misfit(usual, given) != (0, 0, 0):
        others = (
            layout(spec),
            layout(spec, controls=False, without=forced),
            layout(spec, controls=False),
        )
        chosen = min((usual, *others), key=lambda places: _misfit(places, given))  # first of equals
    values = dict(zip((name for name, _ in chosen), given, strict=False))
    control = values.get(CONTROL)
    kept = {key: value for key, value in values.items() if key in spec.by_name}
    return Named(kept, control, tuple(_remarks(chosen, usual, given)))


def _remarks(chosen: list[Place], usual: list[Place], given: Sequence[object]) -> Iterator[str]:
    if chosen != usual:
        yield "its values were saved in an older order, guessed from their kinds"
    extra = len(given) - len(chosen)
    if extra > 0:
        yield f"it was saved with {_count(extra)} more than its class has, which were left out"
    wrong = [name for (name, _), value in zip(chosen, given, strict=False) if _wrong(name, value)]
    if wrong:
        yield f"what was saved for {', '.join(wrong)} is not what stands there in other files"


def _wrong(name: str, value: object) -> bool:
    return name == CONTROL and value is not None and not _is_control(value)


def _misfit(places: Sequence[Place], given: Sequence[object]) -> tuple[int, int, int]:
    """Return how badly values fit: those of the wrong type, how many too few, those refused."""
    wrong = refused = 0
    for (name, entry), value in zip(places, given, strict=False):
        if value is None:
            continue
        if entry is None:
            wrong += name == CONTROL and not _is_control(value)
        elif type(value) not in _NATURAL[entry.type]:
            wrong += 1
        else:
            refused += not _accepted(entry, value)
    button = bool(places) and places[-1][0] == UPLOAD
    missing = len(places) - len(given)
    return wrong, 0 if missing == 1 and button else abs(missing), refused


def _accepted(entry: InputSpec, value: object) -> bool:
    try:
        coerced(entry, value)
    except Refused:
        return False
    return True


def _is_control(value: object) -> bool:
    return value in CONTROLS if isinstance(value, str) else isinstance(value, bool)


def _without_end(values: Sequence[object] | Mapping[str, object]) -> list[object]:
    """Return a list of values without the holes at its end."""
    given = list(values) if not isinstance(values, Mapping) else []
    while given and given[-1] is None:
        given.pop()
    return given


def _unnamed(given: Sequence[object]) -> str:
    return f"this class is not known here, so its {_count(len(given))} could not be named"


def _count(number: int) -> str:
    return "1 value" if number == 1 else f"{number} values"
