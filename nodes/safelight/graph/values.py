"""Checking one value of a workflow against the input that it is for.

Types are exact: `true` is no number, 1.7 no whole number, "false" no truth
value.  What loses nothing is converted: "7" and 7.0 to 7, 7 to 7.0 or to "7".
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from safelight.graph.folders import FolderError, Folders
from safelight.graph.records import COMBO, InputSpec, Value

_DIGITS = re.compile(r"[+-]?[0-9]{1,400}")
_LONGEST_WHOLE = 256  # bits of a number that is written out
_SHORT = 60  # characters of a value that a message repeats
_LISTED = 20  # choices that a message lists
_COMPARED = 1_000  # choices among which a near one is looked for


class Refused(ValueError):
    """A value does not fit its input.

    Its text and its details name what is near among the `known` values, which
    may have to be looked for: they are worked out when asked for.

    Attributes:
        kind: The protocol's error type, as `invalid_input_type`.
        message: What is wrong, without suggestions.
        extra: What programs are told besides, as `received_type`.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        details: str = "",
        known: Callable[[], Sequence[str]] | None = None,
        given: str = "",
        *,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.extra = extra or {}
        self._details = details
        self._known = known
        self._given = given

    def __str__(self) -> str:
        return self.message + nearest(self._given, self._names)

    @property
    def details(self) -> str:
        """What would fit."""
        return self._details if self._known is None else _listed(self._names)

    @cached_property
    def _names(self) -> Sequence[str]:
        return () if self._known is None else self._known()


def coerced(entry: InputSpec, value: object, folders: Folders | None = None) -> Value:
    """Return `value` in the exact type of the input.

    Args:
        entry: The input.
        value: From the workflow, or from a wire.
        folders: Where a file that it names must lie; None skips that check.

    Raises:
        Refused: When it does not fit; the message does not name the input.
    """
    result = _CONVERSIONS[entry.type](value)
    if isinstance(result, str):
        _check_choice(entry, result, folders)
    else:
        _check_range(entry, result)
    return result


def shown(value: object) -> str:
    """Return `value` as a message shows it: briefly, and never a nested whole."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, int) and value.bit_length() > _LONGEST_WHOLE:
        return "a number of more than 70 digits"
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def nearest(name: str, known: Sequence[str]) -> str:
    """Return "; nearest: 'a', 'b'" from the known names, or nothing."""
    close = difflib.get_close_matches(name[:_SHORT], known[:_COMPARED], n=3)
    return f"; nearest: {', '.join(map(repr, close))}" if close else ""


def _whole(value: object) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and _DIGITS.fullmatch(value.strip()):
        return int(value)
    raise Refused("invalid_input_type", f"want a whole number, got {shown(value)}")


def _number(value: object) -> float:
    if type(value) in (int, float, str):
        try:
            number = float(value)  # type: ignore[arg-type]  # one of the three types above
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise Refused("invalid_input_type", f"want a number, got {shown(value)}")


def _text(value: object) -> str:
    if type(value) is float and math.isfinite(value):
        return str(value)
    if type(value) is int and value.bit_length() <= _LONGEST_WHOLE:
        return str(value)
    if type(value) is not str:
        raise Refused("invalid_input_type", f"want text, got {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused(
            "invalid_input_type", "want text, got half a character (an unpaired surrogate)"
        ) from None
    return value


def _truth(value: object) -> bool:
    if type(value) is not bool:
        raise Refused("invalid_input_type", f"want true or false, got {shown(value)}")
    return value


def _choice(value: object) -> str:
    if type(value) is not str:
        raise Refused("value_not_in_list", f"want one of the choices, got {shown(value)}")
    return value


_CONVERSIONS: Mapping[str, Callable[[object], Value]] = {
    "INT": _whole,
    "FLOAT": _number,
    "STRING": _text,
    "BOOLEAN": _truth,
    COMBO: _choice,
}


def _check_range(entry: InputSpec, value: float) -> None:
    wish = f"from {entry.min} to {entry.max}"
    if entry.min is None or entry.max is None:
        wish = f"at least {entry.min}" if entry.max is None else f"at most {entry.max}"
    if entry.min is not None and value < entry.min:
        raise Refused("value_smaller_than_min", f"{shown(value)} is below {entry.min}", wish)
    if entry.max is not None and value > entry.max:
        raise Refused("value_bigger_than_max", f"{shown(value)} is above {entry.max}", wish)


def _check_choice(entry: InputSpec, value: str, folders: Folders | None) -> None:
    choices = entry.choices
    if choices is not None and value not in choices:
        message = f"{shown(value)} is not one of {_count(len(choices), 'choice')}"
        raise Refused("value_not_in_list", message, known=lambda: choices, given=value)
    if entry.folder is not None and folders is not None:
        _check_file(entry.folder, value, folders)


def _check_file(kind: str, name: str, folders: Folders) -> None:
    try:
        folders.resolve(kind, name)
    except FolderError as error:
        raise Refused(
            "value_not_in_list", str(error), known=lambda: folders.names(kind), given=name
        ) from error


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "there are none"
    rest = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return "one of " + ", ".join(map(repr, names[:_LISTED])) + rest
